"""``aimlchat emulator``: its output, its options and its end."""

import json
import re
import signal
import socket

import aiohttp
import pytest


async def read_base_url(process):
    out = await process.read_until("AIMLAPI_API_KEY=emulator\n")
    return re.search(r"^export AIMLAPI_BASE_URL=(\S+)$", out, re.MULTILINE)[1]


@pytest.fixture
async def process(start_process):
    return await start_process("emulator", "--port", "0", "--pace", "0")


async def test_the_base_url_is_printed_as_lines_for_a_shell(process):
    url = await read_base_url(process)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1", url)
    assert f"listens at {url}" in process.output.decode()


async def test_ask_needs_only_the_printed_variables(process, start_process):
    out = await process.read_until("AIMLAPI_API_KEY=emulator\n")
    variables = dict(re.findall(r"^export (\w+)=(\S+)$", out, re.MULTILINE))
    ask = await start_process("ask", "Why is the sky blue?", **variables)
    status, answer, _ = await ask.wait()
    assert status == 0
    assert "blue" in answer


async def test_ctrl_c_stops_the_emulator_with_status_130(process):
    await read_base_url(process)
    process.interrupt()
    status, _, err = await process.wait()
    assert (status, err) == (130, "")


async def test_sigterm_stops_the_emulator_with_status_0(process):
    await read_base_url(process)
    process.process.send_signal(signal.SIGTERM)
    status, _, err = await process.wait()
    assert (status, err) == (0, "")


async def test_ctrl_c_stops_the_emulator_in_the_middle_of_an_answer(start_process):
    process = await start_process("emulator", "--port", "0", "--pace", "3600")
    url = await read_base_url(process)
    body = {"model": "gpt-4o", "stream": True, "messages": [{"role": "user", "content": "Why?"}]}
    headers = {"Authorization": "Bearer k"}
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{url}/chat/completions", json=body, headers=headers) as response,
    ):
        await response.content.readany()
        process.interrupt()
        assert (await process.wait())[0] == 130


async def test_a_port_in_use_is_an_error_in_one_line(start_process):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        status, out, err = await (await start_process("emulator", "--port", str(port))).wait()
    assert (status, out) == (1, "")
    assert err == (
        f"aimlchat: cannot listen on 127.0.0.1:{port}: Address already in use;"
        " choose another with --port\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("--port", "70000"),
        ("--pace", "-1"),
        ("--form", "round"),
        ("--chaos", "much"),
        ("--seed", "x"),
        ("extra",),
    ],
)
async def test_invalid_options_are_status_2(invoke, arguments):
    assert (await invoke("emulator", *arguments)).exit_code == 2


@pytest.mark.parametrize("form", ["flat", "enveloped"])
async def test_the_form_option_sets_the_shape_of_claudes_streams(start_process, form):
    process = await start_process("emulator", "--port", "0", "--form", form, "--pace", "0")
    url = await read_base_url(process)
    body = {
        "model": "anthropic/claude-3.7-sonnet",
        "stream": True,
        "messages": [{"role": "user", "content": "Why?"}],
    }
    headers = {"Authorization": "Bearer k"}
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{url}/chat/completions", json=body, headers=headers) as response,
    ):
        first = json.loads((await response.content.readline()).removeprefix(b"data: "))
    assert ("event" in first) == (form == "enveloped")


@pytest.mark.parametrize("chaos", ["1.5", "-1", "nan"])
async def test_an_invalid_share_of_chaos_is_an_error_in_one_line(invoke, chaos):
    result = await invoke("emulator", "--chaos", chaos)
    assert result.exit_code == 2
    assert "it takes the share of requests with a fault, from 0 to 1\n" in result.stderr


async def test_the_same_seed_gives_the_same_faults(start_process):
    async def responses():
        # With this seed none of the first responses hangs.
        options = ("--port", "0", "--pace", "0", "--chaos", "0.5", "--seed", "368")
        url = await read_base_url(await start_process("emulator", *options))
        async with aiohttp.ClientSession() as http:
            return [await classify_response(http, url) for _ in range(8)]

    first = await responses()
    assert first == await responses()
    assert {"application/json", "text/html", "no response"} <= set(first)


async def classify_response(http, url):
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Why?"}]}
    headers = {"Authorization": "Bearer k"}
    try:
        async with http.post(f"{url}/chat/completions", json=body, headers=headers) as response:
            await response.read()
            return response.content_type if response.ok else response.status
    except aiohttp.ClientError:
        return "no response"


async def test_a_conversation_is_recorded_and_replayed(start_process, emulator, tmp_path):
    path = str(tmp_path / "talk.jsonl")
    emulator.reply("Blue.")
    options = ("emulator", "--port", "0", "--cassette", path)
    for more in (("--record-from", emulator.base_url), ()):
        process = await start_process(*options, *more)
        url = await read_base_url(process)
        ask = await start_process("ask", "Why?", AIMLAPI_BASE_URL=url, AIMLAPI_API_KEY="k")
        status, answer, _ = await ask.wait()
        assert (status, answer) == (0, "Blue.\n")
    assert len(emulator.requests) == 1


async def test_a_missing_cassette_is_told_with_status_2(start_process):
    process = await start_process("emulator", "--cassette", "no-such.jsonl")
    status, _, err = await process.wait()
    assert status == 2
    assert "cannot read the cassette no-such.jsonl: No such file" in err


@pytest.mark.parametrize("host", ["nosuchhost.invalid", "x" * 64, "no..such"])
async def test_a_host_that_does_not_exist_is_blamed(start_process, host):
    process = await start_process("emulator", "--host", host, "--port", "0")
    status, _, err = await process.wait()
    assert status == 1
    assert err.count("\n") == 1
    assert f"{host!r} is no address of this machine" in err
    assert "choose another with --host" in err

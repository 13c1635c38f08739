"""``aimlchat emulator``."""

import json
import re
import signal
import socket

import aiohttp
import pytest


async def base_url_of(process):
    out = (await process.read_until("AIMLAPI_API_KEY=emulator\n")).decode()
    return re.search(r"^export AIMLAPI_BASE_URL=(\S+)$", out, re.MULTILINE)[1]


@pytest.fixture
async def started(start):
    return await start("emulator", "--port", "0", "--pace", "0")


async def test_it_prints_where_it_is_as_lines_for_a_shell(started):
    url = await base_url_of(started)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1", url)
    assert f"listens at {url}" in started.seen.decode()


async def test_the_printed_variables_are_all_that_ask_needs(started, start):
    out = (await started.read_until("AIMLAPI_API_KEY=emulator\n")).decode()
    variables = dict(re.findall(r"^export (\w+)=(\S+)$", out, re.MULTILINE))
    status, answer, _ = await (await start("ask", "Why is the sky blue?", **variables)).end()
    assert status == 0
    assert "blue" in answer


async def test_ctrl_c_stops_it_with_status_130(started):
    await base_url_of(started)
    started.interrupt()
    status, _, err = await started.end()
    assert (status, err) == (130, "")


async def test_whoever_tells_it_to_end_gets_status_0(started):
    await base_url_of(started)
    started.process.send_signal(signal.SIGTERM)
    status, _, err = await started.end()
    assert (status, err) == (0, "")


async def test_it_stops_in_the_middle_of_an_answer(start):
    process = await start("emulator", "--port", "0", "--pace", "3600")
    url = await base_url_of(process)
    body = {"model": "gpt-4o", "stream": True, "messages": [{"role": "user", "content": "Why?"}]}
    headers = {"Authorization": "Bearer k"}
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{url}/chat/completions", json=body, headers=headers) as response,
    ):
        await response.content.readany()
        process.interrupt()
        assert (await process.end())[0] == 130


async def test_a_port_in_use_is_one_clear_line(start):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, out, err = await (await start("emulator", "--port", str(port))).end()
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
async def test_wrong_options_have_status_2(invoke, arguments):
    assert (await invoke("emulator", *arguments)).exit_code == 2


@pytest.mark.parametrize("form", ["flat", "enveloped"])
async def test_the_form_of_the_streams_of_claude_can_be_chosen(start, form):
    process = await start("emulator", "--port", "0", "--form", form, "--pace", "0")
    url = await base_url_of(process)
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
async def test_a_share_of_chaos_that_is_none_is_one_clear_line(invoke, chaos):
    done = await invoke("emulator", "--chaos", chaos)
    assert done.exit_code == 2
    assert "it takes the share of requests with a fault, from 0 to 1\n" in done.stderr


async def test_chaos_is_served_the_same_for_the_same_seed(start):
    async def answers():
        # A seed whose first answers do not hang.
        options = ("--port", "0", "--pace", "0", "--chaos", "0.5", "--seed", "368")
        url = await base_url_of(await start("emulator", *options))
        async with aiohttp.ClientSession() as http:
            return [await kind_of_answer(http, url) for _ in range(8)]

    first = await answers()
    assert first == await answers()
    assert {"application/json", "text/html", "no answer"} <= set(first)


async def kind_of_answer(http, url):
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Why?"}]}
    headers = {"Authorization": "Bearer k"}
    try:
        async with http.post(f"{url}/chat/completions", json=body, headers=headers) as response:
            await response.read()
            return response.content_type if response.ok else response.status
    except aiohttp.ClientError:
        return "no answer"

"""``aimlchat serve``: its output, its errors and its end."""

import contextlib
import re
import signal
import socket

import aiohttp
import pytest

KEY = "key-that-no-page-may-see"


@pytest.fixture
def start_serve(start_process):
    """Start ``aimlchat serve``, and return the process and the URL that it prints."""

    async def start_serve(*arguments, **environment):
        process = await start_process("serve", "--port", "0", *arguments, **environment)
        output = await process.read_until("Ctrl-C stops it.\n")
        return process, re.search(r"http://\S+/", output)[0]

    return start_serve


@contextlib.asynccontextmanager
async def asking(url, question):
    """Open the web socket of the page and ask a question."""
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"{url}chat", origin=url.rstrip("/")) as page,
    ):
        await page.send_json({"type": "ask", "answer_id": "a", "model": None, "question": question})
        yield page


async def test_the_printed_url_is_that_of_the_page(start_serve):
    _, url = await start_serve("--emulator")

    assert url.startswith("http://127.0.0.1:")
    async with aiohttp.ClientSession() as http, http.get(url) as response:
        assert response.status == 200
        assert "<title>aimlchat</title>" in await response.text()
        async with http.get(f"{url}models") as models:
            assert (await models.json())["emulator"] is True


@pytest.mark.parametrize(("signal_number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
async def test_the_server_ends_cleanly_while_an_answer_streams(start_serve, signal_number, status):
    process, url = await start_serve("--emulator")

    async with asking(url, "Why is the sky blue?") as page:
        await page.receive()
        process.process.send_signal(signal_number)
        ended, _, err = await process.wait()

    assert (ended, err) == (status, "")


async def test_chaos_lets_the_emulator_fail(start_serve):
    process, url = await start_serve("--emulator", "--chaos", "1")

    assert "a fault to 100% of the questions" in await process.read_until("questions.\n")
    async with asking(url, "Why is the sky blue?") as page:
        types = [(await page.receive_json())["type"] for _ in range(2)]
    assert types == ["start", "start-step"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--chaos", "0.1"), "--chaos needs --emulator"),
        (("--emulator", "--chaos", "2"), "from 0 to 1"),
        (("--emulator", "--chaos", "nan"), "from 0 to 1"),
        (("--emulator", "--chaos", "x"), "--chaos"),
    ],
)
async def test_chaos_without_the_emulator_or_beyond_its_limits_is_a_usage_error(
    invoke, arguments, text
):
    result = await invoke("serve", *arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert text in result.stderr


async def test_a_missing_key_is_explained_in_two_lines(start_process):
    status, out, err = await (await start_process("serve", "--port", "0")).wait()

    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 2
    for text in ("AIMLAPI_API_KEY", "https://aimlapi.com/app/keys", "--emulator"):
        assert text in err


async def test_a_port_in_use_is_an_error_in_one_line(start_process):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        process = await start_process("serve", "--emulator", "--port", str(port))
        status, out, err = await process.wait()

    assert (status, out) == (1, "")
    assert err == (
        f"aimlchat: cannot listen on 127.0.0.1:{port}: Address already in use;"
        " choose another with --port\n"
    )


async def test_errors_of_the_api_are_printed_without_the_key(start_serve, emulator):
    emulator.fail(status=401, message=f"The key {KEY} is not known.")
    process, url = await start_serve("--base-url", emulator.base_url, AIMLAPI_API_KEY=KEY)

    async with asking(url, "Why?") as page:
        while (await page.receive_json())["type"] != "error":
            pass
    process.interrupt()
    _, _, err = await process.wait()

    assert err.count("\n") == 2
    assert "is not known" in err
    assert "Check the key in AIMLAPI_API_KEY" in err
    assert KEY not in err


async def test_the_model_calls_the_tools_that_are_offered(start_serve, tmp_path, monkeypatch):
    (tmp_path / "weather_tools.py").write_text(
        'def get_weather(city: str) -> str:\n    """Return the weather of a city."""\n'
        '    return f"rain in {city}"\n'
    )
    monkeypatch.chdir(tmp_path)
    _, url = await start_serve("--emulator", "--tool", "weather_tools:get_weather")

    frames = []
    async with asking(url, "Do I need an umbrella in Ulm?") as page:
        while not frames or frames[-1]["type"] != "finish":
            frames.append(await page.receive_json())
    outputs = [frame["output"] for frame in frames if frame["type"] == "tool-output-available"]
    assert outputs == ["rain in Ulm"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("weather", "'weather' is not of the form package.module:name"),
        ("no_such_module:f", "the import of no_such_module failed: ModuleNotFoundError"),
        ("json:no_such_name", "json has no no_such_name"),
        ("math:pi", "cannot be a tool"),
    ],
)
async def test_a_tool_that_cannot_be_imported_is_a_usage_error(invoke, name, text):
    result = await invoke("serve", "--emulator", "--tool", name)

    assert (result.exit_code, result.stdout) == (2, "")
    assert text in " ".join(result.stderr.split())


async def test_two_tools_of_one_name_are_a_usage_error(invoke, tmp_path, monkeypatch):
    (tmp_path / "clock_tools.py").write_text("def tell_time() -> str: ...", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    name = "clock_tools:tell_time"

    result = await invoke("serve", "--emulator", "--tool", name, "--tool", name)

    assert result.exit_code == 2
    assert "the tools cannot be offered together: tools[1]: a tool before it has" in result.output

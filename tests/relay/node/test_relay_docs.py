"""The examples of docs/relay.md: the servers run as printed, the code for browsers runs in Node."""

import re
from pathlib import Path

import aiohttp
import pytest

from aimlchat.relay.errors import _DESCRIPTIONS, _UNKNOWN_ERROR

PAGE = Path(__file__).parents[3] / "docs" / "relay.md"


def find_example(language, text):
    """Return the one example that contains a text."""
    blocks = re.findall(
        rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    (example,) = [block for block in blocks if text in block]
    return example


def run_example(text):
    names = {"__name__": "example"}
    exec(find_example("python", text), names)  # noqa: S102 - our own page
    return names


@pytest.fixture(autouse=True)
def _use_the_emulator(emulator, monkeypatch):
    monkeypatch.setenv("AIMLAPI_API_KEY", "any-key")
    monkeypatch.setenv("AIMLAPI_BASE_URL", emulator.base_url)


@pytest.fixture(params=["aiohttp", "fastapi"])
def example_server(request, aiohttp_app_server, asgi_server):
    if request.param == "aiohttp":
        return aiohttp_app_server(run_example("import relay, sse_response")["make_app"]())
    return asgi_server(run_example("from fastapi")["app"])


@pytest.fixture
def page(node, node_folder):
    """Run the examples for browsers in Node."""
    (node_folder / "ask.mjs").write_text(find_example("js", "function ask"), encoding="utf-8")
    (node_folder / "follow.mjs").write_text(find_example("js", "function follow"), encoding="utf-8")

    async def run_page(*arguments):
        return await node("page.mjs", *arguments)

    return run_page


async def test_the_page_example_talks_to_each_server_example(example_server, page, emulator):
    emulator.reply("Light scatters.", reasoning="Think of light.")

    async with example_server as host:
        shown = await page("ask", f"ws://{host}/talk", "Why?")

    assert (shown["reasoning"], shown["text"]) == ("Think of light.", "Light scatters.")
    assert shown["end"]["messageMetadata"]["finishReason"] == "stop"
    assert emulator.requests[0].body["messages"][-1]["content"] == "Why?"


async def test_the_page_example_shows_an_error(example_server, page, emulator):
    emulator.fail(status=401)

    async with example_server as host:
        shown = await page("ask", f"ws://{host}/talk", "Why?")

    assert shown["error"] == {
        "message": "This service cannot sign in to the model's provider.",
        "code": "authentication",
    }


async def test_the_aiohttp_example_sends_events(aiohttp_app_server, emulator):
    emulator.reply("Light scatters.")

    async with (
        aiohttp_app_server(run_example("import relay, sse_response")["make_app"]()) as host,
        aiohttp.ClientSession() as client,
        client.post(f"http://{host}/ask", json={"prompt": "Why?"}) as response,
    ):
        assert "Light" in await response.text()


async def test_use_chat_talks_to_the_fastapi_example(asgi_server, node, emulator):
    emulator.reply("Light scatters.", reasoning="Think of light.")

    async with asgi_server(run_example("from fastapi")["app"]) as host:
        result = await node("read.mjs", f"http://{host}/chat")

    assert [part["text"] for part in result["message"]["parts"]] == [
        "Think of light.",
        "Light scatters.",
    ]
    assert emulator.requests[0].body["messages"][-1]["content"] == "Why?"


async def test_the_page_example_misses_nothing_when_it_reconnects(
    aiohttp_app_server, page, emulator
):
    emulator.reply(chunks=["One ", "two ", "three ", "four"], pace=0.1)

    async with aiohttp_app_server(run_example("import Broadcast")["make_app"]()) as host:
        shown = await page("follow", f"http://{host}", "Count")

    assert shown["text"] == "One two three four"
    assert shown["connections"] == 2
    assert shown["end"]["type"] == "finish"
    assert len(emulator.requests) == 1


async def test_a_stop_that_comes_too_late_sends_no_request(example_server, emulator):
    emulator.reply("One")
    emulator.reply("Two")

    async with (
        example_server as host,
        aiohttp.ClientSession() as client,
        client.ws_connect(f"http://{host}/talk") as websocket,
    ):
        for text in ("One", "Two"):
            await websocket.send_json({"prompt": text})
            while (await websocket.receive_json())["type"] != "finish":
                pass
            await websocket.send_json({"type": "stop"})

    assert [request.body["messages"][-1]["content"] for request in emulator.requests] == [
        "One",
        "Two",
    ]


def test_every_error_code_is_documented():
    text = PAGE.read_text(encoding="utf-8")
    codes = {_UNKNOWN_ERROR[0], *(code for _, code, _ in _DESCRIPTIONS)}

    assert {code for code in codes if f"`{code}`" not in text} == set()

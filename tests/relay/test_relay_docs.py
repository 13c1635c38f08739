"""The programs of docs/relay.md: the servers as they stand there, the browser's part in Node."""

import re
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from aimlchat.relay.errors import _DESCRIPTIONS, _UNKNOWN_ERROR

PAGE = Path(__file__).parents[2] / "docs" / "relay.md"


def example(language, word):
    """Return the one example that holds the word."""
    blocks = re.findall(
        rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    (found,) = [block for block in blocks if word in block]
    return found


def program(word):
    names = {"__name__": "example"}
    exec(example("python", word), names)  # noqa: S102 - our own page
    return names


@pytest.fixture(autouse=True)
def _the_emulator_answers(emulator, monkeypatch):
    monkeypatch.setenv("AIMLAPI_API_KEY", "any-key")
    monkeypatch.setenv("AIMLAPI_BASE_URL", emulator.base_url)


@asynccontextmanager
async def aiohttp_app(app):
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture(params=["aiohttp", "fastapi"])
def example_server(request, asgi_server):
    if request.param == "aiohttp":
        return aiohttp_app(program("import relay, sse_response")["make_app"]())
    return asgi_server(program("from fastapi")["app"])


@pytest.fixture
def page(node, node_folder):
    """Run the browser's examples."""
    (node_folder / "ask.mjs").write_text(example("js", "function ask"), encoding="utf-8")
    (node_folder / "follow.mjs").write_text(example("js", "function follow"), encoding="utf-8")

    async def run(*arguments):
        return await node("page.mjs", *arguments)

    return run


async def test_the_page_talks_to_the_server(example_server, page, emulator):
    emulator.reply("Light scatters.", reasoning="Think of light.")

    async with example_server as host:
        shown = await page("ask", f"ws://{host}/talk", "Why?")

    assert (shown["reasoning"], shown["text"]) == ("Think of light.", "Light scatters.")
    assert shown["end"]["messageMetadata"]["finishReason"] == "stop"
    assert emulator.requests[0].body["messages"][-1]["content"] == "Why?"


async def test_the_page_is_told_of_an_error(example_server, page, emulator):
    emulator.fail(status=401)

    async with example_server as host:
        shown = await page("ask", f"ws://{host}/talk", "Why?")

    assert shown["error"] == {
        "message": "This service cannot sign in to the model's provider.",
        "code": "authentication",
    }


async def test_aiohttps_events(emulator):
    emulator.reply("Light scatters.")

    async with (
        aiohttp_app(program("import relay, sse_response")["make_app"]()) as host,
        aiohttp.ClientSession() as client,
        client.post(f"http://{host}/ask", json={"prompt": "Why?"}) as response,
    ):
        assert "Light" in await response.text()


async def test_use_chat_talks_to_fastapi(asgi_server, node, emulator):
    emulator.reply("Light scatters.", reasoning="Think of light.")

    async with asgi_server(program("from fastapi")["app"]) as host:
        read = await node("read.mjs", f"http://{host}/chat")

    assert [part["text"] for part in read["message"]["parts"]] == [
        "Think of light.",
        "Light scatters.",
    ]
    assert emulator.requests[0].body["messages"][-1]["content"] == "Why?"


async def test_a_page_that_lost_its_connection_misses_nothing(page, emulator):
    emulator.reply(chunks=["One ", "two ", "three ", "four"], pace=0.1)

    async with aiohttp_app(program("import Broadcast")["make_app"]()) as host:
        shown = await page("follow", f"http://{host}", "Count")

    assert shown["text"] == "One two three four"
    assert shown["connections"] == 2
    assert shown["end"]["type"] == "finish"
    assert len(emulator.requests) == 1


async def test_a_stop_that_comes_too_late_is_no_question(example_server, emulator):
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


def test_every_code_of_an_error_is_named():
    told = PAGE.read_text(encoding="utf-8")

    assert [
        code for _, code, _ in (*_DESCRIPTIONS, (None, *_UNKNOWN_ERROR)) if f"`{code}`" not in told
    ] == []

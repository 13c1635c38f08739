"""The servers of docs/relay.md, read by the code for the browser on that page, in Node."""

import re
import runpy
from contextlib import asynccontextmanager

import aiohttp
import pytest
from ai_sdk import VERSIONS, install_ai_sdk
from aiohttp import web
from snippets import ROOT, read_snippets

from aimlchat.errors import AIMLChatError
from aimlchat.relay import PageTooSlowError
from aimlchat.relay.frames import error_frames

MODULES = ("aimlchat.errors", PageTooSlowError.__module__)
JAVASCRIPT = read_snippets("js")


@pytest.fixture(scope="module")
def ai_sdk_folder(pytestconfig):
    """A folder with the newest AI SDK; most of these tests do not use it."""
    return install_ai_sdk(VERSIONS[-1], pytestconfig.cache)


@pytest.fixture
def program(tmp_path):
    """Run an example of the page and return its names."""

    def run(name):
        path = tmp_path / f"{name}.py"
        path.write_text(read_snippets("python")[name].code, encoding="utf-8")
        return runpy.run_path(str(path))

    return run


@pytest.fixture(autouse=True)
def _environment_of_a_reader(emulator, monkeypatch):
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
def example_server(request, asgi_server, program):
    if request.param == "aiohttp":
        return aiohttp_app(program("relay_aiohttp")["make_app"]())
    return asgi_server(program("relay_fastapi_and_starlette")["app"])


@pytest.fixture
def page(node, node_folder):
    """Run the code for the browser."""
    ask = JAVASCRIPT["relay_the_browser"].code
    follow = JAVASCRIPT["relay_several_pages_and_reconnecting"].code
    (node_folder / "ask.mjs").write_text(ask, encoding="utf-8")
    (node_folder / "follow.mjs").write_text(follow, encoding="utf-8")

    async def run(*arguments):
        return await node("page.mjs", *arguments)

    return run


async def test_a_page_shows_the_reasoning_and_the_answer(example_server, page, emulator):
    emulator.reply("Light scatters.", reasoning="Think of light.")

    async with example_server as host:
        shown = await page("ask", f"ws://{host}/talk", "Why?")

    assert (shown["reasoning"], shown["text"]) == ("Think of light.", "Light scatters.")
    assert shown["end"]["messageMetadata"]["finishReason"] == "stop"
    assert emulator.requests[0].body["messages"][-1]["content"] == "Why?"


async def test_a_page_gets_the_code_and_the_sentence_of_an_error(example_server, page, emulator):
    emulator.fail(status=401)

    async with example_server as host:
        shown = await page("ask", f"ws://{host}/talk", "Why?")

    assert shown["error"] == {
        "message": "This service cannot sign in to the model's provider.",
        "code": "authentication",
    }


async def test_use_chat_reads_the_response_of_fastapi(asgi_server, program, node, emulator):
    emulator.reply("Light scatters.", reasoning="Think of light.")

    async with asgi_server(program("relay_fastapi_and_starlette")["app"]) as host:
        read = await node("read.mjs", f"http://{host}/chat")

    assert [part["text"] for part in read["message"]["parts"][1:]] == [
        "Think of light.",
        "Light scatters.",
    ]
    assert emulator.requests[0].body["messages"][-1]["content"] == "Why?"


async def test_a_page_that_reconnects_misses_nothing(page, program, emulator):
    emulator.reply(chunks=["One ", "two ", "three ", "four"], pace=0.1)

    async with aiohttp_app(program("relay_several_pages_and_reconnecting")["make_app"]()) as host:
        shown = await page("follow", f"http://{host}", "Count")

    assert shown["text"] == "One two three four"
    assert shown["connections"] == 2
    assert shown["end"]["type"] == "finish"
    assert len(emulator.requests) == 1


async def test_a_stop_after_the_end_of_the_answer_is_not_a_prompt(example_server, emulator):
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


def subclasses_of(kind):
    yield kind
    for subclass in kind.__subclasses__():
        yield from subclasses_of(subclass)


def test_the_page_names_every_code_of_an_error():
    page = (ROOT / "docs" / "relay.md").read_text(encoding="utf-8")
    named = re.search(r"^The codes are ([^.]+)\.", page, re.MULTILINE)
    assert named is not None

    errors = [kind() for kind in subclasses_of(AIMLChatError) if kind.__module__ in MODULES]
    codes = {error_frames(error)[0]["data"]["code"] for error in errors}

    assert set(re.findall(r"`(\w+)`", named[1])) == codes

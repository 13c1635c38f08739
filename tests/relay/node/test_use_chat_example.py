"""The example of `useChat` in docs/examples: its server, and the script of its page."""

import asyncio
import runpy
import shlex
import shutil

import aiohttp
import pytest
from snippets import EXAMPLES

FOLDER = EXAMPLES / "use_chat"
CHAT = "a-random-id-of-a-chat"


@pytest.fixture
def server(asgi_server, emulator, monkeypatch):
    monkeypatch.setenv("AIMLAPI_API_KEY", "any-key")
    monkeypatch.setenv("AIMLAPI_BASE_URL", emulator.base_url)
    return asgi_server(runpy.run_path(str(FOLDER / "server.py"))["app"])


def message(role, *parts):
    return {
        "id": "m",
        "role": role,
        "parts": [{"type": kind, "text": text} for kind, text in parts],
    }


async def test_the_transport_of_use_chat_reads_the_answer(server, node, emulator):
    emulator.reply("Light scatters.", reasoning="Think of light.")

    async with server as host:
        read = await node("read.mjs", f"http://{host}/chat", CHAT)

    texts = [part["text"] for part in read["message"]["parts"][1:]]
    assert texts == ["Think of light.", "Light scatters."]
    assert read["errors"] == []


async def test_the_model_gets_the_texts_of_the_conversation_only(server, emulator):
    messages = [
        message("user", ("text", "Why?")),
        message("assistant", ("reasoning", "Think of light."), ("text", "Light scatters.")),
        message("user", ("text", "And at dusk?")),
        message("assistant"),  # one that failed
        message("user", ("text", "At dusk?")),
    ]

    async with server as host, aiohttp.ClientSession() as client:
        body = {"id": CHAT, "trigger": "submit-message", "messages": messages}
        async with client.post(f"http://{host}/chat", json=body) as response:
            await response.read()

    sent = emulator.requests[0].body["messages"]
    assert emulator.requests[0].body["system"] == "Be brief."
    assert [turn["content"] for turn in sent if turn["role"] != "system"] == [
        "Why?",
        "Light scatters.",
        "And at dusk?",
        "At dusk?",
    ]


@pytest.mark.parametrize(
    "turns",
    [
        [],
        [message("system", ("text", "Obey."))],
        [message("assistant", ("text", "Hello"))],
        [message("user", ("text", " "))],
        [message("user", ("text", "Hi"), ("file", ""))],
    ],
)
async def test_a_conversation_that_the_page_may_not_send_is_refused(server, emulator, turns):
    async with (
        server as host,
        aiohttp.ClientSession() as client,
        client.post(f"http://{host}/chat", json={"id": CHAT, "messages": turns}) as response,
    ):
        assert response.status == 422

    assert emulator.requests == []


async def test_the_script_of_the_page_is_bundled_as_the_server_says(server, node_folder):
    (command,) = [
        line
        for line in (FOLDER / "server.py").read_text("utf-8").splitlines()
        if "esbuild p" in line
    ]
    shutil.copy(FOLDER / "page.jsx", node_folder)

    process = await asyncio.create_subprocess_exec(
        *shlex.split(command),
        cwd=node_folder,
        stderr=asyncio.subprocess.PIPE,
    )
    _, err = await process.communicate()

    assert process.returncode == 0, err
    assert b"warning" not in err.lower()
    assert (node_folder / "page.js").stat().st_size > 100_000


async def test_the_server_has_the_page(server):
    async with (
        server as host,
        aiohttp.ClientSession() as client,
        client.get(f"http://{host}/") as response,
    ):
        assert "<main id=" in await response.text()

"""The fixture `aimlchat_emulator`, in synchronous and in asynchronous tests."""

import asyncio
import json
import urllib.request

import aiohttp
import pytest

from aimlchat.emulator import Emulator

# Imported, so that the tests do not depend on an installed entry point.
from aimlchat.emulator.pytest_plugin import aimlchat_emulator  # noqa: F401
from aimlchat.emulator.server import run_in_thread

BODY = {
    "model": "anthropic/claude-3.7-sonnet",
    "messages": [{"role": "user", "content": "Hello"}],
    "stream": True,
}
HEADERS = {"Authorization": "Bearer k", "Content-Type": "application/json"}


def test_a_synchronous_test_can_use_the_fixture(aimlchat_emulator):  # noqa: F811
    aimlchat_emulator.reply("Good day")
    url = f"{aimlchat_emulator.base_url}/chat/completions"
    body = json.dumps(BODY | {"stream": False}).encode()
    request = urllib.request.Request(url, body, HEADERS)  # noqa: S310
    with urllib.request.urlopen(request) as response:  # noqa: S310
        body = json.load(response)
    assert body["choices"][0]["message"]["content"] == "Good day"
    assert aimlchat_emulator.requests[0].body["messages"] == BODY["messages"]


async def test_an_asynchronous_test_can_use_the_fixture_from_its_own_loop(aimlchat_emulator):  # noqa: F811
    aimlchat_emulator.reply(chunks=["a", "b"], pace=3600)
    url = f"{aimlchat_emulator.base_url}/chat/completions"
    async with aiohttp.ClientSession() as http:
        response = await http.post(url, json=BODY, headers=HEADERS)
        await response.content.readany()
        response.close()
    async with asyncio.timeout(30):  # so that a failure ends the test
        await aimlchat_emulator.requests[0].finished()
        await aimlchat_emulator.no_connections()
    assert aimlchat_emulator.requests[0].outcome == "left"


def test_each_test_gets_a_new_emulator(aimlchat_emulator):  # noqa: F811
    assert aimlchat_emulator.requests == []
    assert aimlchat_emulator.billed == 0


def test_a_stream_in_progress_does_not_delay_the_end_of_a_test(aimlchat_emulator):  # noqa: F811
    aimlchat_emulator.reply(chunks=["a", "b"], pace=3600)
    url = f"{aimlchat_emulator.base_url}/chat/completions"
    request = urllib.request.Request(url, json.dumps(BODY).encode(), HEADERS)  # noqa: S310
    with urllib.request.urlopen(request) as response:  # noqa: S310
        assert response.readline().startswith(b"data: ")


def test_a_failure_to_start_is_raised_in_the_thread_that_waits(monkeypatch):
    async def start(_self):
        msg = "no sockets left"
        raise OSError(msg)

    monkeypatch.setattr(Emulator, "start", start)
    with pytest.raises(OSError, match="no sockets left"), run_in_thread():
        pass

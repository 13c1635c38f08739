"""The fixture that users get, in synchronous and in asynchronous tests."""

import asyncio
import json
import urllib.request

import aiohttp
import pytest

from aimlchat.emulator import Emulator

# Named here, so that the test does not depend on how the package was installed.
from aimlchat.emulator.pytest_plugin import aimlchat_emulator  # noqa: F401
from aimlchat.emulator.server import run_in_thread

BODY = {
    "model": "anthropic/claude-3.7-sonnet",
    "messages": [{"role": "user", "content": "Hello"}],
    "stream": True,
}
HEADERS = {"Authorization": "Bearer k", "Content-Type": "application/json"}


def test_a_synchronous_test_is_served(aimlchat_emulator):  # noqa: F811
    aimlchat_emulator.reply("Good day")
    url = f"{aimlchat_emulator.base_url}/chat/completions"
    body = json.dumps(BODY | {"stream": False}).encode()
    request = urllib.request.Request(url, body, HEADERS)  # noqa: S310
    with urllib.request.urlopen(request) as response:  # noqa: S310
        answer = json.load(response)
    assert answer["choices"][0]["message"]["content"] == "Good day"
    assert aimlchat_emulator.requests[0].body["messages"] == BODY["messages"]


async def test_an_asynchronous_test_is_served_from_another_loop(aimlchat_emulator):  # noqa: F811
    aimlchat_emulator.reply(chunks=["a", "b"], pace=3600)
    url = f"{aimlchat_emulator.base_url}/chat/completions"
    async with aiohttp.ClientSession() as http:
        response = await http.post(url, json=BODY, headers=HEADERS)
        await response.content.readany()
        response.close()
    async with asyncio.timeout(1):
        await aimlchat_emulator.requests[0].finished()
        await aimlchat_emulator.no_connections()
    assert aimlchat_emulator.requests[0].outcome == "left"


def test_each_test_gets_a_fresh_one(aimlchat_emulator):  # noqa: F811
    assert aimlchat_emulator.requests == []
    assert aimlchat_emulator.billed == 0


def test_a_stream_that_runs_does_not_hold_up_the_end_of_a_test(aimlchat_emulator):  # noqa: F811
    aimlchat_emulator.reply(chunks=["a", "b"], pace=3600)
    url = f"{aimlchat_emulator.base_url}/chat/completions"
    request = urllib.request.Request(url, json.dumps(BODY).encode(), HEADERS)  # noqa: S310
    with urllib.request.urlopen(request) as response:  # noqa: S310
        assert response.readline().startswith(b"data: ")


def test_a_failure_to_start_is_raised_and_does_not_hang(monkeypatch):
    async def start(_self):
        msg = "no sockets left"
        raise OSError(msg)

    monkeypatch.setattr(Emulator, "start", start)
    with pytest.raises(OSError, match="no sockets left"), run_in_thread():
        pass

"""An emulator and a session that talks to it."""

import pytest
from raw_server import CHUNKED, content, http_chunk, serving

from aimlchat import ChatSession, RetryPolicy
from aimlchat.emulator import Emulator


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch):
    for name in ("AIMLAPI_API_KEY", "AIML_API_KEY", "AIMLAPI_BASE_URL", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def emulator():
    async with Emulator() as running:
        yield running


@pytest.fixture
async def session(emulator):
    """A session that tries once; what is tried again is tested in test_retries.py."""
    once = RetryPolicy(attempts=1)
    async with ChatSession("test-key", base_url=emulator.base_url, retry=once) as opened:
        yield opened


@pytest.fixture
def emulator_url(aimlchat_emulator):
    """An emulator for tests that run loops of their own."""
    return aimlchat_emulator.base_url


@pytest.fixture
async def thinker():
    """A server that sends one delta, "One", and then nothing; its ``gone`` says that we left."""

    async def think(reader, writer):
        writer.write(CHUNKED + http_chunk(content("One")))
        await reader.read()
        raise ConnectionResetError

    async with serving(think) as server:
        yield server


@pytest.fixture
async def thoughtful(thinker):
    """A session with that server."""
    async with ChatSession("test-key", base_url=thinker.base_url) as opened:
        yield opened


@pytest.fixture
async def silent():
    """A server that takes a request and never answers."""

    async def listen(reader, _):
        await reader.read()
        raise ConnectionResetError

    async with serving(listen) as server:
        yield server

"""Fixtures of every floor: an emulator, a session that talks to it, and files of each kind."""

import base64

import pytest
from raw_server import CHUNKED, content, http_chunk, serving

from aimlchat import ChatSession, RetryPolicy
from aimlchat.emulator import Emulator
from aimlchat.errors import InvalidRequestError

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 16
PDF = b"%PDF-1.7 " + b"x" * 16
WAV = b"RIFF\0\0\0\0WAVEfmt "
MP3 = b"ID3\x04" + b"\0" * 16


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


@pytest.fixture
def refusal():
    """Give a function that returns the error with which a request is refused."""

    def refusal(request):
        with pytest.raises(InvalidRequestError) as caught:
            request.payload()
        return caught.value

    return refusal


@pytest.fixture
def png():
    return PNG


@pytest.fixture
def pdf():
    return PDF


@pytest.fixture
def wav():
    return WAV


@pytest.fixture
def mp3():
    return MP3


@pytest.fixture
def encoded():
    return lambda data: base64.b64encode(data).decode()

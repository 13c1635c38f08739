"""An emulator and a session that talks to it."""

import pytest

from aimlchat import ChatSession
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
    async with ChatSession("test-key", base_url=emulator.base_url) as opened:
        yield opened


@pytest.fixture
def emulator_url(aimlchat_emulator):
    """An emulator for tests that run loops of their own."""
    return aimlchat_emulator.base_url

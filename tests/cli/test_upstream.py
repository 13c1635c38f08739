"""The key, ``--base-url`` and ``--emulator``."""

import pytest

from aimlchat.cli import upstream
from aimlchat.emulator import Emulator


@pytest.mark.parametrize("key", [None, "", " "])
async def test_a_missing_key_is_explained_in_two_lines(ask, emulator, key):
    result = await ask("Why?", key=key)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 2
    for text in ("AIMLAPI_API_KEY", "https://aimlapi.com/app/keys", "--emulator"):
        assert text in result.stderr
    assert emulator.requests == []


async def test_the_key_of_the_environment_is_sent(ask, emulator):
    await ask("Why?", key="secret-1")
    assert emulator.requests[0].headers["Authorization"] == "Bearer secret-1"


async def test_a_key_with_control_characters_is_an_error_that_does_not_show_it(ask, emulator):
    result = await ask("Why?", key="secret\x01")
    assert result.exit_code == 2
    assert "secret" not in result.stderr
    assert result.stderr.count("\n") == 1
    assert emulator.requests == []


@pytest.mark.parametrize("key", [None, "secret-1"])
async def test_the_emulator_needs_no_key_and_gets_none(invoke, monkeypatch, key):
    emulators = []

    class RecordedEmulator(Emulator):
        def __init__(self, **_):
            super().__init__()
            emulators.append(self)

    monkeypatch.setattr(upstream, "Emulator", RecordedEmulator)
    # Neither the base URL nor the proxy of the environment is used.
    monkeypatch.setenv("AIMLAPI_BASE_URL", "http://127.0.0.1:1/v1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    result = await invoke("ask", "--emulator", "Why is the sky blue?", key=key)
    assert result.exit_code == 0
    assert "blue" in result.stdout
    assert "nothing was charged" in result.stderr
    (request,) = emulators[0].requests
    assert "secret" not in str(dict(request.headers))


async def test_emulator_and_base_url_exclude_each_other(ask):
    result = await ask("--emulator", "Why?")
    assert result.exit_code == 2
    assert "--emulator and --base-url" in result.stderr

"""How a session is configured, closed, and how it protects its key."""

import asyncio
import gc
import logging
import subprocess
import sys
import traceback

import aiohttp
import pytest

from aimlchat import (
    AIMLChatError,
    ChatSession,
    ConfigurationError,
    Limits,
    RateLimitError,
    RetryPolicy,
)

KEY = "sk-very-secret"
ONCE = RetryPolicy(attempts=1)


# --- key, base URL and headers -----------------------------------------------------------------


@pytest.mark.parametrize("key", [None, "", "   ", "a\nb", "schlüssel", "tab\there", "a\0b"])
def test_a_key_that_cannot_be_in_a_header_is_refused(key):
    with pytest.raises(ConfigurationError) as caught:
        ChatSession(key)

    assert "AIMLAPI_API_KEY" in str(caught.value)
    assert "AIML_API_KEY" in str(caught.value)


def test_a_refused_key_is_in_no_frame_of_the_error():
    try:
        ChatSession(KEY + "\n")
    except ConfigurationError as error:
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]

    assert all(KEY not in repr(frame.f_locals) for frame in frames[1:])


async def test_the_first_of_the_two_variables_wins(monkeypatch, emulator):
    monkeypatch.setenv("AIML_API_KEY", "second")
    monkeypatch.setenv("AIMLAPI_API_KEY", "first")
    monkeypatch.setenv("AIMLAPI_BASE_URL", emulator.base_url + "/")

    async with ChatSession() as session:
        await session.complete("Hi")

    assert emulator.requests[0].headers["Authorization"] == "Bearer first"


@pytest.mark.parametrize(
    "url", ["api.example.com", "ftp://x/v1", "http://", "http://[::1", "http://x/v1?a=b"]
)
def test_an_invalid_base_url_is_refused(url):
    with pytest.raises(ConfigurationError, match="base_url"):
        ChatSession(KEY, base_url=url)


@pytest.mark.parametrize("headers", [{"X-A": "b\r\nX-C: d"}, {"X A": "b"}, {"X": 1}])
async def test_a_header_that_would_break_the_request_is_refused(headers, session):
    with pytest.raises(ConfigurationError):
        ChatSession(KEY, headers=headers)
    with pytest.raises(ConfigurationError):
        await session.complete("Hi", headers=headers)


async def test_the_headers_of_a_call_replace_those_of_the_session(emulator):
    async with ChatSession(KEY, base_url=emulator.base_url, headers={"X-A": "1"}) as session:
        await session.complete("Hi", headers={"X-A": "2"})
        await session.complete("Hi")

    assert [request.headers["X-A"] for request in emulator.requests] == ["2", "1"]


async def test_the_key_is_shown_nowhere(emulator, caplog):
    caplog.set_level(logging.DEBUG)
    session = ChatSession(KEY, base_url=emulator.base_url, headers={"Authorization": f"X {KEY}"})
    emulator.fail(status=500)
    shown = [repr(session), repr(vars(session)), str(vars(session))]
    for base_url in (emulator.base_url, "http://127.0.0.1:9"):
        failing = ChatSession(KEY, base_url=base_url, retry=ONCE)
        emulator.reply(body=b"<html>")
        try:
            await failing.complete("Hi")
        except AIMLChatError as error:
            chain: BaseException | None = error
            while chain is not None:
                shown += [repr(chain), str(chain), repr(vars(chain))]
                frames = [frame for frame, _ in traceback.walk_tb(chain.__traceback__)]
                shown += [repr(f.f_locals) for f in frames if f.f_globals is not globals()]
                chain = chain.__cause__ or chain.__context__
        await failing.close()
    await session.close()

    assert KEY not in " ".join(shown)
    assert KEY not in caplog.text


def test_a_secret_in_a_bad_header_is_in_no_frame_of_the_error():
    try:
        ChatSession(KEY, headers={"X-Token": "hush-hush\n"})
    except ConfigurationError as error:
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]

    inner = [frame for frame in frames if frame.f_code.co_name == "check_headers"]
    assert inner
    assert all("hush-hush" not in repr(frame.f_locals) for frame in inner)


# --- closing --------------------------------------------------------------------------------------


async def test_a_closed_session_refuses_calls(session):
    await session.close()
    await session.close()

    with pytest.raises(ConfigurationError, match="closed"):
        await session.complete("Hi")


async def test_a_session_that_is_dropped_closes_its_sockets_without_a_warning(emulator):
    session = ChatSession(KEY, base_url=emulator.base_url)
    await session.complete("Hi")
    assert emulator.open_connections == 1

    del session
    gc.collect()

    await emulator.no_connections()


def test_a_program_that_closes_no_session_ends_without_a_warning(emulator_url):
    code = (
        "import asyncio, aimlchat\n"
        f"session = aimlchat.ChatSession('k', base_url={emulator_url!r})\n"
        "print(asyncio.run(session.complete('Hi')).finish_reason)\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert (done.stdout, done.stderr) == ("stop\n", "")


# --- connections ----------------------------------------------------------------------------------


async def test_a_borrowed_http_session_is_used_and_never_closed(emulator):
    async with aiohttp.ClientSession() as http:
        async with ChatSession(KEY, base_url=emulator.base_url, http=http) as session:
            await session.complete("Hi")
        assert not http.closed


async def test_the_settings_of_a_borrowed_session_change_no_error(emulator):
    emulator.fail(status=429)
    async with aiohttp.ClientSession(raise_for_status=True, auto_decompress=False) as http:
        session = ChatSession(KEY, base_url=emulator.base_url, http=http)
        with pytest.raises(RateLimitError):
            await session.complete("Hi", retry=ONCE)


async def test_a_borrowed_session_that_is_closed_is_a_configuration_error():
    async with aiohttp.ClientSession() as http:
        session = ChatSession(KEY, http=http)

    with pytest.raises(ConfigurationError, match="borrowed"):
        await session.complete("Hi")


async def test_the_pool_stays_within_its_limit(emulator):
    limits = Limits(max_connections=2)
    async with ChatSession(KEY, base_url=emulator.base_url, limits=limits) as session:
        await asyncio.gather(*(session.complete("Hi") for _ in range(6)))
        assert emulator.open_connections <= 2


async def test_a_proxy_of_the_environment_is_used_unless_trust_env_is_false(monkeypatch, emulator):
    monkeypatch.setenv("http_proxy", emulator.base_url.removesuffix("/v1"))
    monkeypatch.setenv("no_proxy", "")

    async with ChatSession(KEY, base_url="http://127.0.0.1:9/v1") as session:
        await session.complete("Hi")
    async with ChatSession(
        KEY, base_url="http://127.0.0.1:9/v1", trust_env=False, retry=ONCE
    ) as session:
        with pytest.raises(AIMLChatError):
            await session.complete("Hi")

    assert len(emulator.requests) == 1


async def test_no_proxy_may_name_a_port(monkeypatch, emulator):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", emulator.base_url.removeprefix("http://").removesuffix("/v1"))

    async with ChatSession(KEY, base_url=emulator.base_url) as session:
        assert await session.complete("Hi")


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "ftp://x", "http://"])
def test_a_proxy_that_cannot_be_used_is_refused(proxy):
    with pytest.raises(ConfigurationError, match="proxy"):
        ChatSession(KEY, proxy=proxy)

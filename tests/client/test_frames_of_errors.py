"""What a traceback with locals shows of the frames that an error has passed through."""

import asyncio
import traceback
from urllib.parse import quote

import pytest
from raw_server import serving
from yarl import URL

from aimlchat import (
    APIError,
    ChatRequest,
    ChatSession,
    ConfigurationError,
    ConnectionFailedError,
    ProtocolError,
    RetryPolicy,
    Text,
)

KEY = "sk-very-secret"
PASSWORD = "open/sesame"  # noqa: S105
HEADERS = {"X-Token": "hush-hush"}
SECRETS = (KEY, PASSWORD, quote(PASSWORD, safe=""), "hush-hush")
ONCE = RetryPolicy(attempts=1)
PROXY = f"http://me:{quote(PASSWORD, safe='')}@"


def frames_of(error):
    """Return what a traceback with locals shows of the frames below the caller's own."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    shown.stack[:] = [frame for frame in shown.stack if frame.filename != __file__]
    assert shown.stack
    return "".join(shown.format())


def is_hidden_in(error):
    text = frames_of(error)
    return not any(secret in text for secret in SECRETS)


async def ask(session, streamed, request="Hi", **settings):
    if streamed:
        return await session.stream(request, **settings).collect()
    return await session.complete(request, **settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"headers": HEADERS | {"X A": "b"}},
        {"headers": {"X-Token": "hush-hush\n"}},
        {"headers": {"Authorization: Bearer hush-hush": ""}},
        {"headers": HEADERS, "base_url": "ftp://x"},
        {"base_url": f"htps://me:{PASSWORD}@x"},
        {"base_url": f"http://me:{PASSWORD}@x:port"},
        {"base_url": f"{PROXY}x"},
        {"base_url": URL(f"{PROXY}x")},
        {"base_url": "https://x/v1?key=hush-hush"},
        {"base_url": "http://127.0.0.1", "proxy": f"socks5://me:{PASSWORD}@x"},
        {"base_url": "http://127.0.0.1", "proxy": f"http://me:{PASSWORD}@x"},
        {"proxy": URL(f"{PROXY}x")},
        {"headers": HEADERS, "api_key": f"{KEY}\n"},
    ],
    ids=str,
)
def test_the_frames_of_a_refused_session_hide_key_headers_and_passwords(settings):
    with pytest.raises(ConfigurationError) as caught:
        ChatSession(**{"api_key": KEY} | settings)

    assert is_hidden_in(caught.value)


def test_the_frames_of_a_refused_session_hide_the_key_of_a_variable(monkeypatch):
    monkeypatch.setenv("AIML_API_KEY", f"{KEY}\n")
    with pytest.raises(ConfigurationError) as caught:
        ChatSession()

    assert is_hidden_in(caught.value)


@pytest.mark.parametrize("headers", [HEADERS | {"X A": "b"}, {"X-Token": "hush-hush\n"}])
@pytest.mark.parametrize("streamed", [True, False])
async def test_the_frames_of_a_call_with_refused_headers_hide_key_and_headers(headers, streamed):
    async with ChatSession(KEY, headers={"X-Other": "hush-hush"}) as session:
        with pytest.raises(ConfigurationError) as caught:
            await ask(session, streamed, headers=headers)

    assert is_hidden_in(caught.value)


@pytest.mark.parametrize("method", ["complete", "stream", "complete_many", "stream_many"])
async def test_the_frames_of_an_unknown_option_hide_key_and_headers(method):
    async with ChatSession(KEY, headers=HEADERS) as session:
        with pytest.raises(TypeError) as caught:
            await getattr(session, method)("Hi", headers=HEADERS, temprature=1)

    assert is_hidden_in(caught.value)


async def test_the_frames_of_a_refused_request_hide_key_and_headers():
    async with ChatSession(KEY, headers=HEADERS) as session:
        with pytest.raises(ValueError, match="temperature") as caught:
            await session.complete("Hi", headers=HEADERS, temperature=9)

    assert is_hidden_in(caught.value)


@pytest.mark.parametrize("streamed", [True, False])
async def test_the_frames_of_an_error_response_hide_key_and_headers(emulator, streamed):
    emulator.fail(status=400, message=f"bad key {KEY}")
    async with ChatSession(KEY, base_url=emulator.base_url, headers=HEADERS) as session:
        with pytest.raises(APIError) as caught:
            await ask(session, streamed, ChatRequest().user(Text("Hi")), headers=HEADERS)

    assert is_hidden_in(caught.value)


@pytest.mark.parametrize("streamed", [True, False])
async def test_the_frames_of_a_failed_connection_hide_key_and_headers(streamed):
    async with ChatSession(KEY, base_url="http://127.0.0.1:9", headers=HEADERS) as session:
        with pytest.raises(ConnectionFailedError) as caught:
            await ask(session, streamed, headers=HEADERS, retry=RetryPolicy(attempts=1))

    assert is_hidden_in(caught.value)


@pytest.mark.parametrize("name", ["https_proxy", "AIMLAPI_BASE_URL"])
def test_the_frames_of_a_refused_session_hide_the_password_of_a_variable(monkeypatch, name):
    monkeypatch.setenv(name, f"socks5://me:{PASSWORD}@x")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(ConfigurationError) as caught:
        ChatSession(KEY)

    assert is_hidden_in(caught.value)


@pytest.mark.parametrize("method", ["complete", "stream", "complete_many", "stream_many"])
async def test_the_frames_of_a_call_that_is_given_the_key_hide_it(method):
    async with ChatSession(KEY) as session:
        with pytest.raises(TypeError, match="ChatSession\\(api_key") as caught:
            await getattr(session, method)("Hi", api_key="hush-hush")

    assert is_hidden_in(caught.value)


@pytest.mark.parametrize("target", ["http", "https"])
@pytest.mark.parametrize("streamed", [True, False])
async def test_the_frames_of_a_call_that_is_cancelled_hide_the_password_of_the_proxy(
    target, streamed, silent_server
):
    proxy = PROXY + silent_server.base_url.removeprefix("http://").removesuffix("/v1")
    settings = {"base_url": f"{target}://api.example.com", "proxy": proxy, "headers": HEADERS}
    async with ChatSession(KEY, **settings) as session:
        call = asyncio.create_task(ask(session, streamed))
        await silent_server.requested.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await call

    assert is_hidden_in(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        b'{"error": {"message": "bad \\u0073k-very-secret", "param": "sk-very-secret"}}',
        b'{"text": "sk-very-secret"}',
        b"sk-very-secret",
        b'data: {"error": {"message": "sk-very-secret"}}\n\n',
        b'data: {"choices": [{"delta": {"content": "sk-very-secret"}}]}\n\n',
    ],
)
@pytest.mark.parametrize("streamed", [True, False])
async def test_the_frames_of_a_response_that_cannot_be_used_hide_its_body(body, streamed):
    async def respond(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    async with (
        serving(respond) as server,
        ChatSession(KEY, base_url=server.base_url, retry=ONCE) as session,
    ):
        with pytest.raises((APIError, ProtocolError)) as caught:
            await ask(session, streamed)

    assert is_hidden_in(caught.value)

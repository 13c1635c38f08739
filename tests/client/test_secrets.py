"""No secret of a session is in what a call raises and reports, whatever the server echoes."""

import logging
import pickle
import traceback
from base64 import b64encode
from collections.abc import Mapping
from contextlib import asynccontextmanager

import aiohttp
import pytest
from raw_server import CHUNKED, content, http_chunk, serving

from aimlchat import (
    AIMLChatError,
    APIError,
    AuthenticationError,
    ChatSession,
    ConnectionFailedError,
    ProtocolError,
    RetryPolicy,
    StreamInterruptedError,
)

KEY = "sk-very-secret"
TOKEN = "hush-hush"  # noqa: S105
PASSWORD = "open-sesame"  # noqa: S105
CREDENTIALS = b64encode(f"me:{PASSWORD}".encode()).decode()
SECRETS = (KEY, TOKEN, PASSWORD, CREDENTIALS)
ECHOES = f"X-Echo: Bearer {KEY}\r\nX-Inference-Id: {TOKEN}\r\nX-Request-Id: {KEY}\r\n".encode()
STREAM = CHUNKED.replace(b"\r\n\r\n", b"\r\n%s\r\n" % ECHOES)
EVENT = (
    b'data: {"id":"%s","model":"%s","odd":{"%s":"%s"},'
    b'"choices":[{"index":0,"delta":{"content":"One"},"finish_reason":null}]}\n\n'
) % ((KEY.encode(),) * 4)


def texts_in(value, seen):
    """Yield every text that can be reached from a value by items, attributes and causes."""
    if id(value) in seen:
        return
    seen[id(value)] = value
    if isinstance(value, str | bytes | int | float | None):
        yield str.__str__(value) if isinstance(value, str) else str(value)
        return
    yield repr(value)
    parts = [*getattr(value, "__dict__", {}).values()]
    if isinstance(value, BaseException):
        parts += [value.args, value.__cause__, value.__context__, str(value)]
    elif isinstance(value, Mapping):
        parts += [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple):
        parts += value
    for part in parts:
        yield from texts_in(part, seen)


def assert_hidden(error):
    shown = [*texts_in(error, {})]
    shown.append("".join(traceback.format_exception(error)))
    shown.append(pickle.dumps(error).decode("latin-1"))
    for text in shown:
        assert not any(secret in text for secret in SECRETS), text


@asynccontextmanager
async def responding(response, **settings):
    """Open a session to a server that sends these bytes and closes the connection."""

    async def respond(_, writer):
        writer.write(response)
        await writer.drain()
        raise ConnectionResetError

    async with serving(respond) as server:
        settings = {"base_url": server.base_url, "headers": {"X-Token": TOKEN}} | settings
        if "proxy" in settings:
            address = server.base_url.removeprefix("http://").removesuffix("/v1")
            settings["proxy"] = f"http://me:{PASSWORD}@{address}"
        async with ChatSession(KEY, retry=RetryPolicy(attempts=2, base_delay=0), **settings) as it:
            yield it, server


async def ask(session, streamed):
    if streamed:
        return await session.stream("Hi").collect()
    return await session.complete("Hi")


async def failure_of(session, streamed):
    with pytest.raises(AIMLChatError) as caught:
        await ask(session, streamed)
    return caught.value


def with_length(head, body):
    return b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s" % (head, ECHOES, len(body), body)


# --- the key and the headers of the caller --------------------------------------------------------


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(
    ("response", "kind"),
    {
        "headers without their end": (b"HTTP/1.1 200 OK\r\n" + ECHOES, ConnectionFailedError),
        "a header that was cut": (
            b"HTTP/1.1 200 OK\r\nX-Echo: " + KEY.encode()[:-1],
            AIMLChatError,
        ),
        "no header": (b"HTTP/1.1 200 OK\r\nX Y: %s\1\r\n\r\n" % KEY.encode(), ProtocolError),
        "no status": (b"HTTP %s\r\n\r\n" % TOKEN.encode(), ProtocolError),
        "a header that is too long": (
            b"HTTP/1.1 200 OK\r\nX-Echo: %s%s\r\n\r\n" % (KEY.encode(), b"x" * 70_000),
            ProtocolError,
        ),
        "a reason": (with_length(b"401 " + KEY.encode(), b""), AuthenticationError),
        "a message": (
            with_length(
                b"401 No", b'{"error": {"message": "%s %s"}}' % (KEY.encode(), TOKEN.encode())
            ),
            AuthenticationError,
        ),
        "an error in a 200": (
            with_length(b"200 OK", b'{"error": {"message": "\\u0073%s"}}' % KEY[1:].encode()),
            APIError,
        ),
        "no JSON": (with_length(b"200 OK", KEY.encode()), ProtocolError),
        "a chunk without a size": (CHUNKED + KEY.encode() + b"\r\n", ProtocolError),
    }.values(),
)
async def test_what_a_server_echoes_is_not_in_the_error(response, kind, streamed):
    async with responding(response) as (session, _):
        error = await failure_of(session, streamed)

    assert isinstance(error, kind)
    assert_hidden(error)


@pytest.mark.parametrize(
    ("rest", "kind"),
    [
        (b"", StreamInterruptedError),
        (http_chunk(b'data: {"error": {"message": "bad %s"}}\n\n' % KEY.encode()), APIError),
        (http_chunk(b"data: %s%s\n\n" % (b"x" * 110, KEY.encode())), ProtocolError),
        (http_chunk(b'data: ["%s"]\n\n' % KEY.encode()), ProtocolError),
    ],
)
async def test_what_a_stream_echoes_is_not_in_its_error_nor_in_the_partial_completion(rest, kind):
    async with responding(STREAM + http_chunk(EVENT) + rest) as (session, _):
        error = await failure_of(session, streamed=True)

    assert isinstance(error, kind)
    assert error.partial.text == "One"
    assert error.partial.headers["x-echo"] == "***"
    assert "***" in repr(error.partial.raw)
    assert_hidden(error)


async def test_neither_hooks_nor_log_records_get_what_a_server_echoes(caplog):
    caplog.set_level(logging.DEBUG, "aimlchat")
    records = []
    hooks = {"on_retry": records.append, "on_finish": records.append}
    async with responding(b"HTTP/1.1 200 OK\r\n" + ECHOES, **hooks) as (session, _):
        await failure_of(session, streamed=True)

    retry, finish = records
    assert_hidden(retry.error)
    assert_hidden(finish.error)
    for text in (repr(records), caplog.text, repr([attempt.cause for attempt in finish.attempts])):
        assert not any(secret in text for secret in SECRETS)


async def test_the_headers_of_a_borrowed_session_are_not_in_the_error():
    body = b'{"error": {"message": "bad X-Token %s"}}' % TOKEN.encode()
    async with (
        aiohttp.ClientSession(headers={"X-Token": TOKEN}) as http,
        responding(with_length(b"401 No", body), headers=None, http=http) as (session, _),
    ):
        error = await failure_of(session, streamed=False)

    assert error.message == "bad X-Token ***"
    assert_hidden(error)


# --- the proxy ------------------------------------------------------------------------------------

NEEDS_AUTHENTICATION = b"HTTP/1.1 407 Proxy Authentication Required\r\n"


async def test_the_password_of_a_proxy_is_sent_in_the_request_for_a_tunnel_only():
    async with responding(
        b"HTTP/1.1 200 OK\r\n\r\n", base_url="https://api.example.com", proxy=True
    ) as (session, server):
        await failure_of(session, streamed=False)

    assert server.requests[0].startswith(b"CONNECT api.example.com:443 HTTP/1.1\r\n")
    assert b"\r\nProxy-Authorization: Basic %s\r\n" % CREDENTIALS.encode() in server.requests[0]
    assert KEY.encode() not in server.requests[0]


async def test_the_password_of_a_proxy_is_sent_with_each_request_that_it_forwards():
    body = b'{"choices": [{"message": {"content": "ok"}, "finish_reason": "stop"}]}'
    async with responding(
        with_length(b"200 OK", body), base_url="http://api.example.com/v1", proxy=True
    ) as (session, server):
        assert (await session.complete("Hi")).text == "ok"

    (request,) = server.requests
    assert request.startswith(b"POST http://api.example.com/v1/chat/completions HTTP/1.1\r\n")
    assert request.count(b"Proxy-Authorization: Basic %s\r\n" % CREDENTIALS.encode()) == 1


@pytest.mark.parametrize("target", ["http", "https"])
@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(
    "response",
    [
        b"",
        NEEDS_AUTHENTICATION + b"Content-Length: 0\r\n\r\n",
        NEEDS_AUTHENTICATION
        + b"X-Echo: Basic %s\r\n\r\nme:%s" % (CREDENTIALS.encode(), b"open-sesame"),
        NEEDS_AUTHENTICATION + b"X-Echo: Basic " + CREDENTIALS.encode(),
        b"HTTP/1.1 407 Basic %s\r\nContent-Length: 0\r\n\r\n" % CREDENTIALS.encode(),
        CREDENTIALS.encode() + b"\r\n\r\n",
    ],
)
async def test_the_password_of_a_proxy_is_not_in_the_error(response, streamed, target):
    url = f"{target}://api.example.com"
    async with responding(response, base_url=url, proxy=True) as (session, _):
        error = await failure_of(session, streamed)

    assert_hidden(error)


async def test_the_refusal_of_a_proxy_says_who_refused_and_why():
    async with responding(
        NEEDS_AUTHENTICATION + b"Content-Length: 0\r\n\r\n",
        base_url="https://api.example.com",
        proxy=True,
    ) as (session, _):
        error = await failure_of(session, streamed=False)

    assert str(error) == ("the proxy refused the connection: 407 Proxy Authentication Required")
    assert str(error.__cause__).startswith("ClientHttpProxyError: 407, ")


async def test_no_repr_of_a_sessions_attributes_shows_a_secret(monkeypatch):
    monkeypatch.setenv("https_proxy", f"http://me:{PASSWORD}@proxy:3128")
    monkeypatch.setenv("no_proxy", "")
    for proxy in (None, f"http://me:{PASSWORD}@proxy:3128"):
        session = ChatSession(KEY, headers={"X-Token": TOKEN}, proxy=proxy)
        transport, settings = session._context.transport, session._settings
        assert transport._settings["proxy"] == "http://proxy:3128"
        shown = f"{vars(session)} {vars(transport)} {settings} {session._context.defaults}"
        assert not any(secret in shown for secret in SECRETS)


async def test_a_call_without_a_secret_in_the_response_keeps_its_causes():
    async with responding(STREAM.replace(ECHOES, b"") + http_chunk(content("One"))) as (session, _):
        error = await failure_of(session, streamed=True)

    assert type(error.__cause__).__module__.startswith("aiohttp")

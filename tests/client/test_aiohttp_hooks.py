"""The private and undocumented names of aiohttp and asyncio that the client uses: they exist, and
every call works without them."""

import asyncio
import asyncio.sslproto
import importlib.util
import inspect
import subprocess
import sys

import aiohttp
import pytest
from aiohttp import http_writer
from raw_server import CHUNKED, http_chunk, serving

from aimlchat import ChatSession, RetryPolicy
from aimlchat._client import aiohttp_hooks

BODY = b'{"choices": [{"message": {"content": "ok"}, "finish_reason": "stop"}]}'
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


async def respond(_, writer):
    writer.write(WHOLE)


@pytest.fixture
def without_serializer(monkeypatch):
    monkeypatch.setattr(aiohttp_hooks, "_serialize_headers", None)


class TestTheNamesExist:
    """A failure means that a pinned name has changed: review `aiohttp_hooks`."""

    def test_the_function_that_serializes_headers(self):
        serialized = http_writer._serialize_headers("GET / HTTP/1.1", aiohttp_hooks._usual_headers)

        assert serialized.startswith(b"GET / HTTP/1.1\r\nHost: ")
        assert serialized.endswith(b"\r\n\r\n")

    def test_the_methods_of_a_request_that_are_overridden(self):
        assert aiohttp_hooks.request_class() is aiohttp_hooks.SmallBodyRequest
        for name in ("send", *aiohttp_hooks._REQUEST_NAMES):
            assert hasattr(aiohttp.ClientRequest, name)
        assert list(inspect.signature(aiohttp.ClientRequest.send).parameters) == ["self", "conn"]

    async def test_the_loop_of_a_session_and_the_close_of_a_connector_that_does_not_wait(self):
        async with aiohttp.ClientSession() as http:
            assert aiohttp_hooks.loop_of(http) is asyncio.get_running_loop()
            assert callable(http.connector._close)

    async def test_the_switch_of_the_repetition_of_a_get(self):
        async with aiohttp.ClientSession() as http:
            assert http._retry_connection is True

    def test_the_method_that_sends_a_request(self):
        assert aiohttp_hooks.REQUEST_METHOD == "_request"
        assert inspect.iscoroutinefunction(aiohttp.ClientSession._request)

    @pytest.mark.skipif(
        type(asyncio.get_event_loop_policy()).__module__ != "asyncio.unix_events",
        reason="other event loops read in another way",
    )
    async def test_the_size_of_a_read(self):
        async def begin(_, writer):
            writer.write(CHUNKED + http_chunk(b"one"))

        async with (
            serving(begin) as server,
            aiohttp.ClientSession() as http,
            http.get(server.base_url) as response,
        ):
            assert response.connection.transport.max_size == 256 * 1024
        assert hasattr(asyncio.sslproto.SSLProtocol, "max_size")


class TestWithoutThem:
    def test_the_package_is_imported_and_calls_work_without_the_serializer(self):
        """In a process of its own, in which the name never existed."""
        code = """
import asyncio
from aiohttp import http_writer

serialize = http_writer._serialize_headers
del http_writer._serialize_headers

async def write_headers(self, status_line, headers):  # aiohttp itself needs what is gone
    self._headers_buf = serialize(status_line, headers)
    self._headers_written = False

http_writer.StreamWriter.write_headers = write_headers

from aimlchat import ChatSession
from aimlchat._client import aiohttp_hooks
from aimlchat.emulator import Emulator

async def main():
    async with Emulator() as emulator, ChatSession("k", base_url=emulator.base_url) as session:
        assert (await session.complete("Hi")).text
        assert (await session.stream("Hi").collect()).text
        assert (await session.complete("x" * 500_000)).text
        assert await session.models()
        assert len(await session.complete_many(["Hi"] * 9).gather()) == 9
        assert "aimlchat/" in emulator.requests[0].headers["User-Agent"]
    assert aiohttp_hooks.request_class() is aiohttp_hooks.TrackedRequest

asyncio.run(main())
"""
        subprocess.run([sys.executable, "-c", code], check=True, timeout=120)

    @pytest.mark.usefixtures("without_serializer")
    @pytest.mark.parametrize("size", [1, 20_000, 500_000])
    async def test_a_stale_connection_is_still_replaced(self, size):
        closed = asyncio.Event()

        async def respond_and_close(_, writer):
            writer.write(WHOLE)
            if len(server.requests) == 1:
                await closed.wait()
                writer.close()

        once = RetryPolicy(attempts=1)
        async with (
            serving(respond_and_close) as server,
            ChatSession("k", base_url=server.base_url, retry=once) as session,
        ):
            await session.complete("1")
            closed.set()
            assert (await session.complete("2" * size)).text == "ok"

        assert server.connections == 2

    @pytest.mark.usefixtures("without_serializer")
    async def test_a_callers_user_agent_is_still_sent(self):
        async with (
            serving(respond) as server,
            ChatSession("k", base_url=server.base_url, headers={"user-agent": "mine"}) as session,
        ):
            await session.complete("Hi")

        (request,) = server.requests
        assert request.lower().count(b"user-agent:") == 1
        assert b": mine\r\n" in request

    def test_objects_that_lack_the_names_are_left_alone(self):
        class Bare:
            pass

        assert aiohttp_hooks.loop_of(Bare()) is None
        aiohttp_hooks._bound_reads(Bare())


async def test_the_user_agent_names_the_package_and_aiohttp():
    async with (
        serving(respond) as server,
        ChatSession("k", base_url=server.base_url) as session,
        aiohttp.ClientSession() as plain,
        aiohttp.ClientSession(headers={"User-Agent": "lender"}) as named,
        ChatSession("k", base_url=server.base_url, http=plain) as borrowing,
        ChatSession("k", base_url=server.base_url, http=named) as borrowing_named,
    ):
        await session.complete("Hi")
        await session.complete("x" * 20_000)
        await session.complete("x" * 500_000)
        await borrowing.complete("Hi")
        await borrowing_named.complete("Hi")

    agents = [
        line.partition(b": ")[2].decode()
        for request in server.requests
        for line in request.partition(b"\r\n\r\n")[0].split(b"\r\n")
        if line.lower().startswith(b"user-agent:")
    ]
    ours = f"aimlchat/0.1.0 aiohttp/{aiohttp.__version__}"
    assert agents == [ours, ours, ours, ours, "lender"]


def test_the_codings_of_installed_packages_are_not_asked_for(monkeypatch):
    wide = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate, br, zstd"}
    monkeypatch.setattr(aiohttp.ClientRequest, "DEFAULT_HEADERS", wide)
    spec = importlib.util.find_spec(aiohttp_hooks.__name__)
    hooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hooks)

    assert hooks._usual_headers.getall("Accept-Encoding") == ["gzip, deflate"]
    assert hooks.TrackedRequest.session_headers["Accept-Encoding"] == "gzip, deflate"


def test_tls_reads_are_bounded_too():
    class Reader:
        max_size = 256 * 1024

    class Transport:
        _ssl_protocol = Reader()

    aiohttp_hooks._bound_reads(Transport())

    assert Transport._ssl_protocol.max_size == 64 * 1024

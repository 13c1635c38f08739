"""Certificates, and the options of sockets."""

import asyncio
import os
import socket
import ssl
import subprocess
import sys
from contextlib import asynccontextmanager
from contextvars import copy_context

import pytest
import trustme

from aimlchat import ChatSession, ConnectionFailedError, RetryPolicy
from aimlchat._client.aiohttp_hooks import ConnectionUse, current_use
from aimlchat._client.transport import _create_socket

ONCE = RetryPolicy(attempts=1)
BODY = b'{"choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}]}'


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@asynccontextmanager
async def serving_tls(authority):
    async def respond(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY))
        await reader.read()
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server = await asyncio.start_server(respond, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}/v1"


async def test_a_certificate_that_is_not_trusted_is_refused(authority):
    async with (
        serving_tls(authority) as url,
        ChatSession("test-key", base_url=url, retry=ONCE) as session,
    ):
        with pytest.raises(ConnectionFailedError, match="certificate verify failed") as caught:
            await session.complete("Hi")

    assert not caught.value.sent


async def test_the_ssl_context_of_the_caller_is_used(authority):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with (
        serving_tls(authority) as url,
        ChatSession("test-key", base_url=url, ssl=context) as session,
    ):
        assert (await session.complete("Hi")).text == "Hi"


async def test_ssl_false_checks_no_certificates(authority):
    async with (
        serving_tls(authority) as url,
        ChatSession("test-key", base_url=url, ssl=False) as session,
    ):
        assert (await session.complete("Hi")).text == "Hi"


async def test_a_tls_read_is_too_small_for_malloc_to_map_memory(authority):
    async with (
        serving_tls(authority) as url,
        ChatSession("test-key", base_url=url, ssl=False) as session,
    ):
        await session.complete("Hi")
        ((protocol, _),) = next(iter(session._context.transport._owned.connector._conns.values()))
        assert protocol.transport._ssl_protocol.max_size == 64 * 1024


async def test_ssl_cert_file_of_the_environment_is_used(authority):
    code = (
        "import asyncio, sys, aimlchat\n"
        "async def main():\n"
        "    async with aimlchat.ChatSession('k', base_url=sys.argv[1]) as session:\n"
        "        print((await session.complete('Hi')).text)\n"
        "asyncio.run(main())\n"
    )
    with authority.cert_pem.tempfile() as path:
        async with serving_tls(authority) as url:
            ran = await asyncio.to_thread(
                subprocess.run,
                [sys.executable, "-c", code, url],
                env={**os.environ, "SSL_CERT_FILE": path},
                capture_output=True,
                text=True,
                check=False,
            )

    assert (ran.stdout, ran.stderr) == ("Hi\n", "")


@pytest.mark.skipif(sys.platform != "linux", reason="these options have other names here")
def test_sockets_send_keep_alive_probes():
    def make_socket():
        current_use.set(ConnectionUse())
        return _create_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 1)))

    with copy_context().run(make_socket) as sock:
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 15
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == 4

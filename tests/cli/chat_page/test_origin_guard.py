"""The server answers its own page and no other web site."""

import aiohttp
import pytest

from aimlchat.cli.chat_page.origin_guard import is_own_page


@pytest.mark.parametrize("host", ["127.0.0.1:8090", "localhost:8090", "[::1]:80", "LocalHost"])
def test_each_name_of_loopback_is_accepted(host):
    assert is_own_page([host], [], is_websocket=False)
    assert is_own_page([host], [f"http://{host}"], is_websocket=False)
    assert is_own_page([host], [f"http://{host}"], is_websocket=True)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8090",
        "127.0.0.1.evil.example",
        "localhost.evil.example:8090",
        "evil.example#localhost",
        "192.168.1.7:8090",
        "127.0.0.1:8090\n",
        "",
    ],
)
def test_another_host_name_is_rejected(host):
    assert not is_own_page([host], [], is_websocket=False)
    assert not is_own_page([host], [f"http://{host}"], is_websocket=True)


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://localhost:3000",
        "http://127.0.0.1",
        "https://127.0.0.1:8090",
        "http://localhost:8090",
        "null",
        "",
    ],
)
def test_another_origin_is_rejected(origin):
    assert not is_own_page(["127.0.0.1:8090"], [origin], is_websocket=False)
    assert not is_own_page(["127.0.0.1:8090"], [origin], is_websocket=True)


def test_a_web_socket_without_an_origin_is_rejected():
    assert not is_own_page(["localhost:8090"], [], is_websocket=True)


@pytest.mark.parametrize("hosts", [[], ["localhost:8090", "localhost:8090"]])
def test_requests_without_exactly_one_host_are_rejected(hosts):
    assert not is_own_page(hosts, [], is_websocket=False)


def test_a_second_origin_is_rejected():
    origins = ["http://localhost", "http://localhost"]
    assert not is_own_page(["localhost"], origins, is_websocket=False)


PATHS = ("", "models", "chat", "unknown")


@pytest.mark.parametrize("path", PATHS)
async def test_every_path_rejects_another_origin(browser, path):
    async with browser.get(path, Origin="https://evil.example") as response:
        assert response.status == 403


@pytest.mark.parametrize("path", PATHS)
async def test_every_path_rejects_another_host_name(browser, path):
    async with browser.get(path, Host="rebound.example") as response:
        assert response.status == 403


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Host": "rebound.example"}, {}],
    ids=["origin", "host", "no origin"],
)
async def test_a_web_socket_of_another_site_is_rejected(browser, emulator, headers):
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        async with browser.http.ws_connect(f"{browser.url}chat", headers=headers):
            pass
    assert caught.value.status == 403
    assert emulator.requests == []


async def test_the_page_may_be_reached_through_a_tunnel_from_another_port(browser):
    async with browser.get("", Host="localhost:9999", Origin="http://localhost:9999") as response:
        assert response.status == 200


@pytest.mark.parametrize("path", PATHS)
async def test_every_response_has_the_headers_that_keep_other_pages_out(browser, path):
    async with browser.get(path) as response:
        headers = response.headers
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in headers

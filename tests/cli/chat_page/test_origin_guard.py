"""Only this machine's browser, and of the pages in it only our own."""

import aiohttp
import pytest

from aimlchat.cli.chat_page.guard import is_ours


@pytest.mark.parametrize("host", ["127.0.0.1:8090", "localhost:8090", "[::1]:80", "LocalHost"])
def test_loopback_is_ours_by_each_of_its_names(host):
    assert is_ours([host], [], is_socket=False)
    assert is_ours([host], [f"http://{host}"], is_socket=False)
    assert is_ours([host], [f"http://{host}"], is_socket=True)


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
def test_another_name_is_not_ours_even_where_it_leads_here(host):
    assert not is_ours([host], [], is_socket=False)
    assert not is_ours([host], [f"http://{host}"], is_socket=True)


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
def test_a_page_of_another_origin_is_not_ours(origin):
    assert not is_ours(["127.0.0.1:8090"], [origin], is_socket=False)
    assert not is_ours(["127.0.0.1:8090"], [origin], is_socket=True)


def test_a_web_socket_without_an_origin_is_no_browsers():
    assert not is_ours(["localhost:8090"], [], is_socket=True)


@pytest.mark.parametrize("hosts", [[], ["localhost:8090", "localhost:8090"]])
def test_there_is_one_host(hosts):
    assert not is_ours(hosts, [], is_socket=False)


def test_there_is_one_origin_at_most():
    assert not is_ours(["localhost"], ["http://localhost", "http://localhost"], is_socket=False)


PATHS = ("", "models", "talk", "nothing-here")


@pytest.mark.parametrize("path", PATHS)
async def test_another_site_is_refused_everywhere(visitor, path):
    async with visitor.get(path, Origin="https://evil.example") as response:
        assert response.status == 403


@pytest.mark.parametrize("path", PATHS)
async def test_another_name_is_refused_everywhere(visitor, path):
    async with visitor.get(path, Host="rebound.example") as response:
        assert response.status == 403


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Host": "rebound.example"}, {}],
    ids=["origin", "host", "no origin"],
)
async def test_a_foreign_web_socket_is_refused(visitor, emulator, headers):
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with visitor._http.ws_connect(f"{visitor.url}talk", headers=headers):
            pass
    assert refused.value.status == 403
    assert emulator.requests == []


async def test_the_page_may_come_through_a_tunnel_from_another_port(visitor):
    async with visitor.get("", Host="localhost:9999", Origin="http://localhost:9999") as response:
        assert response.status == 200


@pytest.mark.parametrize("path", PATHS)
async def test_no_other_page_gets_hold_of_a_response(visitor, path):
    async with visitor.get(path) as response:
        headers = response.headers
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in headers

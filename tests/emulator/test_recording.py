"""Requests of any kind are passed on to the server as they were sent."""

import asyncio

import aiohttp
import pytest
from raw_server import serving
from yarl import URL

from aimlchat import ChatSession, RetryPolicy
from aimlchat.emulator import Emulator


@pytest.fixture
def path(tmp_path):
    return tmp_path / "talk.jsonl"


@pytest.fixture
async def http():
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer key-0123"}) as opened:
        yield opened


@pytest.mark.parametrize("method", ["HEAD", "DELETE", "GET"])
async def test_responses_without_a_body_do_not_stop_the_emulator(path, http, method):
    async def respond(_, writer):
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with (
        asyncio.timeout(5),
        serving(respond) as upstream,
        Emulator(cassette=path, record_from=upstream.base_url) as emulator,
    ):
        for number in range(3):
            async with http.request(method, f"{emulator.base_url}/files/{number}") as response:
                assert response.status == 204
    assert len(path.read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("base", "target", "passed_on"),
    [
        ("/v1", "/v1/models?id=a%2Bb&x=%26", "/v1/models?id=a%2Bb&x=%26"),
        ("/v1/", "/v1/files/a%20b%2Fc%3Fd", "/v1/files/a%20b%2Fc%3Fd"),
        ("", "/v1/models", "/models"),
        ("/proxy/v1", "/v1/models", "/proxy/v1/models"),
        ("/proxy/v1", "/v2/billing", "/proxy/v2/billing"),
        ("/v1", "/v10/models", "/v10/models"),
    ],
)
async def test_the_target_reaches_the_server_as_it_was_sent(path, http, base, target, passed_on):
    async def respond(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    async with serving(respond) as upstream:
        record_from = upstream.base_url.removesuffix("/v1") + base
        async with Emulator(cassette=path, record_from=record_from) as emulator:
            url = URL(emulator.base_url.removesuffix("/v1") + target, encoded=True)
            async with http.get(url) as response:
                assert response.status == 200
    assert upstream.requests[0].split()[1].decode() == passed_on


async def test_the_balance_is_recorded(path):
    async with Emulator(balance_usd=7) as upstream:
        recorder = Emulator(cassette=path, record_from=upstream.base_url)
        async with recorder, ChatSession("k", base_url=recorder.base_url) as session:
            assert (await session.balance()).usd == 7
    async with Emulator(cassette=path) as player:
        once = RetryPolicy(1)
        async with ChatSession("k", base_url=player.base_url, retry=once) as session:
            assert (await session.balance()).usd == 7


async def test_a_deeply_nested_body_is_recorded(path, http):
    async def respond(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    async with serving(respond) as upstream:
        body = b'{"a":' + b"[" * 500 + b"]" * 500 + b"}"
        recorder = Emulator(cassette=path, record_from=upstream.base_url)
        async with recorder, http.post(f"{recorder.base_url}/files", data=body) as response:
            assert response.status == 200
    assert path.exists()


@pytest.mark.parametrize("base_url", ["http://u:pass-word@127.0.0.1:9/v1", "http://u@127.0.0.1/v1"])
def test_a_url_with_a_password_is_refused_and_not_shown(path, base_url):
    with pytest.raises(ValueError, match="give the URL without it") as caught:
        Emulator(cassette=path, record_from=base_url)
    assert "pass-word" not in str(caught.value)

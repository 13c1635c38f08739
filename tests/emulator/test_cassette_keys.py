"""A cassette keeps no key, however a request or a response quotes it."""

import base64
import gzip
import json
import math

import aiohttp
import pytest
from raw_server import serving
from yarl import URL

from aimlchat.emulator import Emulator

KEY = "sk/0123+456789abcdef"
OTHER_KEY = "other-0123456789"
CHAT = "/v1/chat/completions"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "talk.jsonl"


@pytest.fixture
async def http():
    headers = {"Authorization": f"Bearer {KEY}", "x-api-key": OTHER_KEY}
    async with aiohttp.ClientSession(headers=headers) as opened:
        yield opened


def responding(body, headers=b""):
    async def respond(_, writer):
        length = b"Content-Length: %d\r\n" % len(body)
        writer.write(b"HTTP/1.1 200 OK\r\n" + length + headers + b"\r\n" + body)

    return respond


async def record(path, http, upstream, target=CHAT, data=b"{}"):
    async with Emulator(cassette=path, record_from=upstream.base_url) as emulator:
        url = URL(emulator.base_url.removesuffix("/v1") + target, encoded=True)
        async with http.post(url, data=data) as response:
            return await response.read()


def only_exchange(path):
    [line] = path.read_text().splitlines()
    return json.loads(line)


@pytest.mark.parametrize(
    "quoted",
    [KEY, KEY.replace("/", r"\/"), r"sk\u002F0123\u002b456789abcdef", "sk%2f0123%2B456789abcdef"],
)
async def test_a_key_is_found_however_it_is_escaped(path, http, quoted):
    async with serving(responding(b'{"message": "Bad key: %s."}' % quoted.encode())) as upstream:
        assert quoted.encode() in await record(path, http, upstream)
    [[_, body]] = only_exchange(path)["response"]["body"]
    assert body == '{"message": "Bad key: [key]."}'


async def test_the_keys_of_other_headers_are_found_too(path, http):
    header = b"x-ratelimit-of: %s\r\n" % OTHER_KEY.encode()
    async with serving(responding(b"You are %s." % OTHER_KEY.encode(), header)) as upstream:
        await record(path, http, upstream)
    response = only_exchange(path)["response"]
    assert response["headers"]["x-ratelimit-of"] == "[key]"
    assert response["body"][0][1] == "You are [key]."


async def test_a_key_in_a_query_or_in_a_binary_body_is_found(path, http):
    target = "/v1/audio?key=sk%2F0123%2B456789abcdef"
    async with serving(responding(b"{}")) as upstream:
        await record(path, http, upstream, target, b"\xff" + KEY.encode())
    request = only_exchange(path)["request"]
    assert request["query"] == "key=[key]"
    assert base64.b64decode(request["body"]["base64"]) == b"\xff[key]"


async def test_a_body_that_is_compressed_is_recorded_as_text_without_the_key(path, http):
    body = gzip.compress(f"You are {KEY}.".encode())
    async with serving(responding(body, b"Content-Encoding: gzip\r\n")) as upstream:
        assert await record(path, http, upstream) == f"You are {KEY}.".encode()
    response = only_exchange(path)["response"]
    assert response["body"][0][1] == "You are [key]."
    assert "content-encoding" not in response["headers"]


async def test_a_request_that_quotes_its_key_is_replayed(path, http):
    data = json.dumps({"prompt": f"Is {KEY} my key?"}).encode()
    async with serving(responding(b"Yes.")) as upstream:
        await record(path, http, upstream, data=data)
    async with (
        Emulator(cassette=path, replay_speed=math.inf) as emulator,
        http.post(f"{emulator.base_url}/chat/completions", data=data) as response,
    ):
        assert await response.read() == b"Yes."


async def test_the_length_of_a_body_fits_after_a_replacement(path, http):
    async with serving(responding(b"You are %s." % KEY.encode())) as upstream:
        await record(path, http, upstream)
    async with (
        Emulator(cassette=path, replay_speed=math.inf) as emulator,
        http.post(f"{emulator.base_url}/chat/completions", data=b"{}") as response,
    ):
        assert await response.read() == b"You are [key]."
        assert response.headers["Content-Length"] == "14"


async def test_a_placeholder_in_place_of_a_key_is_no_key(path, http):
    http.headers["Authorization"] = "Bearer test"
    async with serving(responding(b"A test.")) as upstream:
        await record(path, http, upstream, data=b'{"prompt": "Is this a test?"}')
    exchange = only_exchange(path)
    assert exchange["request"]["body"] == {"prompt": "Is this a test?"}
    assert exchange["response"]["body"][0][1] == "A test."

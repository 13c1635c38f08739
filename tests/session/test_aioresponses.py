"""Completions and errors with aioresponses, which users may use to mock aiohttp."""

import ssl
from functools import partial
from types import SimpleNamespace

import aiohttp
import pytest
from aioresponses import aioresponses

from aimlchat import ChatSession, ConnectionFailedError, RateLimitError, RetryPolicy, ServerError

URL = "https://api.aimlapi.com/v1/chat/completions"
# aioresponses 0.7.9 does not pass the stream writer that a response of aiohttp 3.14 needs.
Response = partial(aiohttp.ClientResponse, stream_writer=SimpleNamespace(output_size=0))


@pytest.fixture
def mocked():
    with aioresponses() as mock:
        yield mock


@pytest.fixture
async def session():
    async with ChatSession("k", retry=RetryPolicy(attempts=1)) as opened:
        yield opened


async def test_a_mocked_response_is_a_completion(mocked, session):
    choice = {"index": 0, "message": {"content": "Hi"}, "finish_reason": "end_turn"}
    mocked.post(URL, payload={"choices": [choice]}, response_class=Response)

    completion = await session.complete("Hello")

    assert (completion.text, completion.finish_reason) == ("Hi", "stop")
    assert completion.native_finish_reason == "end_turn"
    ((_, calls),) = mocked.requests.items()
    assert calls[0].kwargs["headers"]["Authorization"] == "Bearer k"


async def test_a_session_that_has_sent_requests_can_be_mocked(emulator):
    payload = {"choices": [{"message": {"content": "mocked"}, "finish_reason": "stop"}]}
    async with ChatSession("k", base_url=emulator.base_url) as session:
        await session.complete("Hello")
        with aioresponses() as mocked:
            mocked.post(
                f"{emulator.base_url}/chat/completions", payload=payload, response_class=Response
            )
            assert (await session.complete("Hello")).text == "mocked"
        assert (await session.complete("Hello")).text != "mocked"


async def test_the_cost_in_the_response_headers_is_read(mocked, session):
    headers = {"x-aimlapi-credits-used": "2480", "x-inference-id": "inf-1"}
    payload = {"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}
    mocked.post(URL, payload=payload, headers=headers, response_class=Response)

    completion = await session.complete("Hello")

    assert (completion.cost.credits, completion.cost.usd) == (2480, 0.00124)
    assert completion.inference_id == "inf-1"


async def test_a_mocked_error_is_typed(mocked, session):
    headers = {"Retry-After": "7"}
    mocked.post(URL, status=429, body="Slow down", headers=headers, response_class=Response)
    mocked.post(URL, status=502, body="<title>Bad gateway</title>", response_class=Response)

    with pytest.raises(RateLimitError) as limited:
        await session.complete("Hello")
    with pytest.raises(ServerError, match="Bad gateway"):
        await session.complete("Hello", model="gpt-4o")  # the default model is in its cooldown

    assert limited.value.retry_after == 7


async def test_a_refused_certificate_is_an_error_that_sent_nothing(mocked, session):
    key = SimpleNamespace(host="api.aimlapi.com", port=443, ssl=True, is_ssl=True)
    refused = ssl.SSLCertVerificationError("self-signed certificate")
    mocked.post(URL, exception=aiohttp.ClientConnectorCertificateError(key, refused))

    with pytest.raises(ConnectionFailedError, match="self-signed") as caught:
        await session.complete("Hello")

    assert not caught.value.sent


@pytest.mark.parametrize("cause", [aiohttp.ServerDisconnectedError(), TimeoutError()])
async def test_a_broken_connection_is_a_connection_failed_error(mocked, session, cause):
    mocked.post(URL, exception=cause)

    with pytest.raises(ConnectionFailedError):
        await session.complete("Hello")

"""`ChatSession.balance`: the newer endpoint, the older one, and what they say."""

import json

import pytest
from raw_server import serving

from aimlchat import (
    AuthenticationError,
    Balance,
    ChatSession,
    InsufficientCreditsError,
    ProtocolError,
    RetryPolicy,
)
from aimlchat.emulator import Emulator

NEWER, OLDER = b"GET /v2/billing HTTP/1.1", b"GET /v1/billing/balance HTTP/1.1"


async def ask(responses):
    """Return the balance that a server with these responses, by the request line, gives."""

    async def handle(_, writer):
        line = server.requests[-1].split(b"\r\n", 1)[0]
        status, body = responses.get(line, (404, {"message": "Cannot GET"}))
        data = json.dumps(body).encode()
        writer.write(
            b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            % (status, len(data), data)
        )

    once = RetryPolicy(attempts=1)
    async with (
        serving(handle) as server,
        ChatSession("k", base_url=server.base_url, retry=once) as session,
    ):
        return await session.balance()


async def test_the_balance_is_what_is_left_after_a_call():
    async with (
        Emulator(balance_usd=1.5) as emulator,
        ChatSession("k", base_url=emulator.base_url) as session,
    ):
        emulator.reply("Blue.", cost=0.25)
        await session.complete("Why?")
        balance = await session.balance()
    assert balance == Balance(1.25, 2_500_000, {"current_balance": 1.25, "currency": "USD"})
    assert emulator.requests[-1].headers["Authorization"] == "Bearer k"


async def test_an_empty_account_is_refused_by_the_emulator():
    async with (
        Emulator(balance_usd=0.1) as emulator,
        ChatSession("k", base_url=emulator.base_url) as session,
    ):
        emulator.reply("Blue.", cost=0.1)
        await session.complete("Why?")
        with pytest.raises(InsufficientCreditsError):
            await session.complete("Why?")


async def test_a_server_without_the_newer_endpoint_is_asked_at_the_older_one():
    balance = await ask({OLDER: (200, {"balance": 3_000_000, "status": "current"})})
    assert (balance.usd, balance.credits) == (1.5, 3_000_000)
    assert balance.raw["status"] == "current"


@pytest.mark.parametrize(
    ("body", "usd"),
    [
        ({"current_balance": "12.5", "currency": "usd"}, 12.5),
        ({"current_balance": -0.5}, -0.5),
        ({"current_balance": 0, "currency": "USD"}, 0.0),
        ({"current_balance": 10, "currency": "EUR"}, None),
        ({"current_balance": None}, None),
        ({}, None),
    ],
)
async def test_what_the_server_does_not_say_in_dollars_is_none(body, usd):
    balance = await ask({NEWER: (200, body)})
    assert balance.usd == usd
    assert balance.credits == (None if usd is None else usd * 2_000_000)
    assert balance.raw == body


async def test_a_body_that_is_no_object_is_a_protocol_error():
    with pytest.raises(ProtocolError, match="not a JSON object but of type list"):
        await ask({NEWER: (200, [1])})


async def test_a_rejected_key_is_not_tried_at_the_older_endpoint():
    with pytest.raises(AuthenticationError, match="bad key"):
        await ask({NEWER: (401, {"message": "bad key"}), OLDER: (200, {"balance": 1})})


async def test_a_failure_names_the_older_endpoint_if_neither_exists():
    with pytest.raises(Exception, match="404"):
        await ask({})

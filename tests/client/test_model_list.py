"""The list of models that an error names some of: when and how it is fetched."""

import asyncio

import aiohttp
import pytest
from clockwork import Clockwork, session_on
from model_api import GONE, IDS, SONNETS, ModelAPI, failure_of, http, listing
from raw_server import CHUNKED, http_chunk, serving
from virtual_time import LoopClock, run_in_virtual_time

from aimlchat import ChatSession, Limits, NotFoundError, Timeouts


@pytest.fixture
async def api():
    api = ModelAPI()
    async with serving(api) as api.raw:
        yield api


@pytest.fixture
async def session(api):
    async with ChatSession("the-key-of-the-user", base_url=api.raw.base_url) as opened:
        yield opened


async def test_many_rows_that_fail_fetch_the_list_once(api, session):
    outcomes = [outcome async for outcome in session.complete_many(["Hi"] * 200, concurrency=50)]

    assert all(SONNETS in outcome.error.message for outcome in outcomes)
    assert api.lists == 1


@pytest.mark.parametrize("limits", [Limits(concurrency=1), Limits(max_connections=1)])
async def test_a_failed_call_holds_no_slot_while_it_fetches_the_list(api, limits):
    async with ChatSession("k", base_url=api.raw.base_url, limits=limits) as session:
        assert SONNETS in (await failure_of(session)).message

    event = b'data: {"error": {"message": "Retired", "code": "model_not_found"}}\n\n'
    api.refusal = CHUNKED + http_chunk(event) + b"0\r\n\r\n"
    async with ChatSession("k", base_url=api.raw.base_url, limits=limits) as session:
        with pytest.raises(NotFoundError, match="Available models"):
            await session.stream("Hi").collect()


async def test_the_list_is_fetched_anew_after_five_minutes(api):
    clock = Clockwork()
    async with session_on(clock, api.raw.base_url) as session:
        await failure_of(session)
        clock.advance(299)
        api.models = listing("claude-sonnet-6")
        assert SONNETS in (await failure_of(session)).message
        clock.advance(2)
        assert "claude-sonnet-6." in (await failure_of(session)).message

    assert api.lists == 2


@pytest.mark.parametrize(
    "response",
    [
        http(500, {"message": "No"}),
        http(401, {"message": "No"}),
        http(404, GONE),
        http(200, b"<html>"),
        http(200, {"data": []}),
        http(200, {"data": [None, {}, {"id": ""}]}),
        b"nonsense\r\n\r\n",
    ],
    ids=["500", "401", "404", "html", "empty", "no ids", "no http"],
)
async def test_a_list_that_cannot_be_read_leaves_the_error_as_it_was(api, response):
    api.models = response
    clock = Clockwork()
    async with session_on(clock, api.raw.base_url) as session:
        for _ in range(3):
            assert (await failure_of(session)).message == GONE["message"]

    assert api.lists == 1
    assert clock.sleeps == []  # no retry


async def test_a_failure_to_fetch_it_is_forgotten_after_a_minute(api):
    api.models = http(500, b"")
    clock = Clockwork()
    async with session_on(clock, api.raw.base_url) as session:
        await failure_of(session)
        api.models = listing(*IDS)
        clock.advance(61)
        assert SONNETS in (await failure_of(session)).message


async def test_neither_the_key_nor_the_headers_of_the_call_are_sent_for_it(api):
    async with ChatSession("my-key", base_url=api.raw.base_url, headers={"X-Team": "a"}) as session:
        await failure_of(session, headers={"X-Call": "b"})

    chat, models = api.raw.requests
    assert b"my-key" in chat
    assert b"my-key" not in models
    assert b"X-Call" not in models
    assert b"X-Team: a" in models


async def test_a_borrowed_session_fetches_it(api):
    async with aiohttp.ClientSession() as http_session:
        session = ChatSession("k", base_url=api.raw.base_url, http=http_session)
        assert SONNETS in (await failure_of(session)).message
        await session.close()

    assert api.raw.connections == 1


async def test_the_proxy_of_the_session_fetches_it(api):
    proxy = api.raw.base_url.removesuffix("/v1")
    async with ChatSession("k", base_url="http://api.example/v1", proxy=proxy) as session:
        assert SONNETS in (await failure_of(session)).message

    assert api.raw.requests[1].startswith(b"GET http://api.example/v1/models ")


def test_a_session_that_is_used_in_a_second_event_loop_fetches_it_there_as_well(emulator_url):
    session = ChatSession("k", base_url=emulator_url)

    async def fail_twice(*, is_last):
        calls = (failure_of(session, model="no-such-model") for _ in range(2))
        errors = await asyncio.gather(*calls)
        if is_last:
            await session.close()
        return errors

    for is_last in (False, True):
        errors = asyncio.run(fail_twice(is_last=is_last))
        assert all("session.models()" in error.message for error in errors)
        session._context.model_hints._expires = 0.0  # so that both wait for it again


# --- time and cancellation ------------------------------------------------------------------------


async def others_wait_for_the_list(session, count):
    lock = session._context.model_hints._lock
    while len(lock._waiters or ()) < count:  # noqa: ASYNC110 - a lock has no event for it
        await asyncio.sleep(0)


def fail_in_virtual_time(timeouts=None):
    async def fail():
        api = ModelAPI()
        api.may_list.clear()
        async with serving(api) as api.raw, session_on(LoopClock(), api.raw.base_url) as session:
            start = asyncio.get_running_loop().time()
            errors = await asyncio.gather(
                *(failure_of(session, timeouts=timeouts) for _ in range(3))
            )
            assert api.lists == 1
            return errors, asyncio.get_running_loop().time() - start

    return run_in_virtual_time(fail())


def test_a_list_that_does_not_come_is_waited_for_five_seconds():
    errors, seconds = fail_in_virtual_time()

    assert [error.message for error in errors] == [GONE["message"]] * 3
    assert seconds == pytest.approx(5, abs=0.1)


def test_the_deadline_of_the_call_ends_the_wait_and_the_error_is_the_refusal():
    errors, seconds = fail_in_virtual_time(Timeouts(deadline=2))

    assert [error.message for error in errors] == [GONE["message"]] * 3
    assert seconds == pytest.approx(2, abs=0.1)


async def test_a_cancelled_call_closes_the_connection_and_another_one_fetches_the_list(
    api, session
):
    api.may_list.clear()
    first = asyncio.ensure_future(session.complete("Hi"))
    await api.asked_for_models.wait()
    second = asyncio.ensure_future(failure_of(session))
    await others_wait_for_the_list(session, 1)
    api.asked_for_models.clear()

    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await api.asked_for_models.wait()
    api.may_list.set()

    assert SONNETS in (await second).message
    assert api.lists == 2


async def test_a_call_that_waits_for_the_list_of_another_one_can_be_cancelled(api, session):
    api.may_list.clear()
    first = asyncio.ensure_future(failure_of(session))
    await api.asked_for_models.wait()
    second = asyncio.ensure_future(session.complete("Hi"))
    await others_wait_for_the_list(session, 1)

    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    api.may_list.set()

    assert SONNETS in (await first).message
    assert api.lists == 1


async def test_a_stream_that_is_left_meanwhile_fetches_nothing_any_more(api, session):
    api.may_list.clear()
    stream = session.stream("Hi")
    reading = asyncio.ensure_future(stream.collect())
    await api.asked_for_models.wait()

    await stream.aclose()

    with pytest.raises(Exception, match="closed before its end"):
        await reading


async def test_closing_the_session_meanwhile_leaves_the_refusal(api, session):
    api.may_list.clear()
    calls = [asyncio.ensure_future(failure_of(session)) for _ in range(3)]
    await api.asked_for_models.wait()
    await others_wait_for_the_list(session, 2)

    await session.close()

    assert [error.message for error in await asyncio.gather(*calls)] == [GONE["message"]] * 3

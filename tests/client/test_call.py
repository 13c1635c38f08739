"""One call over its attempts: what it reports, and what it says while it runs."""

import asyncio
import logging
import traceback

import aiohttp
import pytest
from clockwork import Clockwork, session_on
from delivery import run_pending

from aimlchat import (
    Completion,
    ConnectionFailedError,
    Limits,
    RetryPolicy,
    ServerError,
    Timeouts,
    Usage,
)
from aimlchat._client import completing
from aimlchat._client.call import Call
from aimlchat._client.prepare import CallSpec
from aimlchat.errors import Attempt


@pytest.fixture
def records():
    return []


@pytest.fixture
async def session(emulator, records):
    async with session_on(Clockwork(), emulator.base_url, on_finish=records.append) as opened:
        yield opened


def spec_of(attempts=3):
    return CallSpec("Hi", {}, Timeouts(), RetryPolicy(attempts=attempts))


def call_of(session, observer=None, *, attempts=3):
    return Call(session._context, spec_of(attempts), observer)


async def complete(session, observer=None, *, attempts=3):
    return await completing.complete(session._context, spec_of(attempts), observer)


class Journal:
    """An observer that writes down what it is told."""

    def __init__(self) -> None:
        self.notes = []

    def attempt_started(self):
        self.notes.append("started")

    def attempt_failed(self, error, *, falls_back):
        assert not falls_back
        self.notes.append(type(error).__name__)

    def attempt_succeeded(self):
        self.notes.append("succeeded")

    def enter_at_once(self, pacer):
        """Start at once."""
        return pacer is not None

    def put_back(self, error, policy, random):
        """Let each attempt count."""


# --- reports --------------------------------------------------------------------------------------


async def test_a_call_that_is_finished_twice_is_reported_once(session, records):
    call = call_of(session)
    opened = await call.open()
    call.finish("complete")
    call.finish("abandoned")
    opened.close()

    assert [record.outcome for record in records] == ["complete"]


async def test_a_call_that_never_began_is_not_reported(session, records):
    call_of(session).finish("abandoned")

    assert records == []


async def test_a_call_that_was_closed_is_not_reported(session, records):
    call = call_of(session)
    opened = await call.open()
    call.close()
    call.finish("complete")
    call.close()
    opened.close()

    assert records == []


async def test_no_completion_is_built_where_nothing_needs_it(emulator, caplog):
    caplog.set_level(logging.INFO, "aimlchat")
    built = []
    async with session_on(Clockwork(), emulator.base_url) as session:
        call = call_of(session)
        opened = await call.open()
        call.finish("complete", completion=lambda: built.append(1))
        opened.close()

    assert built == []


async def test_the_tokens_of_a_completion_are_counted_though_nothing_is_reported(emulator):
    limits = Limits(tokens_per_minute=10_000)
    async with session_on(Clockwork(), emulator.base_url, limits=limits) as session:
        call = call_of(session)
        opened = await call.open()
        call.finish("complete", completion=lambda: Completion(usage=Usage(total_tokens=77)))
        opened.close()

        assert session._context.limiter._tokens._used == 77


# --- attempts -------------------------------------------------------------------------------------


async def test_before_the_first_attempt_there_is_none(session):
    assert call_of(session).attempts == ()


async def test_an_attempt_in_progress_is_among_the_attempts(silent_server):
    async with session_on(Clockwork(), silent_server.base_url) as session:
        call = call_of(session)
        opening = asyncio.ensure_future(call.open())
        await silent_server.requested.wait()

        assert call.attempts == (Attempt(1),)
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)


async def test_a_call_that_waits_for_a_slot_makes_no_attempt_yet(emulator):
    async with session_on(Clockwork(), emulator.base_url, limits=Limits(concurrency=1)) as session:
        opened = await call_of(session).open()
        call = call_of(session)
        waiting = asyncio.ensure_future(call.open())
        await run_pending()

        assert call.attempts == ()
        opened.close()
        (await waiting).close()


async def test_between_two_attempts_only_the_failed_one_is_listed(emulator):
    clock = Clockwork(hasty=False)
    emulator.fail(status=503)
    async with session_on(clock, emulator.base_url) as session:
        call = call_of(session)
        opening = asyncio.ensure_future(call.open())
        await clock.asleep.wait()

        (attempt,) = call.attempts
        assert (attempt.number, attempt.delay) == (1, 0.25)
        assert "503" in attempt.cause
        clock.advance(1)
        (await opening).close()
        call.close()


async def test_a_later_attempt_in_progress_follows_the_failed_ones(session, emulator):
    emulator.fail(status=503)
    call = call_of(session)
    opened = await call.open()

    assert [(attempt.number, attempt.cause is None) for attempt in call.attempts] == [
        (1, False),
        (2, True),
    ]
    assert opened.attempts == call.attempts
    opened.close()
    call.close()


async def test_an_observer_is_told_of_each_attempt_and_of_each_failure(session, emulator):
    for _ in range(2):
        emulator.fail(status=503)
    journal = Journal()
    await complete(session, journal)

    failed = ["started", "ServerError"]
    assert journal.notes == [*failed, *failed, "started", "succeeded"]


async def test_an_observer_is_told_of_the_final_failure_too(session, emulator):
    emulator.fail(status=503)
    journal = Journal()
    with pytest.raises(ServerError):
        await complete(session, journal, attempts=1)

    assert journal.notes == ["started", "ServerError"]


async def test_a_request_that_cannot_be_retried_any_more_is_not_kept_in_memory(session):
    call = call_of(session)
    opened = await call.open()
    assert opened.request.body is not None
    call.attempt_succeeded()

    assert opened.request.body is None
    opened.close()
    call.close()


# --- errors ---------------------------------------------------------------------------------------


async def test_the_error_of_a_failed_connection_has_a_cause_without_frames():
    async with session_on(Clockwork(), "http://127.0.0.1:9") as session:
        with pytest.raises(ConnectionFailedError) as caught:
            await complete(session, attempts=1)

    assert isinstance(caught.value.__cause__, aiohttp.ClientConnectorError)
    assert caught.value.__cause__.__traceback__ is None
    assert caught.value.__cause__.__cause__.__traceback__ is None


async def test_an_exception_of_the_caller_keeps_its_traceback_while_a_call_fails():
    async with session_on(Clockwork(), "http://127.0.0.1:9") as session:
        try:
            raise_deep_inside()
        except KeyError as error:
            with pytest.raises(ConnectionFailedError):
                await complete(session, attempts=1)

            frames = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    assert frames[-1] == "raise_deep_inside"


def raise_deep_inside():
    raise KeyError

"""How retries are reported and logged, and the budget that limits them."""

import logging
import pickle

import pytest
from clockwork import Clockwork, session_on

from aimlchat import RateLimitError, ServerError
from aimlchat.records import RetryRecord


@pytest.fixture
def clock():
    return Clockwork()


@pytest.fixture
async def session(emulator, clock):
    async with session_on(clock, emulator.base_url) as opened:
        yield opened


async def test_on_retry_receives_one_record_for_each_retry(emulator, clock):
    records = []
    emulator.fail(status=429, retry_after=2)
    async with session_on(clock, emulator.base_url, on_retry=records.append) as session:
        completion = await session.complete("Hi", client_request_id="mine")

    (record,) = records
    assert isinstance(record, RetryRecord)
    assert (record.attempt, record.delay, record.client_request_id) == (1, 2.25, "mine")
    assert isinstance(record.error, RateLimitError)
    assert record.model == "anthropic/claude-3.7-sonnet"
    assert len(completion.attempts) == 2


async def test_an_exception_in_a_hook_is_logged_and_breaks_nothing(emulator, clock, caplog):
    def broken(_):
        raise KeyError

    emulator.fail(status=500)
    async with session_on(clock, emulator.base_url, on_retry=broken, on_finish=broken) as session:
        await session.complete("Hi")

    assert [record.name for record in caplog.records] == ["aimlchat", "aimlchat"]


async def test_the_log_holds_no_content(emulator, clock, caplog):
    caplog.set_level(logging.DEBUG, "aimlchat")
    emulator.fail(status=500, message="cannot answer SECRET-QUESTION")
    emulator.reply("SECRET-ANSWER")
    async with session_on(clock, emulator.base_url) as session:
        await session.complete("SECRET-QUESTION")

    assert "ServerError 500" in caplog.text
    assert "complete" in caplog.text
    assert "SECRET" not in caplog.text
    assert "test-key" not in caplog.text


async def test_when_most_attempts_fail_nothing_is_retried(session, emulator):
    for _ in range(60):
        emulator.fail(status=500)

    counts = []
    for _ in range(10):
        with pytest.raises(ServerError) as caught:
            await session.complete("Hi")
        counts.append(len(caught.value.attempts))

    assert counts[:6] == [3] * 6
    assert set(counts[7:]) == {1}
    assert "most of this session's recent attempts" in caught.value.__notes__[0]


async def test_one_failure_in_four_is_always_retried(session, emulator):
    for _ in range(60):
        emulator.fail(status=500)
        completion = await session.complete("Hi")
        assert len(completion.attempts) == 2
        for _ in range(2):
            await session.complete("Hi")


async def test_an_error_after_retries_keeps_its_attempts_when_pickled(session, emulator):
    for _ in range(3):
        emulator.fail(status=503)

    with pytest.raises(ServerError) as caught:
        await session.complete("Hi")

    assert pickle.loads(pickle.dumps(caught.value)).attempts == caught.value.attempts

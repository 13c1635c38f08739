"""`stream_many`: the deltas of many streams, each with its index."""

import asyncio

import pytest
from clockwork import Clockwork, session_on
from delivery import HANG

from aimlchat import ChatSession, RetryPolicy

ONCE = RetryPolicy(attempts=1)


@pytest.fixture
async def session(emulator):
    async with session_on(Clockwork(), emulator.base_url) as opened:
        yield opened


async def collect(run, texts):
    async for index, delta in run:
        texts[index] = texts.get(index, "") + delta.text


async def test_the_deltas_of_each_stream_are_kept_separate(session, emulator):
    texts = {}
    async for index, delta in session.stream_many(["a", "b", "c"], concurrency=3):
        texts.setdefault(index, []).append(delta.text)

    assert sorted(texts) == [0, 1, 2]
    assert all("".join(pieces) for pieces in texts.values())


async def test_no_stream_keeps_another_waiting(emulator):
    for _ in range(4):
        emulator.reply(chunks=["word "] * 400)
    order = []
    async with ChatSession("test-key", base_url=emulator.base_url) as session:
        async for index, _ in session.stream_many("a b c d".split(), concurrency=4):
            order.append(index)
            await asyncio.sleep(0)

    last = {index: len(order) - 1 - order[::-1].index(index) for index in range(4)}
    assert min(last.values()) > len(order) * 0.7  # they end side by side


async def test_the_failure_of_one_stream_is_raised_after_the_others(session, emulator):
    emulator.reply("One")
    emulator.reply(events=[{"error": {"message": "No", "type": "invalid_request_error"}}])
    emulator.reply("Three")
    run = session.stream_many(["a", "b", "c"], concurrency=1, retry=ONCE)
    texts = {}
    with pytest.raises(Exception, match="No"):
        await collect(run, texts)

    assert texts == {0: "One", 2: "Three"}
    assert [run.outcomes[n].error is None for n in range(3)] == [True, False, True]


async def test_leaving_many_streams_closes_them_all(stalling_server):
    async with session_on(Clockwork(), stalling_server.base_url) as session:
        async with session.stream_many(["a"], concurrency=2) as run:
            await anext(run)
        await asyncio.wait_for(stalling_server.gone.wait(), HANG)

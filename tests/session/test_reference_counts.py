"""Streams, runs and errors are freed by reference counts, without the garbage collector."""

import asyncio
import weakref

import pytest
from clockwork import Clockwork, session_on
from delivery import run_pending
from raw_server import CHUNKED, content, http_chunk, serving

from aimlchat import AIMLChatError, ChatSession, RetryPolicy, ServerError

pytestmark = pytest.mark.usefixtures("gc_disabled")


async def complete(session):
    return await session.complete("Hi")


async def collect(session):
    return await session.stream("Hi").collect()


@pytest.mark.parametrize(
    "events", [[b"data: {junk\n\n"], [{"error": "no"}], [{"choices": [{"delta": {}}]}]]
)
async def test_a_stream_that_failed_is_freed(session, emulator, events):
    emulator.reply(events=events)
    stream = session.stream("Why?")
    with pytest.raises(AIMLChatError):
        await stream.collect()
    reference = weakref.ref(stream)
    del stream
    await asyncio.sleep(0)

    assert reference() is None


async def test_a_stream_that_was_retried_is_freed(aimlchat_emulator):
    emulator = aimlchat_emulator
    emulator.reply(events=[{"choices": [{"delta": {}}]}], done=False)
    async with session_on(Clockwork(), emulator.base_url) as session:
        stream = session.stream("Hi")
        await stream.collect()
        reference = weakref.ref(stream)
        del stream

        assert reference() is None


async def test_a_stream_that_ended_after_its_last_wait_is_freed():
    async def linger(reader, writer):
        writer.write(CHUNKED + http_chunk(content("Hello", '"stop"')))
        await reader.read()

    clock = Clockwork()
    async with serving(linger) as server, session_on(clock, server.base_url) as session:
        stream = session.stream("Hi")
        await anext(stream)
        end = asyncio.ensure_future(stream.collect())
        await asyncio.sleep(0)
        clock.advance(5)
        await end
        reference = weakref.ref(stream)
        del stream, end

        assert reference() is None


@pytest.mark.parametrize("call", [complete, collect])
async def test_the_error_of_a_call_is_freed(aimlchat_emulator, call):
    emulator = aimlchat_emulator
    retry = RetryPolicy(attempts=2)
    async with session_on(Clockwork(), emulator.base_url, retry=retry) as session:
        await session.complete("Hi")
        emulator.fail(status=503)
        emulator.fail(status=503)
        try:
            await call(session)
        except ServerError as error:
            reference = weakref.ref(error)

        assert reference() is None


@pytest.mark.parametrize("many", ["complete_many", "stream_many"])
async def test_a_run_of_many_calls_is_freed(emulator, many):
    ended = []

    def requests():
        try:
            for number in range(100):
                yield f"Question {number}"
        finally:
            ended.append(True)

    async with ChatSession("test-key", base_url=emulator.base_url) as session:
        run = getattr(session, many)(requests(), concurrency=2)
        await anext(run)
        await run.aclose()
        reference = weakref.ref(run._producer)
        del run
        await run_pending()

        assert reference() is None
        assert ended

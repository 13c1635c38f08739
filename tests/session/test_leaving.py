"""Leaving a stream or closing its session closes the connection at once."""

import asyncio
import contextlib

import aiohttp
import pytest
from clockwork import Clockwork, session_on
from delivery import HANG

from aimlchat import ChatSession, StreamInterruptedError
from aimlchat.emulator import Stall


async def by_break(session):
    async for _ in session.stream("Hi"):
        break


async def by_an_exception(session):
    with contextlib.suppress(KeyError):
        async with session.stream("Hi") as stream:
            await anext(stream)
            raise KeyError


async def by_aclose(session):
    stream = session.stream("Hi")
    await anext(stream)
    await stream.aclose()


async def by_cancelling(session):
    async def read():
        async with session.stream("Hi") as stream:
            read_one.set_result(await anext(stream))
            await anext(stream)

    read_one = asyncio.get_running_loop().create_future()
    task = asyncio.ensure_future(read())
    await read_one
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def by_dropping_the_stream(session):
    stream = session.stream("Hi")
    await anext(stream)
    del stream


async def by_dropping_a_view(session):
    view = session.stream("Hi").answer_text()
    await anext(view)
    del view


async def by_a_deadline_of_the_caller(session):
    stream = session.stream("Hi")
    await anext(stream)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await anext(stream)


@pytest.mark.parametrize(
    ("leave", "outcome"),
    [
        (by_break, "abandoned"),
        (by_an_exception, "abandoned"),
        (by_aclose, "abandoned"),
        (by_cancelling, "cancelled"),
        (by_dropping_the_stream, "abandoned"),
        (by_dropping_a_view, "abandoned"),
        (by_a_deadline_of_the_caller, "cancelled"),
    ],
)
async def test_leaving_closes_the_connection_at_once_and_is_reported(
    stalling_server, gc_disabled, leave, outcome
):
    records = []
    async with session_on(
        Clockwork(), stalling_server.base_url, on_finish=records.append
    ) as session:
        await leave(session)

        await asyncio.wait_for(stalling_server.gone.wait(), HANG)
        (record,) = records
        assert (record.outcome, record.deltas, record.error) == (outcome, 1, None)


async def test_leaving_before_the_first_token_closes_the_connection_at_once(pinging_server):
    async with session_on(Clockwork(), pinging_server.base_url) as session:
        async with session.stream("Hi"):
            pass

        await asyncio.wait_for(pinging_server.gone.wait(), HANG)


async def test_a_stream_still_referenced_after_break_is_closed_by_its_context(
    stalling_session, stalling_server
):

    async with stalling_session.stream("Count") as stream:
        async for _ in stream:
            break

    await stalling_server.gone.wait()
    assert stream.partial.text
    with pytest.raises(RuntimeError):
        _ = stream.completion


async def test_a_bare_break_closes_the_connection_by_reference_counts_alone(
    stalling_session, stalling_server, gc_disabled
):
    async for _ in stalling_session.stream("Count"):
        break
    await stalling_server.gone.wait()


async def test_a_view_that_is_dropped_closes_the_connection(stalling_session, stalling_server):

    async for _ in stalling_session.stream("Count").answer_text():
        break

    await stalling_server.gone.wait()


async def test_closing_from_another_task_ends_the_reader_with_an_error(
    stalling_session, stalling_server
):
    stream = stalling_session.stream("Count")
    await anext(stream)
    reader = asyncio.create_task(stream.collect())
    await asyncio.sleep(0)

    await stream.aclose()

    with pytest.raises(StreamInterruptedError):
        await reader
    await stalling_server.gone.wait()


async def test_closing_from_another_task_before_the_response_headers_closes_the_connection(
    silent_server,
):
    async with ChatSession("k", base_url=silent_server.base_url) as session:
        stream = session.stream("Why?")
        reader = asyncio.create_task(stream.collect())
        await silent_server.requested.wait()

        await stream.aclose()

        await silent_server.gone.wait()
        with pytest.raises(StreamInterruptedError):
            await reader


async def test_a_stream_that_another_task_closes_is_not_retried(pinging_server):
    async with session_on(Clockwork(), pinging_server.base_url) as session:
        stream = await session.stream("Hi").__aenter__()
        reading = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        await stream.aclose()
        with pytest.raises(StreamInterruptedError):
            await reading
        await asyncio.wait_for(pinging_server.gone.wait(), HANG)

    assert len(pinging_server.requests) == 1


# --- closing the session --------------------------------------------------------------------------


async def test_closing_the_session_ends_its_streams_with_an_error(
    stalling_session, stalling_server
):
    stream = stalling_session.stream("Count")
    await anext(stream)

    await stalling_session.close()

    with pytest.raises(StreamInterruptedError) as caught:
        await stream.collect()
    assert caught.value.partial.text == "One"


async def test_closing_the_session_ends_a_stream_on_a_borrowed_pool(stalling_server):
    async with aiohttp.ClientSession() as http:
        session = ChatSession("test-key", base_url=stalling_server.base_url, http=http)
        stream = session.stream("Hi")
        await anext(stream)
        reading = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        await session.close()

        with pytest.raises(StreamInterruptedError, match="closed"):
            await reading
        await asyncio.wait_for(stalling_server.gone.wait(), HANG)


async def test_closing_the_session_leaves_no_task_and_no_connection(aimlchat_emulator):
    emulator = aimlchat_emulator
    session = ChatSession("test-key", base_url=emulator.base_url)
    for _ in range(3):
        emulator.reply("One two three.", fault=Stall(after=1))
    streams = [session.stream("Hi") for _ in range(3)]
    await asyncio.gather(*(anext(stream) for stream in streams))
    await session.close()

    await asyncio.wait_for(emulator.no_connections(), HANG)
    assert asyncio.all_tasks() == {asyncio.current_task()}

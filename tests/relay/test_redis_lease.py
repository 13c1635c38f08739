"""The lease of an answer in Redis: when its process counts as dead, and when it does not."""

import asyncio

import pytest
from page_frames import last_type, text_of

from aimlchat.relay import BroadcastInterruptedError, Broadcasts, RedisStore

LEASE = 0.5  # seconds


@pytest.fixture
async def processes(redis_server, redis_client):
    """Two processes with a short lease."""
    async with (
        RedisStore(redis_server.url, lease=LEASE) as store,
        RedisStore(redis_server.url, lease=LEASE) as other_store,
        Broadcasts(store=store) as one,
        Broadcasts(store=other_store) as two,
    ):
        yield one, two


@pytest.fixture
async def answer(processes, upstream, upstream_session):
    """An answer that the first process generates, whose first text Redis has."""
    upstream.opening = ("One ",)
    started = await processes[0].start("chat", upstream_session.stream("Go"))
    async for event in started.sse_events():
        if b"One " in event:
            break
    return started


def pause(answer):
    """Let the process of an answer write nothing; return the event that lets it go on."""
    connection, go_on = answer._store._connection, asyncio.Event()
    run = connection.run

    async def wait_and_run(*args, **options):
        await go_on.wait()
        return await run(*args, **options)

    connection.run = wait_and_run
    return go_on


async def test_a_lease_that_ended_while_redis_was_away_does_not_end_the_answer(
    processes, redis_client, answer, upstream, make_page
):
    go_on = pause(answer)
    await redis_client.delete(answer._store.keys.lease)  # as time does, for a server that is down
    page = make_page()
    # Redis is back, and a process looks at the answer before its own one does.
    following = asyncio.create_task((await processes[1].follow("chat")).relay(page))
    await page.has_received("One ")
    go_on.set()
    await upstream.finish("two")
    await following

    assert text_of(page) == "One two"
    assert last_type(page) == "finish"


async def test_an_answer_can_be_stopped_although_its_lease_ended_while_redis_was_away(
    processes, redis_client, answer, make_page, event_timeout
):
    go_on = pause(answer)
    await redis_client.delete(answer._store.keys.lease)
    page = make_page()
    following = asyncio.create_task(answer.relay(page))
    assert await processes[1].stop("chat") is True
    go_on.set()
    async with event_timeout():
        await following

    assert last_type(page) == "abort"


async def test_a_process_that_was_considered_dead_ends_its_answer(
    processes, answer, make_page, caplog
):
    page, other_page = make_page(), make_page()
    following = asyncio.create_task(answer.relay(page))
    await page.has_received("One ")
    go_on = pause(answer)
    start = asyncio.get_running_loop().time()
    with pytest.raises(BroadcastInterruptedError):
        await (await processes[1].follow("chat")).relay(other_page)
    seconds = asyncio.get_running_loop().time() - start
    go_on.set()
    answer._store._changed.set()  # it writes, or renews its lease
    await following

    assert seconds < LEASE
    assert last_type(page) == last_type(other_page) == "error"
    assert "considered dead" in caplog.text

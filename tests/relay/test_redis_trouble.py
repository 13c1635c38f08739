"""`RedisStore` while Redis, or a request, does at the same time what it should not."""

import asyncio

import pytest
from page_frames import last_type, text_of

from aimlchat.relay import BroadcastInterruptedError, Broadcasts, RedisStore, redis_store


@pytest.fixture
def processes(one, two):
    return one, two


async def make_full(client, *, is_full):
    await client.config_set("maxmemory", "1" if is_full else "0")


async def make_replica(client, *, is_full):
    await client.execute_command("REPLICAOF", *(["127.0.0.1", "9"] if is_full else ["NO", "ONE"]))


async def lose_replicas(client, *, is_full):
    await client.config_set("min-replicas-to-write", "1" if is_full else "0")


@pytest.fixture(params=[make_full, make_replica, lose_replicas])
async def refuse(request, redis_client):
    """Let Redis refuse to write, or write again."""
    yield lambda *, is_full: request.param(redis_client, is_full=is_full)
    await request.param(redis_client, is_full=False)


async def test_an_answer_goes_on_after_redis_refused_to_write_for_a_moment(
    processes, upstream, upstream_session, make_page, refuse
):
    one, two = processes
    upstream.opening = ("One ",)
    page, other_page = make_page(), make_page()
    answer = await one.start("chat", upstream_session.stream("Go"))
    other = await two.follow("chat")
    relays = asyncio.gather(answer.relay(page), other.relay(other_page))
    await asyncio.gather(page.has_received("One "), other_page.has_received("One "))

    await refuse(is_full=True)
    await upstream.finish("two")
    await asyncio.sleep(0.05)  # the frames are refused
    assert last_type(page) != "finish"
    await refuse(is_full=False)
    await relays

    assert text_of(page) == text_of(other_page) == "One two"


async def test_a_redis_that_refuses_to_write_for_too_long_ends_the_answer(
    redis_server, redis_client, stalling_session, refuse
):
    await refuse(is_full=True)
    async with (
        RedisStore(redis_server.url, retry_for=0.05) as store,
        Broadcasts(store=store) as one,
    ):
        with pytest.raises(BroadcastInterruptedError, match="refused"):
            await one.start("chat", stalling_session.stream("Go"))


async def test_a_request_to_stop_does_not_wait_long_for_a_redis_that_refuses(
    one, two, stalling_session, refuse, monkeypatch
):
    monkeypatch.setattr(redis_store, "_REQUEST_RETRY_SECONDS", 0.05)
    await one.start("chat", stalling_session.stream("Go"))
    await refuse(is_full=True)

    with pytest.raises(BroadcastInterruptedError, match="refused"):
        await asyncio.wait_for(two.stop("chat"), 5)


async def test_a_slow_redis_does_not_make_an_answer_disappear(
    one, redis_server, upstream, upstream_session, make_page
):
    upstream.opening = ("One ",)
    page = make_page()
    await one.start("chat", upstream_session.stream("Go"))
    async with RedisStore(redis_server.url) as store, Broadcasts(store=store, grace=0.01) as two:
        run = store._connection.run

        async def run_slowly(*args, **options):
            await asyncio.sleep(0.1)  # longer than the grace period
            return await run(*args, **options)

        store._connection.run = run_slowly
        following = asyncio.create_task((await two.follow("chat")).relay(page))
        await upstream.finish("two")
        await following

    assert text_of(page) == "One two"


async def test_a_command_that_redis_never_takes_is_not_repeated(redis_server, redis_client):
    async with RedisStore(redis_server.url) as store:
        await redis_client.lpush("list", "x")
        with pytest.raises(BroadcastInterruptedError, match="WRONGTYPE"):
            await asyncio.wait_for(store._connection.read_text("list"), 5)


async def test_a_silence_longer_than_the_time_to_live_keeps_the_answer(
    redis_server, upstream, upstream_session, make_page, caplog
):
    upstream.opening = ("One ",)
    page = make_page()
    async with (
        RedisStore(redis_server.url, ttl=0.05, lease=1) as store,
        Broadcasts(store=store) as one,
    ):
        answer = await one.start("chat", upstream_session.stream("Go"))
        following = asyncio.create_task(answer.relay(page))
        await page.has_received("One ")
        await asyncio.sleep(0.1)
        await upstream.finish("two")
        await following

    assert last_type(page) == "finish"
    assert caplog.text == ""  # Redis has lost nothing


async def test_a_replaced_answer_ends_with_abort_although_it_is_being_written(
    processes, emulator, session, make_page, caplog
):
    one, two = processes
    pages = [make_page() for _ in range(8)]
    relays = []
    for number, page in enumerate(pages):
        emulator.reply(chunks=["x"] * 2000, pace=0.0005)
        answer = await processes[number % 2].start("chat", session.stream("Go"))
        relays.append(asyncio.create_task(answer.relay(page)))
        await page.has_received("x")
    await one.stop("chat")
    await two.stop("chat")
    await asyncio.gather(*relays)

    assert {last_type(page) for page in pages} == {"abort"}
    assert caplog.text == ""


async def test_a_page_that_joins_while_the_grace_period_ends_keeps_the_answer(
    redis_server, redis_client, upstream, upstream_session, make_page
):
    upstream.opening = ("One ",)
    async with RedisStore(redis_server.url) as store, Broadcasts(store=store, grace=0.01) as one:
        answer = await one.start("chat", upstream_session.stream("Go"))
        read_text, is_asked, go_on = store._connection.read_text, asyncio.Event(), asyncio.Event()

        async def read_slowly(*args):
            is_asked.set()
            await go_on.wait()
            return await read_text(*args)

        store._connection.read_text = read_slowly
        await is_asked.wait()  # whether pages of other processes follow
        page = make_page()
        following = asyncio.create_task(answer.relay(page))
        await page.has_received("One ")
        go_on.set()
        await answer._check
        await upstream.finish("two")
        await following

    assert last_type(page) == "finish"


async def test_a_follower_whose_reading_failed_does_not_keep_others_from_the_answer(
    one, two, upstream, upstream_session, make_page
):
    upstream.opening = ("One ",)
    await one.start("chat", upstream_session.stream("Go"))
    page, later_page = make_page(), make_page()
    connection = two._store._connection
    run = connection.run

    async def fail(*_, **__):
        raise BroadcastInterruptedError

    connection.run = fail
    with pytest.raises(BroadcastInterruptedError):
        await (await two.follow("chat")).relay(page)
    connection.run = run
    following = asyncio.create_task((await two.follow("chat", only_live=True)).relay(later_page))
    await upstream.finish("two")
    await following

    assert last_type(page) == "error"
    assert text_of(later_page) == "One two"


async def test_the_process_of_an_answer_resumes_and_stops_it_although_redis_is_away(
    one, upstream, upstream_session, make_page, event_timeout
):
    upstream.opening = ("One ",)
    await one.start("chat", upstream_session.stream("Go"))
    first, again = make_page(), make_page()
    following = asyncio.create_task((await one.follow("chat")).relay(first))
    await first.has_received("One ")

    async def fail(*_, **__):
        raise BroadcastInterruptedError

    connection = one._store._connection
    connection.read_text, read_text = fail, connection.read_text
    following_again = asyncio.create_task((await one.follow("chat")).relay(again))
    await again.has_received("One ")
    assert await one.stop("chat") is True
    async with event_timeout():
        await asyncio.gather(following, following_again, upstream.closed.wait())
    with pytest.raises(BroadcastInterruptedError):
        await one.follow("chat")
    connection.read_text = read_text


async def test_a_message_that_is_not_ours_does_not_end_the_subscription(
    processes, redis_client, upstream, upstream_session, make_page
):
    one, two = processes
    upstream.opening = ("One ",)
    page = make_page()
    answer = await one.start("chat", upstream_session.stream("Go"))
    following = asyncio.create_task((await two.follow("chat")).relay(page))
    await page.has_received("One ")

    while not await redis_client.publish(answer._store.keys.stream, b"\xff"):  # noqa: ASYNC110
        await asyncio.sleep(0.001)  # it has not subscribed yet
    await upstream.finish("two")
    await following

    assert text_of(page) == "One two"
    assert not two._store._connection.subscriptions._task.done()


async def test_what_cannot_be_read_as_extra_frames_leaves_the_earlier_answer(
    one, redis_client, stalling_session
):
    answer = await one.start("chat", stalling_session.stream("Go"))
    chat_key = answer._store.keys.chat
    current = await redis_client.get(chat_key)
    with pytest.raises(TypeError, match="extra"):
        await one.start("chat", stalling_session.stream("Go"), extra=5)
    assert await redis_client.get(chat_key) == current


async def test_an_answer_that_begins_while_the_broadcasts_are_closed_does_not_begin(
    redis_server, redis_client, emulator, session
):
    async with RedisStore(redis_server.url) as store:
        broadcasts = Broadcasts(store=store)
        starting = asyncio.create_task(broadcasts.start("chat", session.stream("Go")))
        await asyncio.sleep(0)  # it waits for Redis
        await broadcasts.aclose()
        with pytest.raises(RuntimeError, match="closed"):
            await starting

    assert emulator.requests == []

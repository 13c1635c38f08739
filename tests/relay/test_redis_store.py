"""`RedisStore`: broadcasts that other processes follow; each process is a store of its own here."""

import asyncio
import subprocess
import sys

import pytest
import redis.asyncio
from page_frames import last_type, text_of

from aimlchat import ConfigurationError
from aimlchat.relay import (
    Broadcast,
    BroadcastInterruptedError,
    Broadcasts,
    BroadcastTooLargeError,
    RedisStore,
)
from aimlchat.relay.redis_connection import RedisConnection


def wait_first(function):
    """Return a function that waits for an event before each call, and the event."""
    go_on = asyncio.Event()

    async def call(*args, **options):
        await go_on.wait()
        return await function(*args, **options)

    return call, go_on


async def test_another_process_follows_with_the_same_numbers(
    one, two, emulator, session, make_page
):
    emulator.reply(chunks=["One ", "two ", "three"], reasoning="Hm.", pace=0.01)
    page, other_page = make_page(), make_page()

    answer = await one.start("chat", session.stream("Go"))
    other = await two.follow("chat")
    own, copied = await asyncio.gather(answer.relay(page), other.relay(other_page))

    assert page.frames[-1] == other_page.frames[-1]
    assert text_of(other_page) == text_of(page) == "One two three"
    assert copied.choices[0].text == own.text
    assert (copied.reasoning, copied.finish_reason) == (own.reasoning, own.finish_reason)
    assert copied.is_complete


@pytest.mark.parametrize("received", range(10))
async def test_a_page_that_changes_the_process_misses_nothing_and_gets_nothing_twice(
    one, two, session, make_page, received
):
    page, again = make_page(disconnects_after=received), make_page()
    await (await one.start("chat", session.stream("Go"))).relay(page)

    after = page.frames[-1]["number"] if page.frames else 0
    await (await two.follow("chat")).relay(again, after=after)

    frames = page.frames + again.frames
    assert [frame["type"] for frame in frames].count("start") == 1
    whole = make_page()
    await (await two.follow("chat")).relay(whole)
    assert "".join(frame.get("delta", "") for frame in frames) == "".join(
        frame.get("delta", "") for frame in whole.frames
    )


async def test_the_processes_agree_on_what_has_ended(one, two, emulator, session, make_page):
    emulator.reply("Blue.")
    page = make_page()
    await (await one.start("chat", session.stream("Go"))).relay(page)

    assert await two.follow("chat", only_live=True) is None
    assert await two.stop("chat") is False
    late = make_page()
    await (await two.follow("chat")).relay(late)
    assert text_of(late) == "Blue."
    assert await two.follow("another chat") is None


async def test_another_process_stops_an_answer(
    one, two, stalling_session, make_page, event_timeout
):
    page, other_page = make_page(), make_page()
    answer = await one.start("chat", stalling_session.stream("Go"))
    other = await two.follow("chat")
    relays = asyncio.gather(answer.relay(page), other.relay(other_page))
    await other_page.has_received("One")

    assert await two.stop("chat") is True
    async with event_timeout():
        own, copied = await relays

    assert last_type(page) == last_type(other_page) == "abort"
    assert (own.is_complete, copied.is_complete) == (False, False)


async def test_a_stop_before_the_subscription_of_the_process_is_not_lost(
    one, two, stalling_session, make_page, event_timeout
):
    page = make_page()
    answer = await one.start("chat", stalling_session.stream("Go"))
    assert await two.stop("chat") is True

    async with event_timeout():
        await answer.relay(page)
    assert last_type(page) == "abort"


async def test_a_new_answer_elsewhere_closes_the_one_before_in_all_processes(
    one, two, stalling_session, session, make_page
):
    page, other_page, new_page = make_page(), make_page(), make_page()
    old = await one.start("chat", stalling_session.stream("Go"))
    old_elsewhere = await two.follow("chat")
    relays = asyncio.gather(old.relay(page), old_elsewhere.relay(other_page))
    await asyncio.gather(page.has_received("One"), other_page.has_received("One"))

    await two.start("chat", session.stream("Go"))
    await relays
    await (await one.follow("chat")).relay(new_page)

    assert last_type(page) == last_type(other_page) == "abort"
    assert text_of(page) == text_of(other_page) == "One"
    assert text_of(new_page)


async def test_a_page_of_an_earlier_answer_gets_all_of_the_new_one_from_any_process(
    one, two, emulator, session, make_page
):
    after = 0
    for count, process in ((5, one), (60, two), (90, one)):
        emulator.reply(chunks=["x"] * count, pace=0.001)
        answer = await process.start("chat", session.stream("Go"))
        pages = [make_page() for _ in range(3)]
        relays = [answer.relay(pages[0])]
        for page, follower in zip(pages[1:], (one, two), strict=True):
            relays.append((await follower.follow("chat")).relay(page, after=after))
        await asyncio.gather(*relays)
        again = make_page()
        await (await two.follow("chat")).relay(again, after=after)

        for page in (*pages, again):
            assert page.frames[0]["type"] == "start"
            assert text_of(page) == "x" * count
        after = pages[0].frames[-1]["number"]


async def test_an_answer_whose_process_died_before_its_first_frame_is_closed(
    redis_server, redis_client, make_page, event_timeout
):
    async with RedisStore(redis_server.url, lease=0.2) as store, Broadcasts(store=store) as two:
        await store._begin_answer("chat")  # by a process that is killed now
        page, loop = make_page(), asyncio.get_running_loop()
        start = loop.time()
        async with event_timeout():
            with pytest.raises(BroadcastInterruptedError):
                await (await two.follow("chat")).relay(page)

        assert loop.time() - start < 0.2
        assert page.frames[0]["data"] == {"code": "interrupted"}
        assert last_type(page) == "error"
        assert await two.follow("chat", only_live=True) is None


async def test_what_failed_in_another_process_is_an_error_here(
    one, two, emulator, session, make_page
):
    emulator.fail(status=500)
    page = make_page()
    await one.start("chat", session.stream("Go"))

    with pytest.raises(BroadcastInterruptedError, match="provider has a problem") as caught:
        await (await two.follow("chat")).relay(page)

    assert caught.value.partial.text == ""
    assert page.frames[-2]["data"] == {"code": "provider"}


async def test_an_answer_that_only_another_process_follows_is_kept(
    redis_server, redis_client, two, stalling_session, make_page
):
    async with (
        RedisStore(redis_server.url) as store,
        Broadcasts(store=store, grace=0.05) as one,
    ):
        page = make_page()
        answer = await one.start("chat", stalling_session.stream("Go"))
        following = asyncio.create_task((await two.follow("chat")).relay(page))
        await page.has_received("One")
        await asyncio.sleep(0.2)  # several times the grace period
        assert answer.is_live
        await two.stop("chat")
        await following


async def test_an_answer_that_no_process_follows_is_stopped(
    redis_server, redis_client, two, stalling_session, make_page
):
    async with RedisStore(redis_server.url) as store, Broadcasts(store=store, grace=0.01) as one:
        answer = await one.start("chat", stalling_session.stream("Go"))
        await answer.wait()
        page = make_page()
        await (await two.follow("chat")).relay(page)

    assert last_type(page) == "abort"


async def test_everything_expires(redis_server, redis_client, emulator, session, make_page):
    emulator.reply("Blue.")
    async with RedisStore(redis_server.url, ttl=50) as store, Broadcasts(store=store) as one:
        answer = await one.start("chat", session.stream("Go"))
        await answer.relay(make_page())
        await (await one.follow("chat")).relay(make_page())
        await one.stop("chat")
        lives = [await redis_client.pttl(key) for key in await redis_client.keys("*")]

    assert len(lives) >= 2
    assert all(0 < life <= 50_000 for life in lives)


async def test_frames_that_wait_are_written_in_one_command(redis_server, redis_client):
    async with RedisStore(redis_server.url) as store:
        answer = await store._begin_answer("chat")
        await redis_client.config_resetstat()
        for _ in range(500):
            await answer.append([{"type": "text-delta", "id": "text-1", "delta": "x"}])
        await answer.end([{"type": "finish"}])
        stats = await redis_client.info("commandstats")

    assert await redis_client.xlen(answer.keys.stream) == 501
    assert stats["cmdstat_evalsha"]["calls"] < 5


async def test_a_command_whose_reply_was_lost_is_repeated_without_a_double(
    one, redis_client, session, make_page, monkeypatch
):
    run = RedisConnection.run

    async def run_twice(*args, **options):
        await run(*args, **options)
        return await run(*args, **options)

    monkeypatch.setattr(RedisConnection, "run", run_twice)
    page = make_page()
    answer = await one.start("chat", session.stream("Go"))
    await answer.relay(page)

    assert last_type(page) == "finish"
    assert await redis_client.xlen(answer._store.keys.stream) == page.frames[-1]["number"]


@pytest.mark.parametrize("options", [{"decode_responses": True}, {"protocol": 3}, {}])
async def test_a_client_of_ones_own_works_and_is_not_closed(
    redis_server, emulator, session, make_page, options
):
    emulator.reply("Blue.")
    async with redis.asyncio.from_url(redis_server.url, **options) as client:
        await client.flushall()
        async with (
            RedisStore(client) as store,
            RedisStore(client) as other,
            Broadcasts(store=store) as one,
            Broadcasts(store=other) as two,
        ):
            page = make_page()
            await one.start("ch}a{t/ü\ud800", session.stream("Go"))
            await (await two.follow("ch}a{t/ü\ud800")).relay(page)
        assert await client.ping()

    assert text_of(page) == "Blue."


async def test_a_single_broadcast_takes_the_store_too(
    redis_server, redis_client, emulator, session, make_page
):
    emulator.reply("One")
    emulator.reply("Two")
    async with RedisStore(redis_server.url) as store:
        pages = make_page(), make_page()
        for page in pages:
            broadcast = Broadcast(session.stream("Go"), store=store)
            await broadcast.relay(page)
            await broadcast.aclose()

    assert [text_of(page) for page in pages] == ["One", "Two"]


async def test_an_answer_larger_than_the_limit_ends_with_an_error(
    redis_server, redis_client, emulator, session, make_page
):
    emulator.reply(chunks=["x" * 2000, "y"], pace=0.01)
    async with RedisStore(redis_server.url, max_size=1000) as store:
        broadcast, page = Broadcast(session.stream("Go"), store=store), make_page()
        with pytest.raises(BroadcastTooLargeError, match=r"RedisStore\(max_size"):
            await broadcast.relay(page)
        await broadcast.aclose()

    assert page.frames[-2]["data"] == {"code": "too_large"}


async def test_an_answer_that_redis_has_lost_ends_with_an_error(
    one, redis_client, stalling_session, make_page, caplog
):
    page = make_page()
    answer = await one.start("chat", stalling_session.stream("Go"))
    following = asyncio.create_task(answer.relay(page))
    await page.has_received("One")
    await redis_client.flushall()
    answer._store._changed.set()  # the lease is renewed
    await following

    assert last_type(page) == "error"
    assert "lost its data" in caplog.text


async def test_a_redis_that_cannot_be_reached_is_named(session, emulator):
    async with RedisStore("redis://127.0.0.1:9", retry_for=0.05) as store:
        broadcasts = Broadcasts(store=store)
        with pytest.raises(BroadcastInterruptedError, match="could not be reached"):
            await broadcasts.start("chat", session.stream("Go"))
        with pytest.raises(BroadcastInterruptedError, match="could not be reached"):
            await broadcasts.follow("chat")
        await broadcasts.aclose()

    assert emulator.requests == []


async def test_what_cannot_be_a_store_is_refused_at_once(monkeypatch):
    with pytest.raises(ConfigurationError, match="redis://"):
        RedisStore("http://secret@host")
    with pytest.raises(TypeError, match=r"redis\.client\.Redis"):
        RedisStore(redis.Redis())
    with pytest.raises(ConfigurationError, match="ttl"):
        RedisStore("redis://host", ttl=0)
    with pytest.raises(TypeError, match="RedisStore"):
        Broadcasts(store=object())
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(ConfigurationError, match="pip install"):
        RedisStore("redis://host")


def test_importing_the_relay_does_not_load_redis():
    code = "import sys, aimlchat.relay; print('redis' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"

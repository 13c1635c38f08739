"""When a `Broadcast` is over: its grace period, `aclose`, and the hook `on_over`."""

import asyncio
import logging

import aiohttp
import attrs
import pytest

from aimlchat.relay import Broadcast, sse_response


@attrs.define(eq=False)
class GraceTimer:
    delay: float
    expire: object
    is_cancelled: bool = False

    def cancel(self):
        self.is_cancelled = True


@pytest.fixture
async def grace_timers(monkeypatch):
    """The timers of grace periods that have been started; they expire only when a test says so."""
    loop, timers = asyncio.get_running_loop(), []
    call_later = loop.call_later

    def call_later_or_keep(delay, callback, *arguments, **options):
        if getattr(callback, "__func__", None) is not Broadcast._expire:
            return call_later(delay, callback, *arguments, **options)
        timers.append(GraceTimer(delay, callback))
        return timers[-1]

    monkeypatch.setattr(loop, "call_later", call_later_or_keep)
    return timers


async def test_the_call_is_closed_when_no_page_follows_for_the_grace_period(
    upstream, upstream_session, make_page, grace_timers, event_timeout
):
    upstream.opening = ("One",)
    ended = asyncio.Event()
    broadcast = Broadcast(upstream_session.stream("Go"), grace=7, on_over=ended.set)

    await broadcast.relay(make_page(disconnects_after=2))
    assert broadcast.is_live
    assert (grace_timers[-1].delay, grace_timers[-1].is_cancelled) == (7, False)
    grace_timers[-1].expire()
    async with event_timeout():
        await upstream.closed.wait()

    assert broadcast.is_over
    assert ended.is_set()
    with pytest.raises(RuntimeError, match="is over"):
        await broadcast.relay(make_page())
    with pytest.raises(RuntimeError, match="is over"):
        broadcast.sse_events()


async def test_a_page_that_joins_within_the_grace_period_keeps_the_call(
    upstream, upstream_session, make_page, grace_timers
):
    upstream.opening = ("One",)
    broadcast, page = Broadcast(upstream_session.stream("Go")), make_page()

    await broadcast.relay(make_page(disconnects_after=2))
    following = asyncio.create_task(broadcast.relay(page))
    await page.has_received("One")

    assert all(timer.is_cancelled for timer in grace_timers)
    assert broadcast.is_live
    assert not broadcast.is_over
    await broadcast.aclose()
    assert (await following).text == "One"
    assert page.frames[-1]["type"] == "abort"


async def test_the_grace_period_restarts_at_the_end_of_the_stream(
    upstream, upstream_session, make_page, grace_timers
):
    over = []
    broadcast = Broadcast(upstream_session.stream("Go"), grace=7, on_over=lambda: over.append(1))

    broadcast.start()
    (from_start,) = grace_timers
    await upstream.finish("One")
    while broadcast.is_live:  # noqa: ASYNC110 - a broadcast without pages has no event for it
        await asyncio.sleep(0)
    await asyncio.sleep(0)  # the callbacks of its task run in the next turn of the loop
    _, from_end = grace_timers

    assert from_start.is_cancelled
    assert (from_end.delay, from_end.is_cancelled) == (7, False)
    assert over == []
    from_end.expire()
    assert over == [1]
    with pytest.raises(RuntimeError, match="is over"):
        await broadcast.relay(make_page())


async def test_the_grace_period_passes_in_real_time(
    upstream, upstream_session, make_page, event_timeout
):
    ended = asyncio.Event()
    broadcast = Broadcast(upstream_session.stream("Go"), grace=0.01, on_over=ended.set)

    await broadcast.relay(make_page(disconnects_after=0))
    async with event_timeout():
        await ended.wait()

    assert broadcast.is_over


async def test_closing_a_broadcast_that_never_started_sends_nothing(session, emulator):
    over = []
    broadcast = Broadcast(session.stream("Go"), on_over=lambda: over.append(1))

    await broadcast.aclose()
    await broadcast.aclose()

    assert (over, emulator.requests) == ([1], [])


async def test_an_error_in_the_hook_is_logged(session, caplog):
    broadcast = Broadcast(session.stream("Go"), on_over={}.popitem)

    await broadcast.aclose()

    assert [record.levelno for record in caplog.records] == [logging.ERROR]


@pytest.mark.parametrize("end", [Broadcast.stop, Broadcast.aclose])
async def test_every_page_is_sent_abort_although_the_end_is_cancelled_at_once(
    upstream, upstream_session, make_page, event_timeout, end
):
    upstream.opening = ("One",)
    broadcast, page = Broadcast(upstream_session.stream("Go")), make_page()
    following = asyncio.create_task(broadcast.relay(page))
    await page.has_received("One")

    # So does a page that sends "stop" and disconnects.
    ending = asyncio.create_task(end(broadcast))
    await asyncio.sleep(0)
    ending.cancel()

    async with event_timeout():
        assert (await following).text == "One"
        await upstream.closed.wait()
    assert page.frames[-1]["type"] == "abort"
    assert broadcast.is_over is (end is Broadcast.aclose)


async def test_two_pages_that_stop_an_answer_at_once_are_sent_one_abort(
    upstream, upstream_session, make_page
):
    upstream.opening = ("One",)
    broadcast, page, late_page = Broadcast(upstream_session.stream("Go")), make_page(), make_page()
    following = asyncio.create_task(broadcast.relay(page))
    await page.has_received("One")

    await asyncio.gather(broadcast.stop(), broadcast.stop())

    await following
    await broadcast.relay(late_page)
    for frames in (page.frames, late_page.frames):
        assert [frame["type"] for frame in frames].count("abort") == 1


async def test_stopping_several_times_at_once_sends_one_abort(
    upstream, upstream_session, make_page
):
    broadcast, page = Broadcast(upstream_session.stream("Go")), make_page()
    relaying = asyncio.create_task(broadcast.relay(page))
    await upstream.send("One")
    await page.has_received("One")
    await asyncio.gather(*(broadcast.stop() for _ in range(3)))
    await relaying
    await broadcast.stop()

    assert [frame["type"] for frame in page.frames].count("abort") == 1
    await broadcast.aclose()


@pytest.mark.parametrize("after", [10_000, 10**30])
async def test_a_page_with_a_number_of_another_answer_gets_all_of_this_one(
    emulator, session, make_page, after
):
    emulator.reply("Blue.")
    broadcast, first, second = Broadcast(session.stream("Go")), make_page(), make_page()
    await broadcast.relay(first, after=after)  # while the answer is written
    await broadcast.relay(second, after=after)  # and after its end

    assert first.frames[-1]["type"] == "finish"
    assert second.frames[0]["type"] == "start"
    assert "Blue." in str(second.frames)
    await broadcast.aclose()


async def test_a_last_event_id_of_any_length_is_no_error(aiohttp_server, emulator, session):
    emulator.reply("Blue.")
    broadcast = Broadcast(session.stream("Go"))
    async with (
        aiohttp_server({"/": broadcast.sse_response}) as host,
        aiohttp.ClientSession() as client,
        client.get(f"http://{host}/", headers={"Last-Event-ID": "9" * 5000}) as response,
    ):
        assert response.status == 200
        assert '"type":"finish"' in await response.text()
    await broadcast.aclose()


async def test_a_failure_behind_events_is_logged_without_its_message(
    aiohttp_server, emulator, session, caplog
):
    async def handle(request):
        return await sse_response(request, session.stream("Go"))

    emulator.fail(status=400, message="You wrote: my diary")
    async with (
        aiohttp_server({"/": handle}) as host,
        aiohttp.ClientSession() as client,
        client.get(f"http://{host}/") as response,
    ):
        await response.text()
    [line] = [record.getMessage() for record in caplog.records if record.name == "aimlchat"]
    assert line.startswith("an answer to a page failed: BadRequestError 400, inference ")

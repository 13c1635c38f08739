"""A page is written to at once as long as it takes frames, and at its own pace otherwise."""

import asyncio

import pytest
from virtual_time import run_in_virtual_time

from aimlchat.relay.encoding import HEARTBEAT_FRAMES, EncodedFrames
from aimlchat.relay.errors import PageGoneError, PageTooSlowError
from aimlchat.relay.first_step import run_first_step
from aimlchat.relay.frame_log import FrameLog, LogCursor
from aimlchat.relay.page import Page


def word(text):
    return {"type": "text-delta", "id": "text-1", "delta": text}


class Connection:
    """Takes frames at once, until ``takes`` is cleared."""

    def __init__(self) -> None:
        self.writes = []
        self.takes = asyncio.Event()
        self.takes.set()

    def write(self, frames):
        self.writes.append(frames)
        return None if self.takes.is_set() else self.takes.wait


async def follow(log, connection, *, position=0, **options):
    page = Page(
        LogCursor(log, position), connection, **({"heartbeat": None, "patience": None} | options)
    )
    log.follow(page)
    await asyncio.sleep(0)
    return page


async def test_a_frame_is_encoded_once_for_all_pages():
    log, connections = FrameLog(), [Connection() for _ in range(3)]
    for connection in connections:
        await follow(log, connection)

    log.add([word("One")])
    await asyncio.sleep(0)

    one, two, three = (connection.writes for connection in connections)
    assert one == two == three
    assert one[0].messages == [b'{"type":"text-delta","id":"text-1","delta":"One","number":1}']
    assert one[0].messages is one[0].messages


async def test_frames_of_one_pass_of_the_loop_are_joined():
    log, connection = FrameLog(), Connection()
    await follow(log, connection)

    log.add([word("One ")])
    log.add([word("two")])
    await asyncio.sleep(0)

    assert [frames.messages for frames in connection.writes] == [
        [b'{"type":"text-delta","id":"text-1","delta":"One two","number":2}']
    ]


async def test_short_frames_go_in_one_write_with_the_frame_behind_them():
    log, connection = FrameLog(), Connection()
    page = await follow(log, connection)
    tool_call = {"type": "tool-input-available", "toolCallId": "c"}

    log.add([{"type": "start"}, {"type": "start-step"}, {"type": "text-start"}, word("One")])
    log.end([{"type": "text-end"}, tool_call, {"type": "finish-step"}, {"type": "finish"}])
    await page.ended

    assert [len(frames.messages) for frames in connection.writes] == [4, 2, 2]
    assert [frames.number for frames in connection.writes] == [4, 6, 8]


async def test_a_page_that_joins_between_two_joined_deltas_gets_each_once():
    log, early, late = FrameLog(), Connection(), Connection()
    await follow(log, early)

    log.add([word("One ")])
    page = Page(LogCursor(log, 0), late, heartbeat=None, patience=None)
    log.follow(page)
    log.add([word("two")])
    await asyncio.sleep(0)

    assert [frames.number for frames in early.writes] == [2]
    assert [frames.number for frames in late.writes] == [1, 2]


async def test_a_page_that_joins_after_all_have_left_misses_nothing():
    log, connection = FrameLog(), Connection()
    early = Page(LogCursor(log, 0), Connection(), heartbeat=None, patience=None)
    log.follow(early)
    log.add([word("One ")])
    log.unfollow(early)
    log.add([word("two ")])
    late = Page(LogCursor(log, 1), connection, heartbeat=None, patience=None)
    log.follow(late)
    log.add([word("three")])
    await asyncio.sleep(0)

    assert [frames.number for frames in connection.writes] == [2, 3]


async def test_no_task_runs_for_a_page_that_takes_its_frames():
    log, connection = FrameLog(), Connection()
    await follow(log, connection)
    tasks = asyncio.all_tasks()

    log.add([word("One")])
    await asyncio.sleep(0)

    assert asyncio.all_tasks() == tasks


async def test_a_page_that_was_stuck_gets_what_it_has_missed_in_one_frame():
    log, connection = FrameLog(), Connection()
    page = await follow(log, connection)
    connection.takes.clear()

    for text in ("One ", "two ", "three"):
        log.add([word(text)])
        await asyncio.sleep(0)
    log.end([{"type": "finish"}])
    connection.takes.set()
    await page.ended

    assert [frames.number for frames in connection.writes] == [1, 3, 4]


async def test_the_delivery_ends_after_the_last_frame():
    log, connection = FrameLog(), Connection()
    page = await follow(log, connection)

    log.end([{"type": "finish"}])
    await page.ended

    assert [frames.number for frames in connection.writes] == [1]


def test_a_page_whose_patience_is_over_is_given_up():
    async def run():
        log, connection = FrameLog(), Connection()
        page = await follow(log, connection, heartbeat=15, patience=20)
        connection.takes.clear()
        log.add([word("One")])
        start = asyncio.get_running_loop().time()

        with pytest.raises(PageTooSlowError):
            await page.ended

        assert asyncio.get_running_loop().time() - start == pytest.approx(20, abs=0.1)

    run_in_virtual_time(run(), has_sockets=False)


def test_heartbeats_go_on_after_a_page_was_stuck():
    async def run():
        log, connection = FrameLog(), Connection()
        await follow(log, connection, heartbeat=10, patience=60)
        connection.takes.clear()
        log.add([word("One")])
        await asyncio.sleep(25)
        connection.takes.set()
        await asyncio.sleep(21)

        kinds = [frames.events == HEARTBEAT_FRAMES.events for frames in connection.writes]
        assert kinds[0] is False
        assert sum(kinds) >= 2

    run_in_virtual_time(run(), has_sockets=False)


def test_a_page_that_has_gone_is_noticed_within_a_tenth_of_a_second():
    async def run():
        log, connection, gone = FrameLog(), Connection(), asyncio.Event()
        page = await follow(log, connection, is_gone=gone.is_set)
        await asyncio.sleep(1)
        gone.set()
        start = asyncio.get_running_loop().time()

        with pytest.raises(PageGoneError):
            await page.ended

        assert asyncio.get_running_loop().time() - start < 0.1

    run_in_virtual_time(run(), has_sockets=False)


class Gone:
    """Whether a page has gone; counts how often that is looked at."""

    def __init__(self) -> None:
        self.since = None
        self.looks = 0

    def set(self):
        self.since = asyncio.get_running_loop().time()

    def __call__(self):
        self.looks += 1
        return self.since is not None


async def stream_words(log, count):
    for _ in range(count):
        log.add([word("One")])
        await asyncio.sleep(0.03)


def test_a_write_spares_a_look_at_the_connection_and_its_pause_does_not():
    async def run():
        log, gone = FrameLog(), Gone()
        page = await follow(log, Connection(), is_gone=gone)

        await stream_words(log, 20)
        assert gone.looks == 0
        gone.set()
        with pytest.raises(PageGoneError):
            await page.ended

        assert asyncio.get_running_loop().time() - gone.since < 0.1

    run_in_virtual_time(run(), has_sockets=False)


def test_a_stuck_page_that_has_gone_is_noticed_while_others_are_written_to():
    async def run():
        log, connection, gone = FrameLog(), Connection(), Gone()
        page = await follow(log, connection, is_gone=gone)
        await follow(log, Connection(), is_gone=Gone())
        connection.takes.clear()
        await stream_words(log, 5)
        gone.set()
        streaming = asyncio.create_task(stream_words(log, 10))

        with pytest.raises(PageGoneError):
            await page.ended

        assert asyncio.get_running_loop().time() - gone.since < 0.1
        await streaming

    run_in_virtual_time(run(), has_sockets=False)


def test_a_page_that_was_stuck_is_spared_the_looks_again():
    async def run():
        log, connection, gone = FrameLog(), Connection(), Gone()
        await follow(log, connection, is_gone=gone)
        connection.takes.clear()
        await stream_words(log, 10)
        looks = gone.looks
        connection.takes.set()
        await stream_words(log, 10)

        assert 0 < looks == gone.looks

    run_in_virtual_time(run(), has_sockets=False)


async def test_the_rest_of_a_coroutine_goes_on_in_another_task():
    event, steps = asyncio.Event(), []

    async def work():
        steps.append("first")
        await event.wait()
        steps.append("second")

    rest = run_first_step(work())
    assert steps == ["first"]
    waiting = asyncio.ensure_future(rest())
    await asyncio.sleep(0)
    event.set()
    await waiting

    assert steps == ["first", "second"]


async def test_a_cancellation_reaches_a_coroutine_that_waits():
    ends = []

    async def work():
        try:
            await asyncio.Event().wait()
        finally:
            ends.append("closed")

    waiting = asyncio.ensure_future(run_first_step(work())())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert ends == ["closed"]


async def test_what_a_first_step_raises_is_raised_at_once():
    async def fail():
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        run_first_step(fail())


def test_a_heartbeat_is_a_comment_among_events():
    assert HEARTBEAT_FRAMES.events == [b": heartbeat\n\n"]
    assert EncodedFrames([{"type": "finish", "number": 7}]).events == [
        b'id: 7\ndata: {"type":"finish"}\n\n'
    ]

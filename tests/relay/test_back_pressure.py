"""What waits for a slow page: joined, in order, bounded."""

import asyncio
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimlchat.relay import PageTooSlowError, relay
from aimlchat.relay.buffer import FrameQueue

_DELTAS = st.sampled_from(
    [
        {"type": "text-delta", "id": "t"},
        {"type": "text-delta", "id": "u"},
        {"type": "reasoning-delta", "id": "t"},
        {"type": "tool-input-delta", "toolCallId": "t"},
        {"type": "text-end", "id": "t"},
    ]
)


def with_text(frame, text):
    fields = {"tool-input-delta": "inputTextDelta", "text-end": None}
    field = fields.get(frame["type"], "delta")
    return frame if field is None else frame | {field: text}


def letters(frames):
    """Every letter with what it belongs to, so that frames cut otherwise compare equal."""
    row = []
    for frame in frames:
        rest = dict(frame)
        text = rest.pop("delta", None) or rest.pop("inputTextDelta", None)
        row += [(json.dumps(rest), letter) for letter in text or "."]
    return row


@given(st.lists(st.tuples(_DELTAS, st.text("abc", min_size=1), st.booleans())))
def test_nothing_is_lost_and_the_order_is_kept(steps):
    backlog, put, taken = FrameQueue(), [], []
    for frame, text, takes in steps:
        put.append(with_text(frame, text))
        backlog.add(put[-1])
        if takes:
            taken.append(backlog.take())
    while backlog:
        taken.append(backlog.take())

    assert letters(taken) == letters(put)
    assert backlog.size == 0


def test_neighbours_of_one_part_are_joined_and_the_frames_themselves_stay():
    backlog = FrameQueue()
    frames = [
        {"type": "text-delta", "id": "t", "delta": letter, "number": n}
        for n, letter in enumerate("abc")
    ]
    for frame in frames:
        backlog.add(frame)

    assert backlog.size == 64 + 3
    assert backlog.take() == {"type": "text-delta", "id": "t", "delta": "abc", "number": 2}
    assert not backlog
    assert [frame["delta"] for frame in frames] == ["a", "b", "c"]


def test_a_joined_frame_stays_below_a_mebibyte():
    backlog = FrameQueue()
    for _ in range(3):
        backlog.add({"type": "text-delta", "id": "t", "delta": "\N{GRINNING FACE}" * 150_000})

    while backlog:
        assert len(json.dumps(backlog.take(), ensure_ascii=False).encode()) < 2**20


class Sluggish:
    """A page that takes nothing until it is told to."""

    def __init__(self) -> None:
        self.awake = asyncio.Event()
        self.sent = []

    async def __call__(self, text):
        await self.awake.wait()
        self.sent.append(json.loads(text))


async def test_a_slow_page_gets_what_waited_in_one_frame(emulator, session, answered):
    emulator.reply(chunks=["One ", "two ", "three"], reasoning="Hm.", pace=0.001)
    page = Sluggish()

    relaying = asyncio.create_task(relay(session.stream("Go"), page))
    await answered()  # the model was not held up
    page.awake.set()
    completion = await relaying

    assert completion.text == "One two three"
    assert [frame["type"] for frame in page.sent] == [
        "start",
        "reasoning-start",
        "reasoning-delta",
        "reasoning-end",
        "text-start",
        "text-delta",
        "text-end",
        "finish",
    ]
    assert page.sent[5]["delta"] == "One two three"


async def test_too_much_that_waits_ends_the_relay_and_the_call(emulator, session):
    emulator.reply(chunks=["0123456789"] * 1000, pace=0.001)
    page = Sluggish()

    with pytest.raises(PageTooSlowError, match="more than 500 characters") as caught:
        await relay(session.stream("Go"), page, max_buffer=500)
    await emulator.requests[0].finished()

    assert emulator.requests[0].outcome == "left"
    assert 0 < len(caught.value.partial.text) < 1000


async def test_a_page_that_takes_nothing_runs_out_of_patience(thoughtful, soon):
    session, upstream = thoughtful

    with pytest.raises(PageTooSlowError, match=r"nothing for 0\.05 s") as caught:
        await relay(session.stream("Go"), Sluggish(), patience=0.05)
    async with soon():
        await upstream.gone.wait()

    assert caught.value.partial is not None


async def test_a_timeout_of_the_callable_itself_is_its_own(thoughtful):
    session, _ = thoughtful

    async def send(_):
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await relay(session.stream("Go"), send, patience=None)


@pytest.mark.parametrize("hall", ["aiohttp", "websockets"], indirect=True)
async def test_a_page_that_wakes_up_too_late_still_reads_the_error(hall, emulator, session):
    # Not on uvicorn: before it writes anything it waits until it can.
    emulator.reply(chunks=["0123456789" * 400] * 4000)
    read_on = asyncio.Event()

    async def talk(websocket):
        with contextlib.suppress(PageTooSlowError):
            await relay(session.stream("Go"), websocket, max_buffer=100_000)
            return "whole"
        read_on.set()
        return "too slow"

    async with (
        hall.open(talk) as page,
        page(max_queue=1, compression=None, max_size=None) as it,
    ):
        async with asyncio.timeout(10):
            await read_on.wait()
        frames = await it.frames()

    assert await hall.result() == "too slow"
    assert [frame["type"] for frame in frames[-2:]] == ["data-error", "error"]
    assert frames[-2]["data"] == {"code": "too_slow"}


async def test_a_stuck_page_does_not_slow_another(one_hall, emulator, session):
    emulator.reply(chunks=["0123456789" * 400] * 1000)
    emulator.reply("Hello")
    streams = iter([session.stream("Much"), session.stream("Little")])

    async with (
        one_hall.open(lambda ws: relay(next(streams), ws, max_buffer=10**9)) as page,
        page(max_queue=1, compression=None) as stuck,
    ):
        await stuck.until("text-delta")
        async with page() as other:
            frames = await other.frames()
        assert (await one_hall.result()).text == "Hello"
        stuck.connection.transport.abort()  # it could not read a farewell either

    assert frames[-1]["type"] == "finish"

"""The states of a stream: how each transition comes about, and what ``completion`` says in each."""

import asyncio

import pytest
from clockwork import Clockwork, session_on
from delivery import run_pending
from raw_server import CHUNKED, content, http_chunk, serving

from aimlchat import (
    AuthenticationError,
    StreamInterruptedError,
)
from aimlchat._client.stream_states import NEXT_STATES, State

OPENING, OPEN, ENDED = State.OPENING, State.OPEN, State.ENDED
CLOSED, FAILED, LEFT = State.CLOSED, State.FAILED, State.LEFT
HELLO = CHUNKED + http_chunk(content("Hello"))
WHOLE = CHUNKED + http_chunk(content("Hello", '"stop"') + b"data: [DONE]\n\n")
END = b"0\r\n\r\n"
HANG_UP = object()
NEXT_REQUEST = object()
REFUSED = (
    b"HTTP/1.1 401 No\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n"
    b'{"message":"bad"}'
)


class Scene:
    """A stream, and the server that sends what the test tells it to send."""

    def __init__(self, stream, server, script) -> None:
        self.stream = stream
        self.server = server
        self.send = script.put_nowait

    @property
    def state(self):
        return self.stream._state

    async def enter(self, response=CHUNKED):
        self.send(response)
        await self.stream.__aenter__()

    async def requests(self, count):
        while len(self.server.requests) < count:
            self.server.requested.clear()
            await self.server.requested.wait()


@pytest.fixture
def records():
    return []


@pytest.fixture
async def scene(records):
    script = asyncio.Queue()

    async def respond(_, writer):
        while (piece := await script.get()) is not NEXT_REQUEST:
            if piece is HANG_UP:
                raise ConnectionResetError
            writer.write(piece)

    async with (
        serving(respond) as server,
        session_on(Clockwork(), server.base_url, on_finish=records.append) as session,
    ):
        yield Scene(session.stream("Hi"), server, script)
        script.put_nowait(HANG_UP)  # for a handler that still waits
        await run_pending()


# --- how each transition comes about --------------------------------------------------------------


async def entered(scene):
    await scene.enter()


async def refused(scene):
    scene.send(REFUSED)
    with pytest.raises(AuthenticationError):
        await scene.stream.__aenter__()


async def closed_before_anything_was_sent(scene):
    await scene.stream.aclose()


async def closed_by_another_task_while_opening(scene):
    reading = asyncio.ensure_future(scene.stream.collect())
    await scene.requests(1)
    assert scene.state is OPENING
    await scene.stream.aclose()
    with pytest.raises(StreamInterruptedError):
        await reading


async def cancelled_while_opening(scene):
    reading = asyncio.ensure_future(scene.stream.collect())
    await scene.requests(1)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)


async def ended_before_the_first_delta(scene):
    await scene.enter()
    scene.send(END)
    scene.send(NEXT_REQUEST)
    reading = asyncio.ensure_future(scene.stream.collect())
    await scene.requests(2)
    between = scene.state
    scene.send(WHOLE + END)
    await reading
    return between


async def read_to_the_end(scene):
    await scene.enter(WHOLE + END)
    await anext(scene.stream)


async def cut_after_a_delta(scene):
    await scene.enter(HELLO)
    await anext(scene.stream)
    scene.send(HANG_UP)
    with pytest.raises(StreamInterruptedError):
        await anext(scene.stream)


async def closed_while_open(scene):
    await scene.enter(HELLO)
    await anext(scene.stream)
    await scene.stream.aclose()


async def closed_by_another_task_while_reading(scene):
    await scene.enter(HELLO)
    await anext(scene.stream)
    reading = asyncio.ensure_future(anext(scene.stream))
    await asyncio.sleep(0)
    await scene.stream.aclose()
    with pytest.raises(StreamInterruptedError):
        await reading


async def cancelled_while_reading(scene):
    await scene.enter(HELLO)
    await anext(scene.stream)
    reading = asyncio.ensure_future(anext(scene.stream))
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)


async def read_beyond_the_end(scene):
    await read_to_the_end(scene)
    assert scene.state is ENDED
    with pytest.raises(StopAsyncIteration):
        await anext(scene.stream)


async def closed_after_the_end(scene):
    await read_to_the_end(scene)
    assert scene.state is ENDED
    await scene.stream.aclose()


WAYS = [
    (OPENING, OPEN, entered),
    (OPENING, FAILED, refused),
    (OPENING, LEFT, closed_before_anything_was_sent),
    (OPENING, LEFT, closed_by_another_task_while_opening),
    (OPENING, LEFT, cancelled_while_opening),
    (OPEN, ENDED, read_to_the_end),
    (OPEN, FAILED, cut_after_a_delta),
    (OPEN, LEFT, closed_while_open),
    (OPEN, LEFT, closed_by_another_task_while_reading),
    (OPEN, LEFT, cancelled_while_reading),
    (ENDED, CLOSED, read_beyond_the_end),
    (ENDED, CLOSED, closed_after_the_end),
]


@pytest.mark.parametrize(("end", "way"), [way[1:] for way in WAYS])
async def test_each_way_leads_to_its_state(scene, end, way):
    await way(scene)

    assert scene.state is end


async def test_an_attempt_that_fails_before_its_first_delta_is_opened_again(scene):
    assert await ended_before_the_first_delta(scene) is OPENING
    assert scene.stream.completion.text == "Hello"


def test_every_transition_of_the_table_is_tried_here():
    tried = {(start, end) for start, end, _ in WAYS} | {(OPEN, OPENING)}

    assert tried == {(start, end) for start, ends in NEXT_STATES.items() for end in ends}


def test_the_table_lists_every_state():
    assert set(NEXT_STATES) == set(State)


# --- states that are final ------------------------------------------------------------------------


FINAL = [way for way in WAYS if not NEXT_STATES[way[1]]]


@pytest.mark.parametrize(("end", "way"), [way[1:] for way in FINAL])
async def test_closing_changes_nothing_once_a_stream_is_over(scene, records, end, way):
    await way(scene)
    before = len(records)
    await scene.stream.aclose()
    await scene.stream.__aexit__(None, None, None)

    assert scene.state is end
    assert len(records) == before


@pytest.mark.parametrize(("end", "way"), [way[1:] for way in FINAL if way[1] is not CLOSED])
async def test_a_stream_that_is_over_raises_the_same_error_at_each_read(scene, end, way):
    await way(scene)
    errors = []
    for _ in range(2):
        with pytest.raises((StreamInterruptedError, AuthenticationError)) as caught:
            await anext(scene.stream)
        errors.append(str(caught.value))

    assert errors[0] == errors[1]
    assert scene.state is end


async def test_a_stream_that_was_read_to_its_end_stays_at_its_end(scene):
    await read_beyond_the_end(scene)
    with pytest.raises(StopAsyncIteration):
        await anext(scene.stream)


@pytest.mark.parametrize(("end", "way"), [way[1:] for way in FINAL])
async def test_a_stream_that_is_over_sends_no_second_request(scene, end, way):
    await way(scene)
    before = len(scene.server.requests)
    await asyncio.gather(scene.stream.collect(), return_exceptions=True)

    assert len(scene.server.requests) == before


# --- the completion in each state -----------------------------------------------------------------


@pytest.mark.parametrize("way", [None, entered], ids=["before the request", "after the headers"])
async def test_before_the_end_the_completion_is_a_runtime_error(scene, way):
    if way is not None:
        await way(scene)

    with pytest.raises(RuntimeError, match="has not ended"):
        _ = scene.stream.completion


async def test_after_a_delta_the_completion_is_still_a_runtime_error(scene):
    await scene.enter(HELLO)
    await anext(scene.stream)

    with pytest.raises(RuntimeError, match="has not ended"):
        _ = scene.stream.completion


async def test_the_completion_is_whole_as_soon_as_the_end_has_arrived(scene):
    body = content("Hello") + content(" you", '"stop"') + b"data: [DONE]\n\n"
    await scene.enter(CHUNKED + http_chunk(body) + END)
    await anext(scene.stream)  # the second delta has not been taken yet

    assert scene.state is ENDED
    assert scene.stream.completion.text == "Hello you"
    assert [delta.text async for delta in scene.stream] == [" you"]


@pytest.mark.parametrize("way", [read_beyond_the_end, closed_after_the_end])
async def test_the_completion_stays_after_the_connection_was_given_back(scene, way):
    await way(scene)

    assert scene.stream.completion.text == "Hello"


async def test_after_a_failure_the_completion_is_that_failure_with_what_had_arrived(scene):
    await cut_after_a_delta(scene)

    with pytest.raises(StreamInterruptedError) as caught:
        _ = scene.stream.completion
    assert caught.value.partial.text == "Hello"


async def test_after_a_refusal_the_completion_is_that_error(scene):
    await refused(scene)

    with pytest.raises(AuthenticationError, match="bad"):
        _ = scene.stream.completion


@pytest.mark.parametrize("way", [way for _, end, way in WAYS if end is LEFT])
async def test_after_it_was_left_the_completion_is_a_runtime_error(scene, way):
    await way(scene)

    with pytest.raises(RuntimeError, match="closed before its end"):
        _ = scene.stream.completion


async def test_what_had_arrived_can_be_read_after_a_stream_was_left(scene):
    await closed_while_open(scene)

    assert scene.stream.partial.text == "Hello"


# --- races ----------------------------------------------------------------------------------------


async def test_a_stream_that_is_left_while_it_is_opened_again_is_not_opened(scene, records):
    await scene.enter()
    scene.send(END)
    scene.send(NEXT_REQUEST)
    reading = asyncio.ensure_future(scene.stream.collect())
    await scene.requests(2)
    assert scene.state is OPENING
    await scene.stream.aclose()

    with pytest.raises(StreamInterruptedError):
        await reading
    assert scene.state is LEFT
    assert [record.outcome for record in records] == ["abandoned"]


async def test_a_second_task_is_refused_while_a_stream_is_opened(scene):
    reading = asyncio.ensure_future(scene.stream.collect())
    await scene.requests(1)

    with pytest.raises(RuntimeError, match="another task"):
        await anext(scene.stream)
    scene.send(WHOLE + END)
    assert (await reading).text == "Hello"

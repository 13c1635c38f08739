"""A response that is cut at any of its bytes, head or body, whichever way the connection ends.

What has to come of a cut is worked out from where the events end in the body, not by a parser.
"""

import array
import asyncio
import itertools
import re
import socket
import struct
import sys

import attrs
import pytest
from clockwork import Clockwork, session_on
from raw_server import http_chunk, serving

from aimlchat import (
    AIMLChatError,
    AnswerDelta,
    ConnectionFailedError,
    ProtocolError,
    ReasoningDelta,
    RetryPolicy,
    StreamInterruptedError,
    ToolCallDelta,
)

AT_ONCE = 32
ONCE = RetryPolicy(attempts=1)


# --- what is cut --------------------------------------------------------------------------------


@attrs.frozen
class Event:
    """One event, and what somebody knows who has got it."""

    data: bytes
    choice: int | None = 0  # the one that it belongs to, and so begins; None if it names none
    answer: str = ""
    reasoning: str = ""
    arguments: str = ""
    finish: bool = False
    total: int | None = None  # tokens
    usd: float | None = None


@attrs.frozen
class Shape:
    events: tuple[Event, ...]
    line_end: bytes = b"\n"
    choices: int = 1

    @property
    def body(self):
        return b"".join(b"data: " + e.data + 2 * self.line_end for e in self.events)

    @property
    def ends(self):
        """Where in the body the JSON of each event ends: from there on it can be understood."""
        sizes = (len(b"data: " + event.data) + 2 * len(self.line_end) for event in self.events)
        return [end - 2 * len(self.line_end) for end in itertools.accumulate(sizes)]


OPENAI = Shape(
    (
        Event(b'{"id":"o","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}'),
        Event(b'{"id":"o","choices":[{"index":0,"delta":{"content":"Hel"}}]}', answer="Hel"),
        Event(
            b'{"id":"o","choices":[{"index":0,"delta":{"content":"lo "},"finish_reason":null}]}',
            answer="lo ",
        ),
        Event(b'{"id":"o","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}', finish=True),
        Event(b'{"id":"o","choices":[],"usage":{"total_tokens":7}}', choice=None, total=7),
        Event(b"[DONE]", choice=None),
    )
)
DONE_ALONE = Shape(  # no finish reason, so that it is complete by [DONE] alone
    (
        Event(b'{"choices":[{"index":0,"delta":{"content":"Hi"}}]}', answer="Hi"),
        Event(b"[DONE]", choice=None),
    )
)
CLAUDE_FLAT = Shape(
    (
        Event(
            b'{"id":"c","choices":[{"index":0,"delta":{"content":"One","role":"assistant",'
            b'"refusal":null}}],"created":1}',
            answer="One",
        ),
        Event(
            b'{"id":"","choices":[{"index":0,"delta":{"content":", two","refusal":null}}]}',
            answer=", two",
        ),
        Event(
            b'{"id":"","choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}],'
            b'"usage":{"total_tokens":9}}',
            finish=True,
            total=9,
        ),
        Event(
            b'{"choices":[{"index":0,"finish_reason":"stop"}],"usage":null,'
            b'"meta":{"usage":{"credits_used":4,"usd_spent":0.000002}}}',
            usd=0.000002,
        ),
    )
)
CLAUDE_ENVELOPED = Shape(
    (
        Event(
            b'{"event":{"id":"e","choices":[{"index":0,"delta":{"content":"Sing"}}],"usage":null},'
            b'"state":{"usage":{"input_tokens":5,"output_tokens":1}}}',
            answer="Sing",
            total=6,
        ),
        Event(
            b'{"event":{"id":"e","choices":[{"index":0,"delta":{"content":"!"}}]},"state":{}}',
            answer="!",
        ),
        Event(
            b'{"event":{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],'
            b'"usage":{"total_tokens":0}},"state":{"finishReason":"end_turn",'
            b'"usage":{"input_tokens":0,"output_tokens":3}}}',
            finish=True,
            total=8,
        ),
    ),
    line_end=b"\r\n",
)
TOOLS = Shape(
    (
        Event(
            b'{"choices":[{"index":0,"delta":{"content":null,"reasoning_content":"Hm, "}}]}',
            reasoning="Hm, ",
        ),
        Event(b'{"choices":[{"index":0,"delta":{"reasoning_content":"yes."}}]}', reasoning="yes."),
        Event(
            b'{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t",'
            b'"function":{"name":"f","arguments":""}}]}}]}'
        ),
        Event(
            b'{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,'
            b'"function":{"arguments":"{\\"x\\":"}}]}}]}',
            arguments='{"x":',
        ),
        Event(
            b'{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,'
            b'"function":{"arguments":"1}"}}]}}]}',
            arguments="1}",
        ),
        Event(b'{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}', finish=True),
    )
)
UNICODE = Shape(
    (
        Event('{"choices":[{"index":0,"delta":{"content":"Grüße, "}}]}'.encode(), answer="Grüße, "),
        Event('{"choices":[{"index":0,"delta":{"content":"世界🦉"}}]}'.encode(), answer="世界🦉"),
        Event(
            '{"choices":[{"index":0,"delta":{"content":"…"},"finish_reason":"stop"}]}'.encode(),
            answer="…",
            finish=True,
        ),
    )
)
TWO_CHOICES = Shape(
    (
        Event(b'{"choices":[{"index":0,"delta":{"content":"Red"}}]}', answer="Red"),
        Event(b'{"choices":[{"index":1,"delta":{"content":"Blue"}}]}', choice=1, answer="Blue"),
        Event(
            b'{"choices":[{"index":1,"delta":{},"finish_reason":"stop"}]}', choice=1, finish=True
        ),
        Event(b'{"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}', finish=True),
    ),
    choices=2,
)
SHAPES = {
    "openai": OPENAI,
    "done alone": DONE_ALONE,
    "claude flat": CLAUDE_FLAT,
    "claude enveloped": CLAUDE_ENVELOPED,
    "reasoning and a tool call": TOOLS,
    "beyond ascii": UNICODE,
    "two choices": TWO_CHOICES,
}
WHOLE = '{"id":"w","choices":[{"message":{"content":"Grüße"},"finish_reason":"stop"}]}'.encode()


@attrs.frozen
class Response:
    """A body in its transfer coding, behind a head."""

    head: bytes
    coded: bytes
    received: tuple[int, ...]  # bytes of the body in so many of the coded ones
    ends_with_connection: bool

    def __len__(self) -> int:
        return len(self.head) + len(self.coded)

    def cut(self, size):
        return (self.head + self.coded)[:size]

    def body_in(self, cut):
        """How many bytes of the body have come; None before the end of the head."""
        return None if cut < len(self.head) else self.received[cut - len(self.head)]


HEAD = b"HTTP/1.1 200 OK\r\nx-inference-id: i1\r\n"


def in_chunks(body, size=23):
    """Code the body in chunks whose borders are not those of its events."""
    coded, received = b"", [0]
    for start in range(0, len(body), size):
        piece = body[start : start + size]
        chunk = http_chunk(piece)
        before = chunk.index(b"\n") + 1
        received += [start + min(max(i - before, 0), len(piece)) for i in range(1, len(chunk) + 1)]
        coded += chunk
    coded += b"0\r\n\r\n"
    received += [len(body)] * 5
    head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    return Response(head, coded, tuple(received), ends_with_connection=False)


def with_length(body):
    head = HEAD + b"Content-Length: %d\r\n\r\n" % len(body)
    return Response(head, body, tuple(range(len(body) + 1)), ends_with_connection=False)


def until_the_end(body):
    head = HEAD + b"\r\n"
    return Response(head, body, tuple(range(len(body) + 1)), ends_with_connection=True)


# --- how it is cut ------------------------------------------------------------------------------


async def close(writer):
    writer.close()


async def reset(writer):
    """Reset the connection, but only once the client has all that was sent."""
    await has_been_read(writer)
    sock = writer.transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def has_been_read(writer):
    """Wait until what was written is with the client, who lives in the same loop."""
    while unsent(writer):  # noqa: ASYNC110 - the kernel has no event for it
        await asyncio.sleep(0)
    # What is in the client's socket is read in the loop's next round, behind this task.
    await asyncio.sleep(0)
    await asyncio.sleep(0)


def unsent(writer):
    """How much has not arrived yet; only Linux tells what is on its way."""
    waiting = writer.transport.get_write_buffer_size()
    if waiting or sys.platform != "linux":
        return waiting
    import fcntl  # noqa: PLC0415 - not on Windows
    import termios  # noqa: PLC0415

    count = array.array("i", [0])
    fcntl.ioctl(writer.transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, count)
    return count[0]


async def outcomes_of_cuts(response, end, ask):
    """Cut a response at each of its bytes; return what came of it, cut by cut."""

    async def answer(_, writer):
        cut = int(re.search(rb"x-cut: (\d+)", server.requests[-1], re.IGNORECASE)[1])
        sent = response.cut(cut)
        if cut % 2:  # and now and then in two pieces
            writer.write(sent[: cut // 2])
            await has_been_read(writer)
            sent = sent[cut // 2 :]
        writer.write(sent)
        await end(writer)

    async def outcome(session, cut):
        async with asyncio.timeout(5):
            return await ask(session, {"X-Cut": str(cut)})

    cuts = range(len(response) + 1)
    outcomes = []
    async with (
        serving(answer) as server,
        # Its time stands still, so that nothing ends because somebody has waited.
        session_on(Clockwork(), server.base_url, retry=ONCE) as session,
    ):
        for start in range(0, len(cuts), AT_ONCE):
            batch = cuts[start : start + AT_ONCE]
            outcomes += await asyncio.gather(*(outcome(session, cut) for cut in batch))
    return zip(cuts, outcomes, strict=True)


@attrs.frozen
class Outcome:
    deltas: list
    result: object  # the completion, or the partial of the error
    error: AIMLChatError | None = None


def streamed(choices=1, *, late=False):
    async def ask(session, headers):
        stream = session.stream("Hi", model="openai/gpt-4o", n=choices, headers=headers)
        deltas = []
        try:
            if late:
                await stream.__aenter__()
                await end_of(stream)
            async for delta in stream:
                deltas.append(delta)  # noqa: PERF401 - those before an error are kept
        except AIMLChatError as error:
            return Outcome(deltas, error.partial, error)
        return Outcome(deltas, stream.completion)

    return ask


async def end_of(stream):
    """Wait until all that will come is in aiohttp's buffer, and the connection is over."""
    content = stream._opened.exchange._response.content
    while not content.is_eof() and content.exception() is None:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0)


async def completed(session, headers):
    try:
        return Outcome([], await session.complete("Hi", model="openai/gpt-4o", headers=headers))
    except AIMLChatError as error:
        return Outcome([], error.partial, error)


# --- what has to come of it ---------------------------------------------------------------------

CODINGS = pytest.mark.parametrize("coding", [in_chunks, with_length, until_the_end])
ENDS = pytest.mark.parametrize("end", [close, reset])
KINDS = {AnswerDelta: "answer", ReasoningDelta: "reasoning", ToolCallDelta: "arguments"}


def texts(pieces):
    """Join pieces, each a choice, a kind and a text; what is empty counts for nothing."""
    joined = {}
    for choice, kind, text in pieces:
        joined[choice, kind] = joined.get((choice, kind), "") + text
    return {key: text for key, text in joined.items() if text}


def texts_of_events(events):
    return texts((e.choice, kind, getattr(e, kind)) for e in events for kind in KINDS.values())


def texts_of_deltas(deltas):
    return texts((d.choice, KINDS[type(d)], d.text) for d in deltas)


def texts_of_completion(completion):
    return texts(
        (choice.index, kind, text)
        for choice in completion.choices
        for kind, text in (
            ("answer", choice.text),
            ("reasoning", choice.reasoning),
            ("arguments", "".join(call.raw_arguments for call in choice.tool_calls)),
        )
    )


def is_complete(events):
    """The one rule of the end."""
    if events and events[-1].data == b"[DONE]":
        return len(events) > 1
    begun = {event.choice for event in events} - {None}
    return bool(begun) and begun == {event.choice for event in events if event.finish}


def last(values):
    return next((value for value in reversed(values) if value is not None), None)


def check_cut(shape, response, cut, outcome):
    received = response.body_in(cut)
    if received is None:
        check_without_answer(outcome)
        assert outcome.result.text == ""
    else:
        known = sum(place <= received for place in shape.ends)
        check_stream(outcome, shape.events[:known])


def check_stream(outcome, events):
    assert texts_of_deltas(outcome.deltas) == texts_of_events(events)
    assert texts_of_completion(outcome.result) == texts_of_events(events)
    assert outcome.result.inference_id == "i1"
    usage, cost = outcome.result.usage, outcome.result.cost
    assert (usage and usage.total_tokens) == last([event.total for event in events])
    assert (cost and cost.usd) == last([event.usd for event in events])
    if is_complete(events):
        assert outcome.error is None
        for call in outcome.result.tool_calls:
            assert call.arguments
    else:
        assert type(outcome.error) is StreamInterruptedError
        for call in outcome.result.tool_calls:
            with pytest.raises(ProtocolError):
                _ = call.arguments


def check_without_answer(outcome):
    assert type(outcome.error) is ConnectionFailedError
    assert outcome.error.sent
    assert outcome.deltas == []


@ENDS
@CODINGS
@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
async def test_a_stream_cut_at_any_byte_is_complete_by_the_rule_or_raises_with_all_that_came(
    shape, coding, end
):
    response = coding(shape.body)

    for cut, outcome in await outcomes_of_cuts(response, end, streamed(shape.choices)):
        check_cut(shape, response, cut, outcome)


@ENDS
@CODINGS
@pytest.mark.parametrize("shape", [OPENAI, CLAUDE_ENVELOPED], ids=["openai", "claude enveloped"])
async def test_it_makes_no_difference_to_a_cut_whether_the_reader_looks_only_afterwards(
    shape, coding, end
):
    response = coding(shape.body)

    for cut, outcome in await outcomes_of_cuts(response, end, streamed(late=True)):
        check_cut(shape, response, cut, outcome)


@ENDS
@CODINGS
async def test_a_whole_answer_to_a_stream_request_cut_at_any_byte_is_whole_or_an_error(coding, end):
    response = coding(WHOLE)

    for cut, outcome in await outcomes_of_cuts(response, end, streamed()):
        received = response.body_in(cut)
        if received is None:
            check_without_answer(outcome)
            assert outcome.result.text == ""
        elif received == len(WHOLE):
            assert outcome.error is None
            assert outcome.result.text == "Grüße"
            assert [delta.text for delta in outcome.deltas] == ["Grüße"]
        else:
            assert isinstance(outcome.error, ProtocolError)
            assert outcome.result.text == ""
            assert outcome.result.inference_id == "i1"
            assert outcome.deltas == []


@ENDS
@CODINGS
async def test_a_whole_answer_cut_at_any_byte_is_whole_or_an_error(coding, end):
    response = coding(WHOLE)

    for cut, outcome in await outcomes_of_cuts(response, end, completed):
        received = response.body_in(cut)
        if received is None:
            check_without_answer(outcome)
        elif cut == len(response):
            assert outcome.error is None
            assert outcome.result.text == "Grüße"
        elif received < len(WHOLE):
            assert isinstance(outcome.error, ProtocolError)
        else:  # all of the JSON, but the end that the transfer coding promised is missing
            assert isinstance(outcome.error, ProtocolError) or outcome.result.text == "Grüße"

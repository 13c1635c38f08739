"""A response that is cut at any of its bytes, in its headers or body, by FIN or by RST.

`cut_cases` computes the expected content of each cut from where the events end in the body, not by
a parser. An ordinary run of the tests cuts at a sample of the bytes, a soak at every byte.
"""

import asyncio
import re

import attrs
import pytest
from clockwork import Clockwork, session_on
from cut_cases import (
    CLAUDE_ENVELOPED,
    OPENAI,
    SHAPES,
    WHOLE,
    in_chunks,
    until_the_end,
    with_length,
)
from delivery import reset, wait_until_read
from raw_server import serving
from soak import sample

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

pytestmark = pytest.mark.sampled

CUTS = 40  # of each response in an ordinary run
CONCURRENCY = 32
ONCE = RetryPolicy(attempts=1)


# --- how it is cut ------------------------------------------------------------------------------


async def by_fin(writer):
    writer.close()


async def by_rst(writer):
    """Reset the connection, but only once the client has read all that was sent."""
    await wait_until_read(writer)
    reset(writer)


async def outcomes_of_cuts(response, end, call):
    """Cut a response at each byte, or a sample of them; return the cuts and their outcomes."""

    async def respond(_, writer):
        cut = int(re.search(rb"x-cut: (\d+)", server.requests[-1], re.IGNORECASE)[1])
        data = response.first(cut)
        if cut % 2:  # every second one in two pieces
            writer.write(data[: cut // 2])
            await wait_until_read(writer)
            data = data[cut // 2 :]
        writer.write(data)
        await end(writer)

    async def outcome(session, cut):
        async with asyncio.timeout(60):
            return await call(session, {"X-Cut": str(cut)})

    cuts = sample(range(len(response) + 1), CUTS)
    outcomes = []
    async with (
        serving(respond) as server,
        # Its clock stands still, so that no call ends by a timeout.
        session_on(Clockwork(), server.base_url, retry=ONCE) as session,
    ):
        for start in range(0, len(cuts), CONCURRENCY):
            batch = cuts[start : start + CONCURRENCY]
            outcomes += await asyncio.gather(*(outcome(session, cut) for cut in batch))
    return zip(cuts, outcomes, strict=True)


@attrs.frozen
class Outcome:
    """The deltas of a call, and its completion or the partial one of its error."""

    deltas: list
    result: object
    error: AIMLChatError | None = None


def stream_call(choices=1, *, late=False):
    """Return a call that reads a stream, ``late`` only once everything has arrived."""

    async def call(session, headers):
        stream = session.stream("Hi", model="openai/gpt-4o", n=choices, headers=headers)
        deltas = []
        try:
            if late:
                await stream.__aenter__()
                await wait_for_end(stream)
            async for delta in stream:
                deltas.append(delta)  # noqa: PERF401 - those before an error are kept
        except AIMLChatError as error:
            return Outcome(deltas, error.partial, error)
        return Outcome(deltas, stream.completion)

    return call


async def wait_for_end(stream):
    """Wait until aiohttp has buffered everything that will come, and the connection is over."""
    content = stream._opened.response._response.content
    while not content.is_eof() and content.exception() is None:  # noqa: ASYNC110 - it has no event
        await asyncio.sleep(0)


async def complete_call(session, headers):
    try:
        return Outcome([], await session.complete("Hi", model="openai/gpt-4o", headers=headers))
    except AIMLChatError as error:
        return Outcome([], error.partial, error)


# --- the expected outcomes ----------------------------------------------------------------------

CODINGS = pytest.mark.parametrize("coding", [in_chunks, with_length, until_the_end])
ENDS = pytest.mark.parametrize("end", [by_fin, by_rst])
KINDS = {AnswerDelta: "answer", ReasoningDelta: "reasoning", ToolCallDelta: "arguments"}


def texts(pieces):
    """Join pieces, each a choice, a kind and a text; leave out what is empty."""
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
    """Return whether these events are a complete stream, by the one rule of the end."""
    if events and events[-1].data == b"[DONE]":
        return len(events) > 1
    begun = {event.choice for event in events} - {None}
    return bool(begun) and begun == {event.choice for event in events if event.finish}


def last(values):
    return next((value for value in reversed(values) if value is not None), None)


def check_cut(shape, response, cut, outcome):
    received = response.body_bytes_in(cut)
    if received is None:
        check_failed_connection(outcome)
        assert outcome.result.text == ""
    else:
        known = sum(end <= received for end in shape.ends)
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


def check_failed_connection(outcome):
    assert type(outcome.error) is ConnectionFailedError
    assert outcome.error.sent
    assert outcome.deltas == []


@ENDS
@CODINGS
@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
async def test_a_stream_cut_at_any_byte_is_complete_or_raises_with_all_that_was_received(
    shape, coding, end
):
    response = coding(shape.body)

    for cut, outcome in await outcomes_of_cuts(response, end, stream_call(shape.choices)):
        check_cut(shape, response, cut, outcome)


@ENDS
@CODINGS
@pytest.mark.parametrize("shape", [OPENAI, CLAUDE_ENVELOPED], ids=["openai", "claude enveloped"])
async def test_a_stream_cut_at_any_byte_ends_the_same_for_a_late_reader(shape, coding, end):
    response = coding(shape.body)

    for cut, outcome in await outcomes_of_cuts(response, end, stream_call(late=True)):
        check_cut(shape, response, cut, outcome)


@ENDS
@CODINGS
async def test_a_whole_body_for_a_stream_request_cut_at_any_byte_is_complete_or_an_error(
    coding, end
):
    response = coding(WHOLE)

    for cut, outcome in await outcomes_of_cuts(response, end, stream_call()):
        received = response.body_bytes_in(cut)
        if received is None:
            check_failed_connection(outcome)
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
async def test_a_whole_body_cut_at_any_byte_is_complete_or_an_error(coding, end):
    response = coding(WHOLE)

    for cut, outcome in await outcomes_of_cuts(response, end, complete_call):
        received = response.body_bytes_in(cut)
        if received is None:
            check_failed_connection(outcome)
        elif cut == len(response):
            assert outcome.error is None
            assert outcome.result.text == "Grüße"
        elif received < len(WHOLE):
            assert isinstance(outcome.error, ProtocolError)
        else:  # all of the JSON arrived, but not the end that the transfer coding announces
            assert isinstance(outcome.error, ProtocolError) or outcome.result.text == "Grüße"

"""``on_finish`` receives one record for each call, whatever its outcome."""

import asyncio
import json

import pytest
from clockwork import Clockwork, session_on
from raw_server import CHUNKED, content, http_chunk, serving

from aimlchat import (
    AIMLChatError,
    ConfigurationError,
    InvalidRequestError,
    RetryPolicy,
    ServerError,
)
from aimlchat.records import CallRecord

THOUGHT = b'data: {"choices":[{"index":0,"delta":{"reasoning_content":"Hm."}}]}\n\n'


@pytest.fixture
def records():
    return []


@pytest.fixture
def clock():
    return Clockwork()


@pytest.fixture
async def session(emulator, clock, records):
    async with session_on(clock, emulator.base_url, on_finish=records.append) as opened:
        yield opened


async def test_a_completion_is_reported_with_usage_cost_and_attempts(session, emulator, records):
    emulator.fail(status=503)
    emulator.reply("Hello", cost=0.25)
    completion = await session.complete("Hi", model="gpt-4o", client_request_id="mine")

    (record,) = records
    assert isinstance(record, CallRecord)
    assert (record.outcome, record.error) == ("complete", None)
    assert (record.model, record.client_request_id) == ("gpt-4o", "mine")
    assert record.inference_id == completion.inference_id
    assert (record.usage, record.cost) == (completion.usage, completion.cost)
    assert record.attempts == completion.attempts
    assert record.duration == 0.25  # the delay before the second attempt
    assert (record.first_reasoning, record.first_answer, record.deltas) == (None, None, 0)


async def test_a_stream_is_reported_at_its_end(session, emulator, records):
    emulator.reply("Hello", reasoning="Greet.")
    stream = session.stream("Hi")
    seen = len([delta async for delta in stream])

    (record,) = records
    assert record.outcome == "complete"
    assert record.deltas == seen
    assert record.usage == stream.completion.usage
    assert record.attempts == stream.attempts


async def test_the_first_tokens_are_timed_from_the_start_of_the_call(clock, records):
    sent = asyncio.Queue()

    async def respond(_, writer):
        writer.write(CHUNKED)
        while piece := await sent.get():
            writer.write(piece)

    async with (
        serving(respond) as server,
        session_on(clock, server.base_url, on_finish=records.append) as session,
    ):
        stream = await session.stream("Hi").__aenter__()
        for piece in (THOUGHT, content("One"), content("Two", '"stop"')):
            clock.advance(2)
            sent.put_nowait(http_chunk(piece))
            await anext(stream)
        sent.put_nowait(b"0\r\n\r\n")
        sent.put_nowait(b"")
        await stream.collect()

    (record,) = records
    assert (record.first_reasoning, record.first_answer, record.duration) == (2, 4, 6)
    assert record.deltas == 3


async def test_an_answer_between_reasoning_and_a_tool_call_is_timed(emulator):
    deltas = [
        {"reasoning_content": "Hm."},
        {"content": "Well."},
        {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}]},
    ]
    body = b"".join(
        b"data: %s\n\n" % json.dumps({"choices": [{"index": 0, "delta": d}]}).encode()
        for d in deltas
    )
    records = []

    async def respond(_, writer):
        writer.write(CHUNKED + http_chunk(body + b"data: [DONE]\n\n") + b"0\r\n\r\n")

    async with (
        serving(respond) as server,
        session_on(Clockwork(), server.base_url, on_finish=records.append) as session,
    ):
        await session.stream("Hi").collect()

    assert (records[0].first_reasoning, records[0].first_answer) == (0.0, 0.0)


@pytest.mark.parametrize("streamed", [True, False])
async def test_an_error_is_reported(session, emulator, records, streamed):
    for _ in range(3):
        emulator.fail(status=503)
    with pytest.raises(ServerError) as caught:
        await (session.stream("Hi").collect() if streamed else session.complete("Hi"))

    (record,) = records
    assert record.outcome == "error"
    assert str(record.error) == str(caught.value)
    assert len(record.attempts) == 3


async def test_a_stream_that_is_interrupted_is_reported_with_its_usage(session, emulator, records):
    event = {"choices": [{"index": 0, "delta": {"content": "He"}}], "usage": {"total_tokens": 7}}
    emulator.reply(events=[event], done=False)
    with pytest.raises(AIMLChatError):
        await session.stream("Hi").collect()

    (record,) = records
    assert (record.outcome, record.deltas) == ("error", 1)
    assert record.usage.total_tokens == 7


@pytest.mark.parametrize("streamed", [True, False])
async def test_a_request_that_is_refused_before_sending_is_reported(session, records, streamed):
    with pytest.raises(InvalidRequestError):
        await (session.stream("Hi", n=0).collect() if streamed else session.complete("Hi", n=0))

    (record,) = records
    assert (record.outcome, record.attempts) == ("error", ())


@pytest.mark.parametrize("streamed", [True, False])
async def test_a_call_that_is_cancelled_before_the_response_headers_is_reported(
    records, silent_server, streamed
):
    async with session_on(Clockwork(), silent_server.base_url, on_finish=records.append) as session:
        call = session.stream("Hi").collect() if streamed else session.complete("Hi")
        task = asyncio.ensure_future(call)
        await silent_server.requested.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    (record,) = records
    assert record.outcome == "cancelled"


async def test_a_cancelled_call_is_reported_with_its_attempts(silent_server):
    records = []
    async with session_on(Clockwork(), silent_server.base_url, on_finish=records.append) as session:
        call = asyncio.ensure_future(session.complete("Hi"))
        await silent_server.requested.wait()
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)

    assert [(attempt.number, attempt.cause) for attempt in records[0].attempts] == [
        (1, "cancelled")
    ]


async def test_a_stream_that_never_started_is_not_reported(session, records):
    stream = session.stream("Hi")
    await stream.aclose()

    assert records == []


async def test_closing_a_stream_after_its_end_changes_nothing(session, records):
    async with session.stream("Hi") as stream:
        await stream.collect()
    await stream.aclose()

    assert [record.outcome for record in records] == ["complete"]


async def test_listing_the_models_is_not_reported(session, records):
    await session.models()

    assert records == []


async def test_a_call_is_reported_before_its_caller_has_the_completion(emulator, clock):
    order = []
    async with session_on(
        clock, emulator.base_url, on_finish=lambda _: order.append("record")
    ) as session:
        await session.complete("Hi", retry=RetryPolicy(attempts=1))
        order.append("answer")

    assert order == ["record", "answer"]


async def test_an_error_of_a_closed_session_has_no_attempts(session):
    await session.close()
    with pytest.raises(ConfigurationError) as caught:
        await session.complete("Hi")

    assert caught.value.attempts == ()

"""A call has exactly one span, however it ends."""

import asyncio
import gc

import pytest
from opentelemetry.trace import StatusCode
from spans import only

from aimlchat import (
    AIMLChatError,
    InvalidRequestError,
    ServerError,
    StreamInterruptedError,
    Timeouts,
)
from aimlchat.emulator import Cut, Stall


async def test_a_final_error_sets_the_status_without_the_server_s_message(
    emulator, session, exporter
):
    emulator.fail(status=400, message="You wrote: my secret diary")
    with pytest.raises(AIMLChatError):
        await session.complete("Why?")
    span = only(exporter)
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "BadRequestError 400"
    assert span.attributes["error.type"] == "400"
    assert "diary" not in span.to_json()


async def test_a_timeout_is_an_error_of_that_type(emulator, session, exporter):
    emulator.fault(Stall(before="headers"))
    with pytest.raises(TimeoutError):
        await session.complete("Why?", timeouts=Timeouts(first_token=0.02))
    assert only(exporter).attributes["error.type"] == "timeout"


async def test_a_cut_stream_is_an_error_with_what_was_received(emulator, session, exporter):
    emulator.reply(events=[{"id": "c1", "choices": [{"index": 0, "delta": {"content": "Bl"}}]}])
    with pytest.raises(StreamInterruptedError):
        await session.stream("Why?").collect()
    attributes = only(exporter).attributes
    assert attributes["error.type"] == "StreamInterruptedError"
    assert attributes["gen_ai.response.id"] == "c1"


async def test_a_cancelled_call_has_one_span(emulator, session, exporter):
    emulator.fault(Stall(before="headers"))
    task = asyncio.ensure_future(session.complete("Why?"))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    span = only(exporter)
    assert span.attributes["aimlchat.outcome"] == "cancelled"
    assert span.status.status_code is StatusCode.UNSET


async def leave_by_break(stream):
    async for _ in stream:
        break


async def leave_the_block(stream):
    async with stream:
        await anext(stream)


async def leave_by_aclose(stream):
    await anext(stream)
    await stream.aclose()


async def leave_by_an_exception(stream):
    with pytest.raises(KeyError):
        async with stream:
            raise KeyError


@pytest.mark.parametrize(
    "leave", [leave_by_break, leave_the_block, leave_by_aclose, leave_by_an_exception]
)
async def test_a_stream_that_is_left_has_one_span(emulator, session, exporter, leave):
    emulator.reply(chunks=["Blue", " sky"], pace=0.01)
    await leave(session.stream("Why?"))
    gc.collect()
    assert only(exporter).attributes["aimlchat.outcome"] == "abandoned"


async def test_a_dropped_stream_ends_its_span_without_the_garbage_collector(
    emulator, session, exporter, gc_disabled
):
    emulator.reply(chunks=["Blue", " sky"], pace=0.01)
    stream = session.stream("Why?")
    await anext(stream)
    assert exporter.get_finished_spans() == ()
    del stream
    assert only(exporter).attributes["aimlchat.outcome"] == "abandoned"


async def test_closing_the_session_ends_the_span_of_a_stream(emulator, session, exporter):
    emulator.reply(chunks=["Blue", " sky"], pace=0.05)
    stream = session.stream("Why?")
    await anext(stream)
    await session.close()
    with pytest.raises(AIMLChatError):
        await stream.collect()
    assert only(exporter).attributes["aimlchat.outcome"] == "error"


async def test_a_stream_that_never_began_and_a_refused_request_have_no_span(session, exporter):
    session.stream("Why?")
    with pytest.raises(InvalidRequestError):
        await session.complete("Why?", temperature=9)
    await session.models()
    await session.balance()
    assert exporter.get_finished_spans() == ()


async def test_reading_on_after_the_end_adds_no_span(session, exporter):
    async with session.stream("Why?") as stream:
        async for _ in stream:
            pass
        assert [delta async for delta in stream] == []
    await stream.aclose()
    assert len(exporter.get_finished_spans()) == 1


async def test_content_is_left_out_unless_it_is_asked_for(emulator, session, exporter):
    emulator.reply("Blue.", reasoning="Think.")
    await session.complete("My diary", system="Be brief.")
    assert "diary" not in only(exporter).to_json()
    assert "Blue" not in only(exporter).to_json()


async def test_a_server_error_that_is_final_has_an_event_for_each_attempt(
    emulator, session, exporter
):
    for _ in range(3):
        emulator.fail(status=500)
    with pytest.raises(ServerError):
        await session.complete("Why?")
    events = only(exporter).events
    assert [event.attributes["error.type"] for event in events] == ["500"] * 3


async def test_a_cut_whole_response_is_an_error(emulator, session, exporter):
    emulator.fault(Cut(10))
    with pytest.raises(AIMLChatError):
        await session.complete("Why?")
    assert only(exporter).attributes["error.type"] == "ProtocolError"

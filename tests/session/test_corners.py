"""What a close reading of the calls, clocks and limits has found, so that it stays mended."""

import asyncio
import gc
import json
import weakref

import aiohttp
import pytest
from clockwork import Clockwork, session_on
from raw_server import CHUNKED, content, http_chunk, serving

from aimlchat import (
    AIMLChatError,
    AuthenticationError,
    ChatSession,
    ConfigurationError,
    Limits,
    RateLimitError,
    RequestTimeoutError,
    RetryPolicy,
    ServerError,
    StreamInterruptedError,
    Timeouts,
)
from aimlchat._client.rate_limit import Gate
from aimlchat._protocol.api_errors import parse_retry_after

ONCE = RetryPolicy(attempts=1)


@pytest.fixture
async def pinging():
    """A server that sends a head and a ping, and then nothing."""

    async def ping(reader, writer):
        writer.write(CHUNKED + http_chunk(b": ping\n\n"))
        await reader.read()
        raise ConnectionResetError

    async with serving(ping) as server:
        yield server


# --- leaving -------------------------------------------------------------------------------------


async def test_a_stream_that_another_task_leaves_is_not_asked_for_again(pinging):
    async with ChatSession("test-key", base_url=pinging.base_url) as session:
        stream = await session.stream("Hi").__aenter__()
        reading = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        await stream.aclose()
        with pytest.raises(StreamInterruptedError):
            await reading
        await asyncio.wait_for(pinging.gone.wait(), 0.1)

    assert len(pinging.requests) == 1


async def test_a_stream_may_be_cancelled_in_any_pass_of_the_loop(pinging):
    limits = Limits(concurrency=1)
    async with ChatSession("test-key", base_url=pinging.base_url, limits=limits) as session:
        for passes in range(1, 40):
            entering = asyncio.ensure_future(session.stream("Hi").__aenter__())
            for _ in range(passes):
                await asyncio.sleep(0)
            entering.cancel()
            (stream,) = await asyncio.gather(entering, return_exceptions=True)
            if not isinstance(stream, BaseException):
                await stream.aclose()
                break
            await asyncio.sleep(0)
            place = await asyncio.wait_for(session._desk.gate.enter("m"), 0.5)
            place.leave()

    assert passes > 3


@pytest.mark.parametrize("many", ["complete_many", "stream_many"])
async def test_a_run_is_freed_by_reference_counts_alone(emulator, many):
    ended = []

    def requests():
        try:
            for number in range(100):
                yield f"Question {number}"
        finally:
            ended.append(True)

    gc.collect()
    gc.disable()
    try:
        async with ChatSession("test-key", base_url=emulator.base_url) as session:
            run = getattr(session, many)(requests(), concurrency=2)
            await anext(run)
            await run.aclose()
            freed = weakref.ref(run._behind)
            del run
            for _ in range(3):
                await asyncio.sleep(0)

            assert freed() is None
            assert ended
    finally:
        gc.enable()


async def test_a_stream_that_ended_by_its_tail_is_freed_by_reference_counts_alone():
    async def linger(reader, writer):
        writer.write(CHUNKED + http_chunk(content("Hello", '"stop"')))
        await reader.read()

    clock = Clockwork()
    async with serving(linger) as server, session_on(clock, server.base_url) as session:
        gc.collect()
        gc.disable()
        try:
            stream = session.stream("Hi")
            await anext(stream)
            end = asyncio.ensure_future(stream.collect())
            await asyncio.sleep(0)
            clock.advance(5)
            await end
            freed = weakref.ref(stream)
            del stream, end

            assert freed() is None
        finally:
            gc.enable()


async def test_closing_the_session_ends_a_stream_on_a_borrowed_pool(thinker):
    async with aiohttp.ClientSession() as http:
        session = ChatSession("test-key", base_url=thinker.base_url, http=http)
        stream = session.stream("Hi")
        await anext(stream)
        reading = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        await session.close()

        with pytest.raises(StreamInterruptedError, match="closed"):
            await reading
        await asyncio.wait_for(thinker.gone.wait(), 0.1)


# --- loops ---------------------------------------------------------------------------------------


async def test_a_call_from_another_loop_disturbs_nobody_in_this_one(emulator):
    limits = Limits(concurrency=1)
    async with ChatSession("test-key", base_url=emulator.base_url, limits=limits) as session:
        emulator.reply("One", pace=0.01)
        first = asyncio.ensure_future(session.stream("Hi").collect())
        second = asyncio.ensure_future(session.complete("Hi"))
        await asyncio.sleep(0)
        with pytest.raises(ConfigurationError, match="another event loop"):
            await asyncio.to_thread(asyncio.run, session.complete("Hi"))

        assert all(await asyncio.wait_for(asyncio.gather(first, second), 5))


def test_what_a_closed_loop_left_behind_gives_no_place_to_the_next():
    gate = Gate(Limits(concurrency=1), Clockwork())
    left = asyncio.run(gate.enter("m"))

    async def go_on():
        place = await gate.enter("m")
        left.leave()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(gate.enter("m"), 0.01)
        place.leave()
        await gate.enter("m")

    asyncio.run(go_on())


# --- what is tried again -------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "kind"), [(401, AuthenticationError), (500, ServerError)])
@pytest.mark.parametrize("streamed", [True, False])
async def test_a_refusal_whose_body_stalls_is_that_refusal_still(status, kind, streamed):
    async def refuse(reader, writer):
        writer.write(b'HTTP/1.1 %d No\r\nContent-Length: 100\r\n\r\n{"message":' % status)
        await writer.drain()
        refused.set()
        await reader.read()
        raise ConnectionResetError

    refused, clock = asyncio.Event(), Clockwork()
    async with serving(refuse) as server, session_on(clock, server.base_url, retry=ONCE) as session:
        call = session.stream("Hi").collect() if streamed else session.complete("Hi")
        task = asyncio.ensure_future(call)
        await refused.wait()
        for _ in range(5):
            await asyncio.sleep(0)
        clock.advance(301)

        with pytest.raises(kind):
            await task
    assert len(server.requests) == 1


async def test_a_429_for_want_of_capacity_is_tried_again(emulator):
    emulator.fail(status=429, message="Insufficient capacity for this model, please retry.")
    async with session_on(Clockwork(), emulator.base_url) as session:
        completion = await session.complete("Hi")

    assert len(completion.attempts) == 2


@pytest.mark.parametrize(
    "message",
    [
        "Insufficient credits",
        "You have run out of credits.",
        "insufficient_quota",
        "Free tier limit",
    ],
)
async def test_a_429_that_is_about_money_is_final(emulator, message):
    emulator.fail(status=429, message=message)
    async with session_on(Clockwork(), emulator.base_url) as session:
        with pytest.raises(RateLimitError):
            await session.complete("Hi")

    assert len(emulator.requests) == 1


@pytest.mark.parametrize("zone", ["", " GMT", " -0000", " +0100"])
def test_a_date_without_a_zone_is_in_gmt(zone, monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")
    later = 3600 if zone == " +0100" else 0
    headers = {"retry-after": f"Tue, 14 Nov 2023 22:14:20{zone}"}

    assert parse_retry_after(headers, 1_700_000_000.0 - later) == 60


@pytest.mark.parametrize("said", ["1_0", "٣", "-1", "inf", "nan", "soon"])
def test_a_retry_after_that_is_no_number_is_none(said):
    assert parse_retry_after({"retry-after": said}, 0.0) is None


async def test_choices_that_come_by_extra_are_waited_for_as_well(emulator):
    def chunk(index, text):
        return {"choices": [{"index": index, "delta": {"content": text}, "finish_reason": "stop"}]}

    emulator.reply(events=[chunk(0, "zero"), chunk(1, "one")], pace=0.02, done=True)
    async with ChatSession("test-key", base_url=emulator.base_url) as session:
        stream = session.stream("Hi", model="gpt-4o", extra={"n": 2})
        completion = await stream.collect()

    assert [choice.text for choice in completion.choices] == ["zero", "one"]
    assert stream._opened.question.choices == 2


# --- limits --------------------------------------------------------------------------------------


async def test_a_call_that_waits_for_its_rate_does_not_start_during_a_rest():
    clock = Clockwork(hasty=False)
    gate = Gate(Limits(requests_per_minute=1), clock)
    await gate.enter("m")
    second = asyncio.ensure_future(gate.enter("m"))
    await asyncio.sleep(0)
    gate.rest("m", 300)
    for _ in range(30):
        clock.advance(9.9)
        for _ in range(5):
            await asyncio.sleep(0)

    assert not second.done()
    second.cancel()


async def test_tokens_are_counted_where_the_wire_names_no_total(emulator):
    clock = Clockwork()
    limits = Limits(tokens_per_minute=3000)
    async with session_on(clock, emulator.base_url, limits=limits) as session:
        for _ in range(4):
            emulator.reply("Hi", usage={"input_tokens": 1000, "output_tokens": 500})
            await session.complete("Hi", max_tokens=10)

    assert clock.sleeps  # after two of them the minute is used up


async def test_a_budget_stops_what_waits_for_its_turn(emulator):
    for _ in range(40):
        emulator.reply("Hi", cost=1.0)
    limits = Limits(concurrency=1)
    async with ChatSession("test-key", base_url=emulator.base_url, limits=limits) as session:
        run = session.complete_many(["Hi"] * 40, concurrency=32, budget_usd=2.0)
        outcomes = await run.gather()

    assert len(outcomes) == 2
    assert emulator.billed <= 3  # one may have been on its way


@pytest.mark.parametrize("budget", [-1, float("nan")])
async def test_a_budget_that_is_none_is_refused(session, budget):
    with pytest.raises(ConfigurationError, match="budget"):
        session.complete_many(["Hi"], budget_usd=budget)


async def test_no_budget_at_all_begins_nothing(session, emulator):
    run = session.complete_many(["Hi"] * 3, budget_usd=0)

    assert await run.gather() == []
    assert run.is_out_of_budget
    assert emulator.requests == []


async def test_auto_keeps_to_the_sessions_own_limit(emulator):
    limits, times = Limits(concurrency=4), Timeouts(queue=0.5)
    async with ChatSession(
        "test-key", base_url=emulator.base_url, limits=limits, timeouts=times
    ) as session:
        run = session.complete_many(["Hi"] * 300, concurrency="auto")
        await run.gather()

    assert (run.done, run.failed) == (300, 0)


async def test_the_streams_have_no_auto(session):
    with pytest.raises(ConfigurationError, match="concurrency"):
        session.stream_many(["Hi"], concurrency="auto")


async def test_a_source_that_fails_cancels_nothing_that_is_in_flight(session):
    def requests():
        yield from ("a", "b", "c")
        raise LookupError

    run = session.complete_many(requests(), concurrency=8)
    outcomes = [(await anext(run)).unwrap() for _ in range(3)]
    with pytest.raises(LookupError):
        await anext(run)

    assert all(outcome.text for outcome in outcomes)


async def test_a_run_whose_wait_was_cancelled_does_not_end_as_if_it_were_whole(silent):
    async with ChatSession("test-key", base_url=silent.base_url) as session:
        run = session.complete_many(["Hi"] * 3)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(run), 0.05)
        with pytest.raises(AIMLChatError, match="left"):
            await anext(run)


# --- records -------------------------------------------------------------------------------------


async def test_a_cancelled_call_says_what_was_tried(silent):
    records = []
    async with session_on(Clockwork(), silent.base_url, on_finish=records.append) as session:
        call = asyncio.ensure_future(session.complete("Hi"))
        await silent.asked.wait()
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)

    assert [(attempt.number, attempt.cause) for attempt in records[0].attempts] == [
        (1, "cancelled")
    ]


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

    async def answer(_, writer):
        writer.write(CHUNKED + http_chunk(body + b"data: [DONE]\n\n") + b"0\r\n\r\n")

    async with (
        serving(answer) as server,
        session_on(Clockwork(), server.base_url, on_finish=records.append) as session,
    ):
        await session.stream("Hi").collect()

    assert (records[0].first_reasoning, records[0].first_answer) == (0.0, 0.0)


async def test_nothing_was_sent_by_a_session_that_is_closed(session):
    await session.close()
    with pytest.raises(ConfigurationError) as caught:
        await session.complete("Hi")

    assert caught.value.attempts == ()


async def test_a_time_of_nothing_to_connect_is_no_time():
    async with ChatSession(
        "test-key", base_url="http://127.0.0.1:9/v1", timeouts=Timeouts(connect=0), retry=ONCE
    ) as session:
        with pytest.raises((RequestTimeoutError, AIMLChatError)):
            await asyncio.wait_for(session.complete("Hi"), 1)

"""A run of many calls pauses at a rate limit, an overload or an outage, and loses no request."""

import asyncio
import json
import socket

import pytest
from clockwork import session_on
from rate_limits import FixedWindow
from raw_server import CHUNKED, content, http_chunk, serving
from virtual_time import LoopClock, run_in_virtual_time

from aimlchat import (
    ChatRequest,
    ConnectionFailedError,
    Limits,
    RateLimitError,
    RequestTimeoutError,
    RetryPolicy,
    ServerError,
    Timeouts,
)
from aimlchat.emulator import Emulator

ONCE = RetryPolicy(attempts=1)
WHOLE = b'{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]}'


def respond(writer, body=WHOLE, status=200, headers=""):
    writer.write(
        f"HTTP/1.1 {status} Status\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body
    )


def refuse(writer, status=429, headers="", message="Slow down"):
    respond(writer, json.dumps({"message": message}).encode(), status, headers)


def run_against(handler, run, **settings):
    """Run a coroutine function with a session on a server, in virtual time."""

    async def main():
        async with (
            serving(handler) as server,
            session_on(LoopClock(), server.base_url, **settings) as session,
        ):
            return await run(session)

    return run_in_virtual_time(main())


# --- rate limits ----------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [8, 60, "auto"])
def test_a_rate_limit_loses_no_request(concurrency):
    async def main():
        async with (
            Emulator(requests_per_second=10) as emulator,
            session_on(LoopClock(), emulator.base_url, retry=ONCE) as session,
        ):
            outcomes = await session.complete_many(["Hi"] * 60, concurrency=concurrency).gather()
        return outcomes, asyncio.get_running_loop().time()

    outcomes, seconds = run_in_virtual_time(main())

    assert [outcome.index for outcome in outcomes] == list(range(60))
    assert {len(outcome.unwrap().attempts) for outcome in outcomes} == {1}
    assert seconds <= 1.3 * 6


def test_two_runs_share_the_limit_of_their_server():
    async def main():
        async with (
            Emulator(requests_per_second=10) as emulator,
            session_on(LoopClock(), emulator.base_url) as session,
        ):
            runs = [session.complete_many(["Hi"] * 30) for _ in range(2)]
            results = await asyncio.gather(*(run.gather() for run in runs))
        return results, asyncio.get_running_loop().time()

    results, seconds = run_in_virtual_time(main())

    assert [len(outcomes) for outcomes in results] == [30, 30]
    assert all(outcome.completion for outcomes in results for outcome in outcomes)
    assert seconds <= 1.3 * 6


def test_a_rate_limit_of_one_model_does_not_delay_another():
    async def main():
        async def handler(_, writer):
            if b'"slow"' in server.requests[-1] and asyncio.get_running_loop().time() < 20:
                refuse(writer, headers="Retry-After: 20\r\n")
            else:
                respond(writer)

        async with (
            serving(handler) as server,
            session_on(LoopClock(), server.base_url) as session,
        ):
            requests = [ChatRequest("slow").user("Hi"), ChatRequest("fast").user("Hi")] * 3
            seconds = {}
            async for outcome in session.complete_many(requests, ordered=False):
                assert outcome.completion
                seconds[outcome.request.model] = asyncio.get_running_loop().time()
            return seconds

    seconds = run_in_virtual_time(main())

    assert seconds["fast"] < 1
    assert 20 <= seconds["slow"] < 25


def test_a_stream_whose_first_event_is_a_rate_limit_is_put_back():
    responses = iter((True, True, False, False))

    async def handler(_, writer):
        event = b'data: {"error":{"message":"Slow down","code":429}}\n\n'
        body = event if next(responses) else content("Hi", '"stop"') + b"data: [DONE]\n\n"
        writer.write(CHUNKED + http_chunk(body) + b"0\r\n\r\n")

    async def run(session):
        many = session.stream_many(["a", "b"], retry=ONCE)
        texts = [delta.text async for _, delta in many]
        return texts, [len(o.unwrap().attempts) for o in many.outcomes.values()]

    assert run_against(handler, run) == (["Hi", "Hi"], [1, 1])


@pytest.mark.parametrize(("status", "message"), [(529, "Busy"), (503, "The model is overloaded")])
def test_an_overload_is_put_back(status, message):
    statuses = iter([status] * 5 + [200] * 3)

    async def handler(_, writer):
        if next(statuses) == 200:
            respond(writer)
        else:
            refuse(writer, status, message=message)

    async def run(session):
        return await session.complete_many(["a", "b", "c"], retry=ONCE).gather()

    assert [outcome.unwrap().text for outcome in run_against(handler, run)] == ["Hi"] * 3


def test_a_503_that_names_no_overload_counts_as_an_attempt():
    async def handler(_, writer):
        refuse(writer, 503, message="No route to this model")

    async def run(session):
        return await session.complete_many(["a"], retry=ONCE).gather()

    (outcome,) = run_against(handler, run)
    assert isinstance(outcome.error, ServerError)


def test_a_single_call_still_counts_its_attempts():
    async def handler(_, writer):
        refuse(writer)

    async def run(session):
        with pytest.raises(RateLimitError) as caught:
            await session.complete("Hi")
        return len(caught.value.attempts)

    assert run_against(handler, run) == 3


def test_the_deadline_of_a_call_covers_its_pauses():
    async def handler(_, writer):
        refuse(writer)

    async def run(session):
        (outcome,) = await session.complete_many(["a"], timeouts=Timeouts(deadline=5)).gather()
        return outcome.error, asyncio.get_running_loop().time()

    error, seconds = run_against(handler, run)
    assert isinstance(error, RequestTimeoutError)
    assert error.phase == "deadline"
    assert 4 < seconds < 6


@pytest.mark.parametrize("headers", ["", "Retry-After: 1\r\n", "Retry-After: 500\r\n"])
def test_a_run_stops_if_nothing_goes_through_for_the_longest_wait(headers):
    async def handler(_, writer):
        refuse(writer, headers=headers)

    async def run(session):
        many = session.complete_many(["a"] * 50, retry=RetryPolicy(max_retry_after=20))
        with pytest.raises(RateLimitError) as caught:
            await many.gather()
        return many.done, caught.value, asyncio.get_running_loop().time()

    done, error, seconds = run_against(handler, run)
    assert done == 0  # a later run can send them all
    assert "for 20 s" in error.__notes__[0]
    assert 20 <= seconds < 22


def test_a_response_that_takes_longer_than_the_longest_wait_does_not_stop_the_run():
    first = True

    async def handler(_, writer):
        nonlocal first
        if first:
            first = False
            await asyncio.sleep(100)
        elif asyncio.get_running_loop().time() < 100:
            refuse(writer)
            return
        respond(writer)

    async def run(session):
        return await session.complete_many(
            ["a"] * 4, retry=RetryPolicy(max_retry_after=30)
        ).gather()

    assert [outcome.unwrap().text for outcome in run_against(handler, run)] == ["Hi"] * 4


def test_exhausted_credits_stop_a_run():
    async def handler(_, writer):
        refuse(writer, message="Free-tier limit reached. Add credits to go on.")

    async def run(session):
        many = session.complete_many(["a"] * 50, concurrency=1)
        with pytest.raises(RateLimitError, match="Free-tier"):
            await many.gather()
        return many.done

    assert run_against(handler, run) == 0


def test_a_request_that_is_larger_than_the_limit_fails_alone():
    async def main():
        async def handler(_, writer):
            if b"long" in server.requests[-1]:
                refuse(writer, message="Request too large: Limit 10, Requested 20")
            else:
                respond(writer)

        async with (
            serving(handler) as server,
            session_on(LoopClock(), server.base_url) as session,
        ):
            return await session.complete_many(["a", "long", "b"] + ["c"] * 40).gather()

    outcomes = run_in_virtual_time(main())

    assert [outcome.index for outcome in outcomes if outcome.error] == [1]
    assert len(outcomes) == 43
    assert len(outcomes[1].error.attempts) == 1


def test_a_wait_of_zero_is_no_reason_to_hurry():
    limit, rejected = FixedWindow(10, 1), 0

    async def handler(_, writer):
        nonlocal rejected
        if limit.wait_at(asyncio.get_running_loop().time()):
            rejected += 1
            refuse(writer, headers="Retry-After: 0\r\n")
        else:
            respond(writer)

    async def run(session):
        outcomes = await session.complete_many(["Hi"] * 40).gather()
        return len([outcome for outcome in outcomes if outcome.completion])

    assert run_against(handler, run) == 40
    assert rejected < 100


def test_on_retry_is_told_of_a_request_that_was_put_back():
    records = []
    statuses = iter((429, 200))

    async def handler(_, writer):
        if next(statuses) == 200:
            respond(writer)
        else:
            refuse(writer, headers="Retry-After: 2\r\n")

    async def run(session):
        return await session.complete_many(["a"]).gather()

    (outcome,) = run_against(handler, run, on_retry=records.append)
    (record,) = records
    assert (record.is_put_back, record.attempt, record.delay) == (True, 1, 2.0)
    assert [attempt.number for attempt in outcome.unwrap().attempts] == [1]


def test_leaving_a_run_ends_its_pauses_at_once():
    async def handler(_, writer):
        refuse(writer, headers="Retry-After: 100\r\n")

    async def run(session):
        many = session.complete_many(["a"] * 5)
        waiting = asyncio.ensure_future(anext(many))
        await asyncio.sleep(1)
        waiting.cancel()
        await many.aclose()
        return many.in_flight, asyncio.get_running_loop().time()

    in_flight, seconds = run_against(handler, run)
    assert in_flight == 0
    assert seconds < 2


# --- a server that cannot be reached --------------------------------------------------------------


@pytest.fixture
def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@pytest.mark.parametrize("method", ["complete_many", "stream_many"])
def test_a_server_that_was_never_reached_stops_the_run(free_port, method):
    async def main():
        base_url = f"http://127.0.0.1:{free_port}/v1"
        async with session_on(LoopClock(), base_url) as session:
            with pytest.raises(ConnectionFailedError):
                async for _ in getattr(session, method)(["a"] * 12):
                    pass

    run_in_virtual_time(main())


def test_a_call_that_times_out_in_its_own_queue_does_not_count_as_reached():
    async def main():
        async with serving(lambda *_: None) as server:
            # The server never answers the TLS handshake, so there is no connection.
            base_url = server.base_url.replace("http:", "https:")
            limits, timeouts = Limits(concurrency=1), Timeouts(connect=10, queue=1)
            async with session_on(LoopClock(), base_url, limits=limits, retry=ONCE) as session:
                with pytest.raises(RequestTimeoutError, match="connect"):
                    await session.complete_many(["a", "b"], timeouts=timeouts).gather()
        return asyncio.get_running_loop().time()

    assert run_in_virtual_time(main()) < 20


@pytest.mark.parametrize("outage", [60, 1000])
def test_an_outage_during_a_run_loses_no_request(free_port, outage):
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        respond(writer)
        writer.close()

    async def listen():
        return await asyncio.start_server(serve, "127.0.0.1", free_port)

    async def main():
        server = await listen()
        base_url = f"http://127.0.0.1:{free_port}/v1"
        async with session_on(LoopClock(), base_url) as session:
            many = session.complete_many(["a"] * 20, concurrency=2, ordered=False)
            outcomes = [await anext(many) for _ in range(5)]
            server.close()
            reopening = asyncio.get_running_loop().call_later(
                outage, lambda: servers.append(asyncio.ensure_future(listen()))
            )
            try:
                outcomes += [outcome async for outcome in many]
            except ConnectionFailedError as error:
                reopening.cancel()
                return outcomes, error
            (await servers[0]).close()
            return outcomes, None

    servers = []
    outcomes, error = run_in_virtual_time(main())
    assert all(outcome.completion for outcome in outcomes)
    if outage == 60:
        assert len(outcomes) == 20
    else:
        assert "for 120 s" in error.__notes__[0]

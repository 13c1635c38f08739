"""A run from its first request to its last, however it ends."""

import asyncio
import io
import json

import pytest

from aimlchat import (
    AuthenticationError,
    ChatSession,
    ConnectionFailedError,
    RetryPolicy,
    Timeouts,
)
from aimlchat.batch import run
from aimlchat.emulator import Emulator, Stall


async def test_every_request_gets_a_result_and_the_summary_counts_them(session, files):
    files.write_prompts(50)
    summary = await run(session, files.source, files.target)
    results = files.results
    assert sorted(files.ids) == sorted(f"row-{n}" for n in range(50))
    assert (summary.total, summary.done, summary.failed, summary.left) == (50, 50, 0, 0)
    assert summary.tokens == sum(result["usage"]["total_tokens"] for result in results)
    assert summary.usd == pytest.approx(sum(result["cost"]["usd"] for result in results))
    assert summary.is_success


async def test_progress_is_reported_at_the_start_and_after_each_result(session, files):
    files.write_prompts(3)
    reported = []
    await run(session, files.source, files.target, on_progress=reported.append)
    assert [summary.done for summary in reported] == [0, 1, 2, 3]
    assert reported[0].seconds_left is None
    assert reported[2].seconds_left > 0
    assert reported[2].rate > 0


async def test_an_error_in_the_hook_is_logged_and_ends_nothing(session, files, caplog):
    def fail(_):
        raise ZeroDivisionError

    files.write_prompts(3)
    summary = await run(session, files.source, files.target, on_progress=fail)
    assert summary.is_success
    assert "the hook" in caplog.text


async def test_no_more_requests_are_in_flight_than_concurrency_allows(files):
    files.write_prompts(40)
    async with (
        Emulator(capacity=4) as emulator,
        ChatSession("k", base_url=emulator.base_url, retry=RetryPolicy(attempts=1)) as session,
    ):
        assert (await run(session, files.source, files.target, concurrency=4)).is_success


async def test_a_rate_limit_fails_no_request(files):
    files.write_prompts(15)
    async with (
        Emulator(requests_per_second=10) as emulator,
        ChatSession("k", base_url=emulator.base_url, retry=RetryPolicy(attempts=1)) as session,
    ):
        summary = await run(session, files.source, files.target)
    assert summary.is_success
    assert {result["attempts"] for result in files.results} == {1}


async def test_a_server_that_cannot_be_reached_leaves_every_request_open(session, emulator, files):
    files.write_prompts(12)
    async with ChatSession("k", base_url="http://127.0.0.1:9/v1") as unreachable:
        with pytest.raises(ConnectionFailedError):
            await run(unreachable, files.source, files.target)
    assert not files.target.exists()
    assert (await run(session, files.source, files.target)).done == 12


async def test_concurrency_auto_answers_all_requests(session, files):
    files.write_prompts(100)
    assert (await run(session, files.source, files.target, concurrency="auto")).is_success


async def test_a_result_is_written_and_then_reported_while_other_calls_are_in_flight(
    session, emulator, files
):
    emulator.reply("never sent", fault=Stall(before="headers"))
    files.write_prompts(2)
    lines_when_reported = []
    is_reported = asyncio.Event()

    def note(summary):
        if summary.done == 1:
            lines_when_reported.append(files.target.read_bytes().count(b"\n"))
            is_reported.set()

    task = asyncio.ensure_future(
        run(session, files.source, files.target, concurrency=2, on_progress=note)
    )
    await is_reported.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert lines_when_reported == [1]


async def test_a_failed_request_does_not_stop_the_others(session, emulator, files):
    emulator.fail(status=400)
    files.write_prompts(10)
    summary = await run(session, files.source, files.target, concurrency=1)
    assert (summary.done, summary.failed) == (10, 1)


async def test_the_budget_stops_the_run_and_the_next_run_continues(session, emulator, files):
    for _ in range(10):
        emulator.reply("Yes.", cost=0.1)
    files.write_prompts(10)
    summary = await run(session, files.source, files.target, concurrency=1, budget_usd=0.25)
    assert summary.is_out_of_budget
    assert (summary.done, summary.left, summary.is_success) == (3, 7, False)
    summary = await run(session, files.source, files.target)
    assert (summary.before, summary.done, summary.is_out_of_budget) == (3, 7, False)


async def test_a_rejected_key_stops_the_run_after_writing_what_has_arrived(
    session, emulator, files
):
    files.write_prompts(10)

    def reject_the_rest(summary):
        if summary.done == 3:
            emulator.fail(status=401)

    with pytest.raises(AuthenticationError):
        await run(session, files.source, files.target, concurrency=1, on_progress=reject_the_rest)
    assert len(files.ids) == 3 + (len(emulator.requests) - 4)
    assert (await run(session, files.source, files.target)).is_success
    assert len(set(files.ids)) == len(files.ids) == 10


async def test_cancelling_writes_what_has_arrived_and_abandons_the_rest(session, emulator, files):
    files.write_prompts(40)
    is_under_way = asyncio.Event()

    def note(summary):
        if summary.done == 5:
            is_under_way.set()

    task = asyncio.ensure_future(
        run(session, files.source, files.target, concurrency=4, on_progress=note)
    )
    await is_under_way.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert 5 <= len(files.ids) < 40
    assert (await run(session, files.source, files.target)).is_success
    assert len(set(files.ids)) == len(files.ids) == 40
    assert emulator.billed <= 40 + 4


async def test_a_stream_gets_the_results_but_a_run_does_not_resume_from_it(
    session, emulator, files
):
    files.write_prompts(3)
    for _ in range(2):
        stream = io.BytesIO()
        await run(session, files.source, stream)
        ids = [json.loads(line)["custom_id"] for line in stream.getvalue().splitlines()]
        assert sorted(ids) == ["row-0", "row-1", "row-2"]
    assert len(emulator.requests) == 6


async def run_until_success(session, files, *, runs):
    """Run with ``retry_failed`` until all succeed; after each run every id is there once."""
    for _ in range(runs):
        summary = await run(session, files.source, files.target, retry_failed=True)
        assert len(files.ids) == len(set(files.ids)) == summary.total
        assert sum(result["error"] is not None for result in files.results) == summary.failed
        if summary.is_success:
            break
    assert summary.is_success
    assert all(result["response"]["body"]["choices"] for result in files.results)


async def test_runs_with_retry_failed_reach_success_and_every_id_is_there_once(
    session, emulator, files
):
    files.write_prompts(30)
    for status in (400, 404, 500, 502) * 5:
        emulator.fail(status=status)
        emulator.reply("Yes.")
    await run_until_success(session, files, runs=8)
    assert emulator.billed == 30
    assert len(emulator.requests) == 30 + 20


@pytest.mark.soak
@pytest.mark.parametrize("seed", [1, 2])
async def test_runs_under_chaos_reach_success_and_every_id_is_there_once(files, seed):
    files.write_prompts(300)
    impatient = Timeouts(first_token=0.5, idle=0.5, deadline=1)
    retry = RetryPolicy(attempts=4, base_delay=0.01, max_delay=0.05)
    async with (
        Emulator(chaos=0.3, seed=seed) as emulator,
        ChatSession("k", base_url=emulator.base_url, timeouts=impatient, retry=retry) as session,
    ):
        await run_until_success(session, files, runs=30)

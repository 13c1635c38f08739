"""A run from its first call to its last, however it ends."""

import asyncio
import io
import json

import pytest

from aimlchat import AuthenticationError, ChatSession, RetryPolicy, Timeouts
from aimlchat.batch import run
from aimlchat.emulator import Emulator


async def test_every_request_has_a_result_and_the_summary_counts_them(session, emulator, files):
    files.prompts(50)
    summary = await run(session, files.source, files.target)
    results = files.results
    assert sorted(files.ids) == sorted(f"row-{n}" for n in range(50))
    assert (summary.total, summary.done, summary.failed, summary.left) == (50, 50, 0, 0)
    assert summary.tokens == sum(result["usage"]["total_tokens"] for result in results)
    assert summary.usd == pytest.approx(sum(result["cost"]["usd"] for result in results))
    assert summary.is_success


async def test_progress_is_told_at_the_start_and_after_each_result(session, files):
    files.prompts(3)
    told = []
    await run(session, files.source, files.target, on_progress=told.append)
    assert [summary.done for summary in told] == [0, 1, 2, 3]
    assert told[0].seconds_left is None
    assert told[2].seconds_left > 0
    assert told[2].rate > 0


async def test_no_more_are_in_flight_than_is_said(files):
    files.prompts(40)
    async with (
        Emulator(capacity=4) as emulator,
        ChatSession("k", base_url=emulator.base_url, retry=RetryPolicy(attempts=1)) as session,
    ):
        assert (await run(session, files.source, files.target, concurrency=4)).is_success


async def test_auto_finds_its_own_concurrency(session, files):
    files.prompts(100)
    assert (await run(session, files.source, files.target, concurrency="auto")).is_success


async def test_results_come_as_they_finish_and_not_in_order(session, emulator, files):
    emulator.reply("late", fault=None)
    files.prompts(2)
    written = []
    first_answer = asyncio.Event()

    def note(summary):
        if summary.done == 1:
            first_answer.set()
            written.append(len(files.target.read_bytes().splitlines()))

    await run(session, files.source, files.target, concurrency=2, on_progress=note)
    assert first_answer.is_set()
    assert written == [1]  # on the disk before anybody is told of it


async def test_a_failed_row_stops_no_other(session, emulator, files):
    emulator.fail(status=400)
    files.prompts(10)
    summary = await run(session, files.source, files.target, concurrency=1)
    assert (summary.done, summary.failed) == (10, 1)


async def test_the_budget_stops_it_and_the_next_run_goes_on(session, emulator, files):
    for _ in range(10):
        emulator.reply("Yes.", cost=0.1)
    files.prompts(10)
    summary = await run(session, files.source, files.target, concurrency=1, budget_usd=0.25)
    assert summary.is_out_of_budget
    assert (summary.done, summary.left, summary.is_success) == (3, 7, False)
    summary = await run(session, files.source, files.target)
    assert (summary.before, summary.done, summary.is_out_of_budget) == (3, 7, False)


async def test_a_key_that_is_refused_stops_it_with_what_has_come_written(session, emulator, files):
    files.prompts(10)

    def refuse_the_rest(summary):
        if summary.done == 3:
            emulator.fail(status=401)

    with pytest.raises(AuthenticationError):
        await run(session, files.source, files.target, concurrency=1, on_progress=refuse_the_rest)
    assert len(files.ids) == 3 + (len(emulator.requests) - 4)
    assert (await run(session, files.source, files.target)).is_success
    assert len(set(files.ids)) == len(files.ids) == 10


async def test_cancelling_writes_what_has_come_and_gives_up_the_rest(session, emulator, files):
    files.prompts(40)
    started = asyncio.Event()

    def note(summary):
        if summary.done == 5:
            started.set()

    task = asyncio.ensure_future(
        run(session, files.source, files.target, concurrency=4, on_progress=note)
    )
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert 5 <= len(files.ids) < 40
    assert (await run(session, files.source, files.target)).is_success
    assert len(set(files.ids)) == len(files.ids) == 40
    assert emulator.billed <= 40 + 4


async def test_a_stream_gets_the_results_but_is_no_journal(session, emulator, files):
    files.prompts(3)
    for _ in range(2):
        stream = io.BytesIO()
        await run(session, files.source, stream)
        ids = [json.loads(line)["custom_id"] for line in stream.getvalue().splitlines()]
        assert sorted(ids) == ["row-0", "row-1", "row-2"]
    assert len(emulator.requests) == 6


@pytest.mark.parametrize("seed", [1, 2])
async def test_under_chaos_every_row_is_there_once_and_resumes_to_success(files, seed):
    files.prompts(300)
    impatient = Timeouts(first_token=0.5, idle=0.5, deadline=1)
    retry = RetryPolicy(attempts=4, base_delay=0.01, max_delay=0.05)
    async with (
        Emulator(chaos=0.3, seed=seed) as emulator,
        ChatSession("k", base_url=emulator.base_url, timeouts=impatient, retry=retry) as session,
    ):
        for _ in range(30):
            summary = await run(session, files.source, files.target, retry_failed=True)
            assert sorted(files.ids) == sorted(f"row-{n}" for n in range(300))
            assert sum(result["error"] is not None for result in files.results) == summary.failed
            if summary.is_success:
                break
        assert summary.is_success
    assert all(result["response"]["body"]["choices"] for result in files.results)

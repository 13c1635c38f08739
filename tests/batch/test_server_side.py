"""Server-side batches are created, polled, fetched, cancelled, and found again by the next run."""

import asyncio

import pytest

from aimlchat import (
    BudgetExceededError,
    ChatSession,
    ConfigurationError,
    NotFoundError,
    RetryPolicy,
    ServerError,
)
from aimlchat.batch import InputError, run, run_on_server, server_side
from aimlchat.emulator import Emulator

CLAUDE = "anthropic/claude-sonnet-4"


@pytest.fixture(autouse=True)
def _poll_quickly(monkeypatch):
    monkeypatch.setattr(server_side, "_FIRST_DELAY", 0.001)


@pytest.fixture
def record(files):
    """Return the path of the file that records the batches on the server."""
    return files.target.with_name("results.jsonl.batches")


def build_claude_line(custom_id, **body):
    messages = [{"role": "user", "content": "Why?"}]
    body = {"model": CLAUDE, "max_tokens": 100, "messages": messages, **body}
    return {"custom_id": custom_id, "body": body}


def get_paths(emulator):
    return [
        f"{request.method} {request.path.removeprefix('/v1/batches')}"
        for request in emulator.requests
    ]


async def test_every_request_gets_its_message(session, emulator, files, record):
    files.write(build_claude_line("any id: 青"), {"id": 7, "prompt": "Why is the sky blue?"})
    summary = await run_on_server(session, files.source, files.target)
    assert (summary.total, summary.done, summary.is_success) == (2, 2, True)
    by_id = {result["custom_id"]: result for result in files.results}
    assert by_id.keys() == {"any id: 青", 7}
    result = by_id[7]
    message = result["response"]["body"]
    assert message["type"] == "message"
    assert "Rayleigh" in message["content"][0]["text"]
    assert result["usage"]["prompt_tokens"] == message["usage"]["input_tokens"]
    assert result["cost"] is None  # the endpoint does not report it
    assert result["batch_id"].startswith("msgbatch_")
    assert not record.exists()
    assert get_paths(emulator) == ["POST ", "GET ", "GET "]


async def test_a_body_is_part_of_a_batch_unchanged(session, emulator, files):
    line = build_claude_line("a", system="Be brief.", top_k=3)
    files.write(line)
    await run_on_server(session, files.source, files.target)
    (request,) = emulator.requests[0].body["requests"]
    assert request["params"] == line["body"]


async def test_a_prompt_becomes_a_message_of_the_anthropic_dialect(session, emulator, files):
    files.write({"id": "a", "prompt": "Why?", "system": "Be brief.", "model": CLAUDE})
    await run_on_server(session, files.source, files.target)
    (request,) = emulator.requests[0].body["requests"]
    assert request["params"]["system"] == "Be brief."
    assert request["params"]["max_tokens"] == 4096


async def test_many_requests_are_split_into_several_batches(session, emulator, files):
    files.write_prompts(10)
    assert (await run_on_server(session, files.source, files.target, batch_size=4)).is_success
    sizes = [len(r.body["requests"]) for r in emulator.requests if r.method == "POST"]
    assert sizes == [4, 4, 2]
    assert emulator.billed == 10


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (build_claude_line("a", model="openai/gpt-4o"), "only has Claude"),
        (build_claude_line("a", messages=[{"role": "system", "content": "x"}]), "role is 'system'"),
        ({"custom_id": "a", "body": {"model": CLAUDE, "messages": []}}, "max_tokens"),
        ({"id": "a", "prompt": "x", "model": "gpt-4"}, "only has Claude"),
    ],
)
async def test_a_request_that_the_endpoint_cannot_take_is_refused_before_anything_is_sent(
    session, emulator, files, line, problem
):
    files.write(line)
    with pytest.raises(InputError, match="line 1") as caught:
        await run_on_server(session, files.source, files.target)
    assert problem in str(caught.value)
    assert emulator.requests == []


async def test_a_request_that_failed_on_the_server_is_a_failure(session, emulator, files):
    files.write(build_claude_line("a", temperature=9), build_claude_line("b"))
    summary = await run_on_server(session, files.source, files.target)
    assert (summary.failed, summary.errors) == (1, {"errored": 1})
    failed = next(result for result in files.results if result["error"])
    assert failed["custom_id"] == "a"
    assert "temperature" in failed["error"]["message"]


async def test_a_failure_is_sent_again_with_retry_failed(session, emulator, files):
    files.write(build_claude_line("a", temperature=9))
    await run_on_server(session, files.source, files.target)
    files.write(build_claude_line("a"))
    assert (await run_on_server(session, files.source, files.target, retry_failed=True)).is_success
    assert files.ids == ["a"]


# --- resuming ------------------------------------------------------------------------------------


async def start_and_cancel_run(session, emulator, files, **options):
    """Cancel a run once it polls; the batches run until they have been polled once more."""
    batches = emulator._service.batches
    batches.polls = 1000
    is_polled = asyncio.Event()

    def note(summary):
        if any(request.method == "GET" for request in emulator.requests):
            is_polled.set()

    task = asyncio.ensure_future(
        run_on_server(session, files.source, files.target, on_progress=note, **options)
    )
    await is_polled.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    batches.polls = 1
    for batch in batches._batches.values():
        batch.polls_left = 1


async def test_a_running_batch_is_found_again_and_not_created_twice(
    session, emulator, files, record
):
    files.write_prompts(5)
    await start_and_cancel_run(session, emulator, files, batch_size=2)
    assert len(record.read_bytes().splitlines()) == 3
    assert files.target.read_bytes() == b""
    assert (await run_on_server(session, files.source, files.target)).is_success
    assert get_paths(emulator).count("POST ") == 3
    assert emulator.billed == 5
    assert len(set(files.ids)) == len(files.ids) == 5
    assert not record.exists()


async def test_requests_added_to_the_input_become_another_batch(session, emulator, files):
    files.write_prompts(2)
    await start_and_cancel_run(session, emulator, files)
    files.write_prompts(3)
    assert (await run_on_server(session, files.source, files.target)).is_success
    posts = [request.body for request in emulator.requests if request.method == "POST"]
    assert [len(body["requests"]) for body in posts] == [2, 1]


async def test_a_run_killed_before_it_deleted_the_record_writes_no_result_twice(
    session, emulator, files, record
):
    files.write_prompts(3)
    await start_and_cancel_run(session, emulator, files)
    recorded = record.read_bytes()
    await run_on_server(session, files.source, files.target)
    lines = files.target.read_bytes().splitlines(keepends=True)
    files.target.write_bytes(b"".join(lines[:2]))
    record.write_bytes(recorded)
    assert (await run_on_server(session, files.source, files.target)).before == 2
    assert len(set(files.ids)) == len(files.ids) == 3
    assert emulator.billed == 3


async def test_requests_on_the_server_are_not_sent_by_a_client_side_run(session, emulator, files):
    files.write_prompts(2)
    await start_and_cancel_run(session, emulator, files)
    with pytest.raises(InputError, match="still on the server"):
        await run(session, files.source, files.target)
    assert not any(request.path.endswith("completions") for request in emulator.requests)


async def test_a_changed_request_on_the_server_is_refused(session, emulator, files):
    files.write_prompts(1)
    await start_and_cancel_run(session, emulator, files)
    files.write({"id": "row-0", "prompt": "another"})
    with pytest.raises(InputError, match="'row-0' differs"):
        await run_on_server(session, files.source, files.target)


async def test_results_of_a_client_side_run_are_not_requested_again(session, emulator, files):
    files.write_prompts(2)
    await run(session, files.source, files.target)
    files.write_prompts(3)
    assert (await run_on_server(session, files.source, files.target)).is_success
    (body,) = [request.body for request in emulator.requests if request.path == "/v1/batches"
               and request.method == "POST"]  # fmt: skip
    assert len(body["requests"]) == 1


async def test_a_batch_that_the_server_does_not_know_is_an_error_and_stays_recorded(
    session, emulator, files, record
):
    files.write_prompts(1)
    await start_and_cancel_run(session, emulator, files)
    emulator._service.batches._batches.clear()
    with pytest.raises(NotFoundError):
        await run_on_server(session, files.source, files.target)
    assert record.exists()


# --- creating and cancelling ---------------------------------------------------------------------


async def test_creating_a_batch_is_attempted_once_even_if_the_server_fails(emulator, files):
    emulator.fail(status=502)
    files.write_prompts(1)
    async with ChatSession("k", base_url=emulator.base_url) as session:
        with pytest.raises(ServerError):
            await run_on_server(session, files.source, files.target)
    assert get_paths(emulator) == ["POST "]


async def test_a_poll_that_fails_is_attempted_again(files):
    async with (
        Emulator() as emulator,
        ChatSession(
            "k", base_url=emulator.base_url, retry=RetryPolicy(attempts=2, base_delay=0.001)
        ) as session,
    ):
        files.write_prompts(1)
        failures = iter([503])

        def fail_once(summary):
            if len(emulator.requests) == 2:  # a batch was created and polled once
                for status in failures:
                    emulator.fail(status=status)

        await run_on_server(session, files.source, files.target, on_progress=fail_once)
    assert get_paths(emulator) == ["POST ", "GET ", "GET ", "GET "]


async def test_cancelling_a_batch_leaves_its_requests_pending(session, emulator, files, record):
    files.write_prompts(3)
    await start_and_cancel_run(session, emulator, files)
    summary = await run_on_server(session, files.source, files.target, cancel=True)
    assert (summary.done, summary.left) == (0, 3)
    assert emulator.billed == 0
    assert not record.exists()
    assert (await run_on_server(session, files.source, files.target)).is_success


async def test_cancelling_a_finished_batch_fetches_its_results(session, emulator, files, record):
    files.write_prompts(3)
    await start_and_cancel_run(session, emulator, files)
    for batch in emulator._service.batches._batches.values():
        batch.polls_left = 0
        await emulator._service.batches.poll(batch.id)
    summary = await run_on_server(session, files.source, files.target, cancel=True)
    assert summary.is_success
    assert get_paths(emulator)[-2].startswith("POST /cancel/")


async def test_a_device_is_refused_as_the_output(session, emulator, files):
    files.write_prompts(1)
    with pytest.raises(ConfigurationError, match="need a file"):
        await run_on_server(session, files.source, "/dev/null")
    assert emulator.requests == []


async def test_no_batch_is_created_once_the_budget_of_the_session_is_spent(emulator, files):
    files.write(build_claude_line("1"))
    async with ChatSession("k", base_url=emulator.base_url) as session:
        await run_on_server(session, files.source, files.target)
    files.write(build_claude_line("1"), build_claude_line("2"))
    emulator.requests.clear()
    async with ChatSession("k", base_url=emulator.base_url, budget_usd=0) as session:
        with pytest.raises(BudgetExceededError):
            await run_on_server(session, files.source, files.target)
        files.write(build_claude_line("1"))
        assert (await run_on_server(session, files.source, files.target)).is_success
    assert emulator.requests == []

"""The vendor's batch endpoint: handed in, looked at, fetched, cancelled; and found again."""

import asyncio
import json

import pytest

from aimlchat import BadRequestError, ChatSession, ConfigurationError, NotFoundError, ServerError
from aimlchat.batch import InputError, batches_api, run, run_on_server
from aimlchat.batch import server_side as server
from aimlchat.emulator import Emulator

CLAUDE = "anthropic/claude-sonnet-4"


@pytest.fixture(autouse=True)
def _look_often(monkeypatch):
    monkeypatch.setattr(server, "_FIRST_POLL", 0.01)


@pytest.fixture
def register(files):
    return files.target.with_name("results.jsonl.batches")


def claude(custom_id, **body):
    messages = [{"role": "user", "content": "Why?"}]
    whole = {"model": CLAUDE, "max_tokens": 100, "messages": messages, **body}
    return {"custom_id": custom_id, "body": whole}


def paths_of(emulator):
    return [
        f"{request.method} {request.path.removeprefix('/v1/batches')}"
        for request in emulator.requests
    ]


async def test_every_request_has_its_message(session, emulator, files, register):
    files.write(claude("any id: 青"), {"id": 7, "prompt": "Why is the sky blue?"})
    summary = await run_on_server(session, files.source, files.target)
    assert (summary.total, summary.done, summary.is_success) == (2, 2, True)
    by_id = {result["custom_id"]: result for result in files.results}
    assert by_id.keys() == {"any id: 青", 7}
    result = by_id[7]
    message = result["response"]["body"]
    assert message["type"] == "message"
    assert "Rayleigh" in message["content"][0]["text"]
    assert result["usage"]["prompt_tokens"] == message["usage"]["input_tokens"]
    assert result["cost"] is None  # the endpoint does not say
    assert result["batch_id"].startswith("msgbatch_")
    assert not register.exists()
    assert paths_of(emulator) == ["POST ", "GET ", "GET "]


async def test_a_body_is_handed_in_as_it_stands(session, emulator, files):
    line = claude("a", system="Be brief.", top_k=3)
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


async def test_many_requests_go_in_several_batches(session, emulator, files):
    files.prompts(10)
    assert (await run_on_server(session, files.source, files.target, batch_size=4)).is_success
    sizes = [len(r.body["requests"]) for r in emulator.requests if r.method == "POST"]
    assert sizes == [4, 4, 2]
    assert emulator.billed == 10


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (claude("a", model="openai/gpt-4o"), "only has Claude"),
        (claude("a", messages=[{"role": "system", "content": "x"}]), "role is 'system'"),
        ({"custom_id": "a", "body": {"model": CLAUDE, "messages": []}}, "max_tokens"),
        ({"id": "a", "prompt": "x", "model": "gpt-4"}, "only has Claude"),
    ],
)
async def test_what_the_endpoint_cannot_take_is_refused_before_anything_is_sent(
    session, emulator, files, line, said
):
    files.write(line)
    with pytest.raises(InputError, match="line 1") as caught:
        await run_on_server(session, files.source, files.target)
    assert said in str(caught.value)
    assert emulator.requests == []


async def test_a_request_that_failed_there_is_a_failed_row(session, emulator, files):
    files.write(claude("a", temperature=9), claude("b"))
    summary = await run_on_server(session, files.source, files.target)
    assert (summary.failed, summary.errors) == (1, {"errored": 1})
    failed = next(result for result in files.results if result["error"])
    assert failed["custom_id"] == "a"
    assert "temperature" in failed["error"]["message"]


async def test_a_failure_is_handed_in_again_when_asked(session, emulator, files):
    files.write(claude("a", temperature=9))
    await run_on_server(session, files.source, files.target)
    files.write(claude("a"))
    assert (await run_on_server(session, files.source, files.target, retry_failed=True)).is_success
    assert files.ids == ["a"]


# --- finding it again ----------------------------------------------------------------------------


async def begin_and_leave(session, emulator, files, **how):
    """Hand in, and leave as soon as it is looked at; one more look will find it running."""
    batches = emulator._service.batches
    batches.looks = 1000
    looked = asyncio.Event()

    def note(summary):
        if any(request.method == "GET" for request in emulator.requests):
            looked.set()

    task = asyncio.ensure_future(
        run_on_server(session, files.source, files.target, on_progress=note, **how)
    )
    await looked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    batches.looks = 1
    for batch in batches._batches.values():
        batch.looks_left = 1


async def test_a_batch_that_runs_is_found_again_and_not_made_anew(
    session, emulator, files, register
):
    files.prompts(5)
    await begin_and_leave(session, emulator, files, batch_size=2)
    assert len(register.read_bytes().splitlines()) == 3
    assert files.target.read_bytes() == b""
    assert (await run_on_server(session, files.source, files.target)).is_success
    assert paths_of(emulator).count("POST ") == 3
    assert emulator.billed == 5
    assert len(set(files.ids)) == len(files.ids) == 5
    assert not register.exists()


async def test_rows_that_are_new_meanwhile_are_handed_in_as_well(session, emulator, files):
    files.prompts(2)
    await begin_and_leave(session, emulator, files)
    files.prompts(3)
    assert (await run_on_server(session, files.source, files.target)).is_success
    posts = [request.body for request in emulator.requests if request.method == "POST"]
    assert [len(body["requests"]) for body in posts] == [2, 1]


async def test_a_run_killed_between_the_results_and_the_note_writes_none_twice(
    session, emulator, files, register
):
    files.prompts(3)
    await begin_and_leave(session, emulator, files)
    note = register.read_bytes()
    await run_on_server(session, files.source, files.target)
    lines = files.target.read_bytes().splitlines(keepends=True)
    files.target.write_bytes(b"".join(lines[:2]))
    register.write_bytes(note)
    assert (await run_on_server(session, files.source, files.target)).before == 2
    assert len(set(files.ids)) == len(files.ids) == 3
    assert emulator.billed == 3


async def test_requests_that_are_on_the_server_are_not_sent_from_here_too(session, emulator, files):
    files.prompts(2)
    await begin_and_leave(session, emulator, files)
    with pytest.raises(InputError, match="on the server still"):
        await run(session, files.source, files.target)
    assert not any(request.path.endswith("completions") for request in emulator.requests)


async def test_a_changed_request_on_the_server_is_named(session, emulator, files):
    files.prompts(1)
    await begin_and_leave(session, emulator, files)
    files.write({"id": "row-0", "prompt": "another"})
    with pytest.raises(InputError, match="'row-0' is another one"):
        await run_on_server(session, files.source, files.target)


async def test_what_was_answered_from_here_is_not_handed_in(session, emulator, files):
    files.prompts(2)
    await run(session, files.source, files.target)
    files.prompts(3)
    assert (await run_on_server(session, files.source, files.target)).is_success
    (body,) = [request.body for request in emulator.requests if request.path == "/v1/batches"
               and request.method == "POST"]  # fmt: skip
    assert len(body["requests"]) == 1


async def test_a_batch_that_the_server_has_forgotten_is_told(session, emulator, files, register):
    files.prompts(1)
    await begin_and_leave(session, emulator, files)
    emulator._service.batches._batches.clear()
    with pytest.raises(NotFoundError):
        await run_on_server(session, files.source, files.target)
    assert register.exists()


async def test_a_note_that_is_none_is_named(session, files, register):
    files.prompts(1)
    register.write_bytes(b"what?\n")
    with pytest.raises(InputError, match=r"batches, line 1: it does not name a batch"):
        await run_on_server(session, files.source, files.target)


# --- creating and cancelling ---------------------------------------------------------------------


async def test_a_batch_is_created_once_even_if_the_answer_fails(emulator, files):
    emulator.fail(status=502)
    files.prompts(1)
    async with ChatSession("k", base_url=emulator.base_url) as session:
        with pytest.raises(ServerError):
            await run_on_server(session, files.source, files.target)
    assert paths_of(emulator) == ["POST "]


async def test_a_look_that_fails_is_tried_again(files):
    async with (
        Emulator() as emulator,
        ChatSession("k", base_url=emulator.base_url) as session,
    ):
        files.prompts(1)

        def fail_once(summary, left=[1]):  # noqa: B006 - it counts
            if summary.done == 0 and len(emulator.requests) == 2 and left.pop():
                emulator.fail(status=503)

        await run_on_server(session, files.source, files.target, on_progress=fail_once)
    assert paths_of(emulator) == ["POST ", "GET ", "GET ", "GET "]


async def test_cancelling_ends_the_batch_and_its_rows_stay_to_be_done(
    session, emulator, files, register
):
    files.prompts(3)
    await begin_and_leave(session, emulator, files)
    summary = await run_on_server(session, files.source, files.target, cancel=True)
    assert (summary.done, summary.left) == (0, 3)
    assert emulator.billed == 0
    assert not register.exists()
    assert (await run_on_server(session, files.source, files.target)).is_success


async def test_cancelling_what_is_finished_fetches_it(session, emulator, files, register):
    files.prompts(3)
    await begin_and_leave(session, emulator, files)
    for batch in emulator._service.batches._batches.values():
        batch.looks_left = 0
        emulator._service.batches.look(batch.id)
    summary = await run_on_server(session, files.source, files.target, cancel=True)
    assert summary.is_success
    assert paths_of(emulator)[-2].startswith("POST /cancel/")


async def test_a_stream_is_no_output_for_it(session, emulator, files):
    files.prompts(1)
    with pytest.raises(ConfigurationError, match="needs a file"):
        await run_on_server(session, files.source, "/dev/null")
    assert emulator.requests == []


@pytest.mark.parametrize(
    "requests",
    [
        [],
        [5],
        [{"custom_id": "a b", "params": {"model": CLAUDE}}],
        [{"custom_id": "a", "params": {"model": "gpt-4o"}}],
        [{"custom_id": "a", "params": {"model": CLAUDE}}] * 2,
        [{"custom_id": "a"}],
    ],
)
async def test_the_emulator_refuses_what_the_endpoint_would(session, requests):
    with pytest.raises(BadRequestError, match="requests"):
        await batches_api.create(session, [json.dumps(r).encode() for r in requests])

"""What later runs say about a batch that was not confirmed, and how it is settled."""

import asyncio
import json
import pickle
from datetime import datetime

import attrs
import pytest
from batch_requests import count_created, get_paths

from aimlchat import ConfigurationError, ConnectionFailedError, NotFoundError, ServerError
from aimlchat.batch import InputError, UnconfirmedBatchError, run, run_on_server
from aimlchat.emulator import NoAnswer

CLAUDE = "anthropic/claude-sonnet-4"


# --- what the next run says ----------------------------------------------------------------------


async def test_the_error_says_what_to_look_for_and_what_to_do(lose_response, submit, batches):
    await lose_response()
    with pytest.raises(UnconfirmedBatchError) as caught:
        await submit()
    error = caught.value
    assert (error.requests, error.begun) == (3, False)
    assert datetime.fromisoformat(error.submitted)
    for text in (
        "3 requests (the first is 'row-0')",
        f"submitted at {error.submitted} UTC",
        "https://aimlapi.com/app",
        "--batch-id ID (batch_id= in Python)",
        "--again (again=True)",
    ):
        assert text in str(error)
    copied = pickle.loads(pickle.dumps(error))
    assert (copied.requests, copied.submitted) == (3, error.submitted)


async def test_a_run_from_this_machine_is_refused_as_well(session, emulator, files, lose_response):
    await lose_response()
    with pytest.raises(UnconfirmedBatchError):
        await run(session, files.source, files.target)
    assert get_paths(emulator) == ["POST "]


async def test_a_refused_run_changes_no_file(files, lose_response, submit, batches):
    await lose_response()
    before = batches.path.read_bytes()
    files.write_prompts(9)
    with pytest.raises(UnconfirmedBatchError):
        await submit()
    assert batches.path.read_bytes() == before
    assert {*files.target.parent.iterdir()} == {files.source, files.target, batches.path}


# --- going on with its id ------------------------------------------------------------------------


async def test_the_id_of_the_batch_fetches_its_results(emulator, files, lose_response, submit):
    batch_id = await lose_response()
    assert (await submit(batch_id=f" {batch_id}\n")).is_success
    assert sorted(files.ids) == ["row-0", "row-1", "row-2"]
    assert count_created(emulator) == 1
    assert emulator.billed == 3


async def test_an_id_is_kept_when_the_run_is_stopped_and_may_be_repeated(
    emulator, lose_response, submit, batches
):
    batch_id = await lose_response()
    emulator._service.batches._batches[batch_id].polls_left = 2
    polled = asyncio.Event()
    task = asyncio.ensure_future(
        submit(batch_id=batch_id, on_progress=lambda _: get_paths(emulator)[-1] == "GET "
               and polled.set())
    )  # fmt: skip
    await polled.wait()
    task.cancel()
    await asyncio.wait([task])
    assert [batch.id for batch in batches.read()] == [batch_id]
    assert (await submit(batch_id=batch_id)).is_success
    assert emulator.billed == 3


async def test_an_id_that_the_server_does_not_know_loses_nothing(emulator, lose_response, submit):
    batch_id = await lose_response()
    with pytest.raises(UnconfirmedBatchError, match=r"knows no batch 'a/../b\?c#d'") as caught:
        await submit(batch_id="a/../b?c#d")
    assert isinstance(caught.value.__cause__, NotFoundError)
    assert not caught.value.begun
    with pytest.raises(UnconfirmedBatchError):
        await submit()
    assert (await submit(batch_id=batch_id)).is_success
    assert emulator.billed == 3


@pytest.mark.parametrize(("polls", "texts"), [(0, "other ids"), (3, "the same ids")])
async def test_the_id_of_a_batch_of_other_requests_loses_nothing(  # noqa: PLR0917 - fixtures
    session, emulator, files, lose_response, submit, polls, texts
):
    name = "row" if texts == "the same ids" else "another"
    other = [{"id": f"{name}-{n}", "prompt": f"Another question {n}"} for n in range(4)]
    files.write(*other)
    emulator.fault(NoAnswer())
    other_target = files.target.with_name("other.jsonl")
    with pytest.raises(ConnectionFailedError):
        await run_on_server(session, files.source, other_target)
    (other_id,) = emulator._service.batches._batches
    emulator._service.batches._batches[other_id].polls_left = polls

    batch_id = await lose_response()
    with pytest.raises(UnconfirmedBatchError, match="4 other requests, and none of 3"):
        await submit(batch_id=other_id)
    assert files.target.read_bytes() == b""
    with pytest.raises(UnconfirmedBatchError):
        await submit()
    assert (await submit(batch_id=batch_id)).is_success
    assert count_created(emulator) == 2


async def test_the_id_of_a_batch_that_ended_without_results_loses_nothing(
    emulator, lose_response, submit
):
    batch_id = await lose_response()
    emulator._service.batches.cancel(batch_id)
    with pytest.raises(UnconfirmedBatchError, match="ended without results"):
        await submit(batch_id=batch_id)
    assert (await submit(again=True)).is_success
    assert emulator.billed == 3


async def test_an_id_is_refused_if_no_batch_waits_for_one(emulator, files, submit):
    files.write_prompts(1)
    with pytest.raises(InputError, match="no batch of this output waits for its id"):
        await submit(batch_id="b1")
    assert emulator.requests == []


async def test_a_failure_to_fetch_keeps_the_id(emulator, lose_response, submit, batches):
    batch_id = await lose_response()
    emulator.fail(status=500)
    with pytest.raises(ServerError):
        await submit(batch_id=batch_id)
    assert [batch.id for batch in batches.read()] == [batch_id]
    assert (await submit()).is_success
    assert emulator.billed == 3


async def test_a_batch_can_be_cancelled_by_its_id(emulator, lose_response, submit, batches):
    batch_id = await lose_response()
    summary = await submit(batch_id=batch_id, cancel=True)
    assert (summary.done, summary.left) == (0, 3)
    assert emulator.billed == 0
    assert not batches.path.exists()


async def test_cancelling_without_an_id_cancels_the_batches_that_are_known(
    emulator, lose_response, submit, batches
):
    await lose_response()
    (lost,) = batches.read()
    body = {"requests": [{"custom_id": "a", "params": {"model": CLAUDE}}]}
    known = emulator._service.batches.create(attrs.evolve(emulator.requests[0], body=body))
    known_id = json.loads(known.body)["id"]
    batches.confirm(batches.submit([("row-9", "")]), known_id)
    with pytest.raises(UnconfirmedBatchError):
        await submit(cancel=True)
    assert batches.read() == [lost]


# --- submitting again ----------------------------------------------------------------------------


async def test_again_submits_the_requests_again(emulator, files, lose_response, submit, batches):
    await lose_response()
    assert (await submit(again=True)).is_success
    assert count_created(emulator) == 2
    assert sorted(files.ids) == ["row-0", "row-1", "row-2"]
    assert not batches.path.exists()


async def test_again_keeps_the_record_if_the_input_is_refused(
    files, lose_response, submit, batches
):
    await lose_response()
    files.write(b"no JSON\n")
    with pytest.raises(InputError, match="line 1"):
        await submit(again=True)
    assert len(batches.read()) == 1


async def test_again_changes_nothing_without_an_unconfirmed_batch(emulator, files, submit):
    files.write_prompts(2)
    assert (await submit(again=True)).is_success
    assert (await submit(again=True)).before == 2
    assert count_created(emulator) == 1


@pytest.mark.parametrize(
    "options",
    [{"again": True, "cancel": True}, {"again": True, "batch_id": "b1"}, {"batch_id": " "}],
)
async def test_options_that_exclude_each_other_are_refused(emulator, files, submit, options):
    files.write_prompts(1)
    with pytest.raises(ConfigurationError):
        await submit(**options)
    assert emulator.requests == []


async def test_an_id_that_is_no_text_is_a_type_error(emulator, files, submit):
    files.write_prompts(1)
    with pytest.raises(TypeError, match="batch_id is 17"):
        await submit(batch_id=17)
    assert emulator.requests == []

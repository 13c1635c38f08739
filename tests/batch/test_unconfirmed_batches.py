"""A batch whose creation no response has confirmed is never submitted again by itself."""

import asyncio
import os
import subprocess
import sys

import pytest
from batch_requests import count_created, get_paths

from aimlchat import (
    AIMLChatError,
    AuthenticationError,
    ChatSession,
    ConnectionFailedError,
    ProtocolError,
    RequestTimeoutError,
    RetryPolicy,
    Timeouts,
)
from aimlchat.batch import UnconfirmedBatchError, run_on_server, server_side
from aimlchat.batch.server_batches import ServerBatches
from aimlchat.emulator import BrokenJson, Cut, Html, NoAnswer, Stall

CLAUDE = "anthropic/claude-sonnet-4"


# --- which errors leave a batch unconfirmed ------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (NoAnswer("close"), ConnectionFailedError),
        (NoAnswer("reset"), ConnectionFailedError),
        (Cut(20), ProtocolError),
        (Cut(20, "end"), ProtocolError),
        (Html(), ProtocolError),
        (BrokenJson(), ProtocolError),
        (Stall(before="headers"), RequestTimeoutError),
        (Stall(after=1), RequestTimeoutError),
    ],
)
async def test_a_lost_response_leaves_the_batch_unconfirmed(emulator, files, batches, fault, kind):
    files.write_prompts(2)
    emulator.fault(fault)
    timeouts = Timeouts(first_token=0.05, idle=0.05) if isinstance(fault, Stall) else Timeouts()
    async with ChatSession(
        "k", base_url=emulator.base_url, model=CLAUDE, timeouts=timeouts
    ) as session:
        with pytest.raises(kind) as caught:
            await run_on_server(session, files.source, files.target)
        assert "not known whether the server has created the batch" in caught.value.__notes__[-1]
        (batch,) = batches.read()
        assert batch.id is None
        for _ in range(2):
            with pytest.raises(UnconfirmedBatchError):
                await run_on_server(session, files.source, files.target)
    assert get_paths(emulator) == ["POST "]


@pytest.mark.parametrize("status", [302, 408, 499, 502, 529])
async def test_a_status_that_is_no_refusal_leaves_the_batch_unconfirmed(
    emulator, files, submit, status
):
    files.write_prompts(1)
    emulator.fail(status=status)
    with pytest.raises(AIMLChatError) as caught:
        await submit()
    assert "--batch-id" in caught.value.__notes__[-1]
    with pytest.raises(UnconfirmedBatchError):
        await submit()
    assert get_paths(emulator) == ["POST "]


@pytest.mark.parametrize("status", [400, 401, 404, 413, 429])
async def test_a_refusal_leaves_no_record_and_the_next_run_submits(
    emulator, files, submit, batches, status
):
    files.write_prompts(1)
    emulator.fail(status=status)
    with pytest.raises(AIMLChatError) as caught:
        await submit()
    assert not hasattr(caught.value, "__notes__")
    assert not batches.path.exists()
    assert (await submit()).is_success
    assert emulator.billed == 1


async def test_a_refusal_under_the_status_200_is_a_refusal(emulator, files, submit, batches):
    files.write_prompts(1)
    emulator.fail(status=200, body={"message": "no such key", "statusCode": 401})
    with pytest.raises(AuthenticationError, match="no such key"):
        await submit()
    assert not batches.path.exists()


async def test_a_server_that_cannot_be_reached_leaves_no_record(files, batches):
    files.write_prompts(1)
    async with ChatSession(
        "k", base_url="http://127.0.0.1:9/v1", model=CLAUDE, retry=RetryPolicy(attempts=1)
    ) as session:
        with pytest.raises(ConnectionFailedError) as caught:
            await run_on_server(session, files.source, files.target)
    assert not caught.value.sent
    assert not batches.path.exists()
    assert not files.target.exists()


async def test_a_batch_that_follows_a_lost_one_is_not_created(emulator, files, submit, batches):
    files.write_prompts(5)
    requests = len(emulator.requests)

    def lose_second(summary):
        if len(emulator.requests) == requests:
            emulator.fault(Cut(9999))  # beyond the end of the first response
            emulator.fault(NoAnswer())

    with pytest.raises(ConnectionFailedError):
        await submit(batch_size=2, on_progress=lose_second)
    assert [len(batch.members) for batch in batches.read() if batch.id is None] == [2]
    assert len(batches.read()) == count_created(emulator) == 2
    with pytest.raises(UnconfirmedBatchError):
        await submit()
    lost = [*emulator._service.batches._batches][-1]
    assert (await submit(batch_id=lost)).is_success
    assert emulator.billed == len(set(files.ids)) == len(files.ids) == 5


# --- cancelling, and death -----------------------------------------------------------------------


async def start_and_cancel(emulator, submit):
    task = asyncio.ensure_future(submit())
    while not count_created(emulator):  # noqa: ASYNC110 - the emulator has no event for it
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    return getattr(caught.value, "__notes__", [])


async def test_a_cancelled_run_waits_a_little_for_the_response(
    emulator, files, submit, batches, monkeypatch
):
    files.write_prompts(2)
    monkeypatch.setattr(server_side, "_CANCEL_GRACE", 0.02)
    emulator.fault(Stall(before="headers"))
    (note,) = await start_and_cancel(emulator, submit)
    assert "--batch-id" in note
    (batch,) = batches.read()
    assert batch.id is None
    await emulator.no_connections()


async def test_a_response_that_arrives_after_the_cancellation_confirms_the_batch(
    emulator, files, submit, batches
):
    files.write_prompts(2)
    emulator.fail(status=401)
    await asyncio.gather(submit(), return_exceptions=True)
    assert not batches.path.exists()
    assert await start_and_cancel(emulator, submit) == []
    (batch,) = batches.read()
    assert [batch.id] == [*emulator._service.batches._batches]


# The imports would take most of the time of a run, so the runs are forks of one process.
KILLED = """
import os, sys
from aimlchat.batch import server_batches, server_side
from aimlchat.cli import main
import aimlchat.cli.batch_command

def die(*_):
    os.kill(os.getpid(), 9)

for moment in range(4):
    child = os.fork()
    if not child:
        if moment == 0:
            server_batches.sync_file = die
        elif moment == 1:
            server_side.create_batch = die
        elif moment == 2:
            server_batches.ServerBatches.confirm = die
        else:
            server_batches.sync_folder = die
        output = f"{sys.argv[1]}/{moment}.jsonl"
        sys.argv[1:] = ["batch", f"{sys.argv[1]}/requests.jsonl", "-o", output, "--server-side"]
        main()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has neither fork nor kill -9")
def test_a_killed_run_leaves_a_record_unless_it_had_not_reached_the_request(
    files, aimlchat_emulator
):
    files.write(*({"id": n, "prompt": "Why?", "model": CLAUDE} for n in range(3)))
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(files.source.parent)],
        env=os.environ | {"AIMLAPI_API_KEY": "k", "AIMLAPI_BASE_URL": aimlchat_emulator.base_url},
        check=True,
        capture_output=True,
    )
    assert done.stdout.split() == [b"-9"] * 4
    targets = [files.target.with_name(f"{moment}.jsonl") for moment in range(4)]
    recorded = [[batch.id for batch in ServerBatches(target).read()] for target in targets]
    # Before the record was whole, before the request, before the response was recorded, and
    # between the record and the request.
    assert recorded == [[], [None], [None], [None]]
    assert count_created(aimlchat_emulator) == 1

"""A disk that cannot lock, sync or write: each failure is an error of the batch with its file."""

import errno
import os

import pytest

from aimlchat.batch import (
    BusyError,
    OutputFileError,
    UnconfirmedBatchError,
    run,
    run_on_server,
)
from aimlchat.batch.server_batches import ServerBatches

CLAUDE = "anthropic/claude-sonnet-4"


def fail_with(number):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.skipif(os.name == "nt", reason="Windows has other locks")
@pytest.mark.parametrize(
    "number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EBADF]
)
async def test_a_file_system_without_locks_is_told_as_that(
    session, emulator, files, monkeypatch, number
):
    files.write_prompts(1)
    monkeypatch.setattr("fcntl.flock", fail_with(number))
    with pytest.raises(OutputFileError, match="file system without locks") as caught:
        await run(session, files.source, files.target)
    message = str(caught.value)
    assert os.strerror(number) in message
    assert message.startswith(f"{files.target} is on a file system")
    assert message.count("othing was sent") == 1
    assert not caught.value.begun
    assert emulator.requests == []
    assert not files.target.exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has other locks")
@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EACCES])
async def test_a_lock_that_another_process_holds_is_told_as_that(
    session, files, monkeypatch, number
):
    files.write_prompts(1)
    monkeypatch.setattr("fcntl.flock", fail_with(number))
    with pytest.raises(BusyError, match="another run is writing"):
        await run(session, files.source, files.target)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
async def test_results_that_may_not_be_on_the_disk_are_reported(
    session, files, monkeypatch, number
):
    files.write_prompts(2)
    monkeypatch.setattr("os.fsync", fail_with(number))
    with pytest.raises(OutputFileError, match="cannot be written to the disk") as caught:
        await run(session, files.source, files.target)
    assert str(files.target) in str(caught.value)
    assert os.strerror(number) in str(caught.value)
    assert caught.value.begun
    assert len(files.ids) == 2


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
async def test_a_file_system_that_cannot_sync_is_used_as_it_is(
    session, emulator, files, monkeypatch, number
):
    files.write_prompts(2)
    emulator.fail(status=400)
    monkeypatch.setattr("os.fsync", fail_with(number))
    assert (await run(session, files.source, files.target, concurrency=1)).failed == 1
    assert (await run(session, files.source, files.target, retry_failed=True)).is_success


async def test_a_rewrite_that_fails_leaves_the_output_and_no_copy(
    session, emulator, files, monkeypatch
):
    files.write_prompts(2)
    emulator.fail(status=400)
    await run(session, files.source, files.target, concurrency=1)
    before = files.target.read_bytes()
    monkeypatch.setattr("os.fsync", fail_with(errno.ENOSPC))
    with pytest.raises(OutputFileError, match="No space left"):
        await run(session, files.source, files.target, retry_failed=True)
    assert files.target.read_bytes() == before
    assert {*files.target.parent.iterdir()} == {files.source, files.target}


async def test_a_batch_that_cannot_be_recorded_is_not_created(
    session, emulator, files, monkeypatch
):
    files.write({"id": "a", "prompt": "A", "model": CLAUDE})
    monkeypatch.setattr("os.fsync", fail_with(errno.ENOSPC))
    with pytest.raises(
        OutputFileError, match=r"results.jsonl.batches.* No space left.* not submitted"
    ) as caught:
        await run_on_server(session, files.source, files.target)
    assert not caught.value.begun
    assert emulator.requests == []
    assert not [*files.target.parent.glob("*.batches*")]


async def test_an_id_that_cannot_be_recorded_is_told_and_can_be_given_to_the_next_run(
    session, emulator, files, monkeypatch
):
    files.write({"id": "a", "prompt": "A", "model": CLAUDE})
    sync = os.fsync

    def fail_after_creation(file):
        if emulator.requests:
            fail_with(errno.ENOSPC)()
        sync(file)

    monkeypatch.setattr("os.fsync", fail_after_creation)
    with pytest.raises(OutputFileError, match=r"msgbatch_\w+ was created, but") as caught:
        await run_on_server(session, files.source, files.target)
    assert caught.value.begun
    monkeypatch.undo()
    (batch_id,) = emulator._service.batches._batches
    assert f"--batch-id {batch_id}" in caught.value.__notes__[0]
    with pytest.raises(UnconfirmedBatchError):
        await run_on_server(session, files.source, files.target)
    summary = await run_on_server(session, files.source, files.target, batch_id=batch_id)
    assert summary.is_success
    assert emulator.billed == 1


def test_a_record_that_cannot_be_deleted_is_reported(tmp_path, monkeypatch):
    batches = ServerBatches(tmp_path / "results.jsonl")
    batch = batches.submit([])
    monkeypatch.setattr("pathlib.Path.unlink", fail_with(errno.EIO))
    with pytest.raises(OutputFileError, match=r"batches cannot be changed: Input/output error"):
        batches.replace(batch, None)


async def test_results_that_could_not_be_written_survive_an_error_of_closing(
    session, files, monkeypatch
):
    files.write_prompts(1)

    def fail(summary):
        if not summary.done:
            for function in ("write", "fsync"):
                monkeypatch.setattr(f"aimlchat.batch.journal.os.{function}", fail_with(errno.EIO))

    with pytest.raises(OutputFileError) as caught:
        await run(session, files.source, files.target, on_progress=fail)
    ((custom_id, _),) = caught.value.unwritten
    assert custom_id == "row-0"

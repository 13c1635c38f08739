"""A full disk: before the first request, or during the run."""

import errno
import json
import os
import subprocess
import sys

import pytest

from aimlchat.batch import OutputFileError, run
from aimlchat.batch.journal import Journal

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Disk:
    """Lets the journal write ``room`` more bytes; the last write may be part of a line."""

    def __init__(self, monkeypatch) -> None:
        self.room = 1 << 40
        self._write = os.write
        monkeypatch.setattr("aimlchat.batch.journal.os.write", self.write)

    def write(self, file, data):
        if not self.room:
            raise FULL
        count = self._write(file, bytes(data)[: self.room])
        self.room -= count
        return count


@pytest.fixture
def disk(monkeypatch):
    return Disk(monkeypatch)


async def test_a_full_disk_is_reported_before_the_first_request(session, emulator, files, disk):
    files.write_prompts(3)
    disk.room = 100
    with pytest.raises(OutputFileError, match=r"No space left.*nothing was sent") as caught:
        await run(session, files.source, files.target)
    assert not caught.value.begun
    assert emulator.requests == []
    assert not files.target.exists()


async def test_a_disk_that_fills_up_stops_the_run_without_losing_a_result(
    session, emulator, files, disk
):
    files.write_prompts(100)

    def fill(summary):
        if summary.done == 10:
            disk.room = 700  # less than a line, or a little more

    with pytest.raises(OutputFileError, match="No space left") as caught:
        await run(session, files.source, files.target, concurrency=4, on_progress=fill)
    error = caught.value
    assert error.begun
    assert 1 <= len(error.unwritten) <= 5
    assert len(emulator.requests) <= 16
    # The file holds whole lines; together with `unwritten` they are all that was paid for.
    kept = [json.loads(line) for _, line in error.unwritten]
    assert [result["custom_id"] for result in kept] == [
        custom_id for custom_id, _ in error.unwritten
    ]
    assert len(files.ids) + len(kept) == len(emulator.requests)
    for custom_id, _ in error.unwritten:
        assert repr(custom_id) in str(error)

    disk.room = 1 << 40
    with files.target.open("ab") as file:
        file.writelines(line for _, line in error.unwritten)
    assert (await run(session, files.source, files.target)).is_success
    assert len(set(files.ids)) == len(files.ids) == len(emulator.requests) == 100


async def test_results_are_written_once_there_is_room_again_and_the_run_still_ends(
    session, emulator, files, disk
):
    files.write_prompts(100)
    summaries = []

    def fill_and_empty(summary):
        summaries.append(summary)
        if len(summaries) == 11:  # the first is that of the start
            disk.room = 0
        if len(summaries) == 12:
            disk.room = 1 << 40

    with pytest.raises(OutputFileError) as caught:
        await run(session, files.source, files.target, concurrency=1, on_progress=fill_and_empty)
    assert caught.value.unwritten == ()
    assert len(files.ids) == len(emulator.requests) < 100
    assert [summary.done for summary in summaries[10:12]] == [10, 10]
    assert summaries[-1].done == len(files.ids)


@pytest.mark.parametrize("has_failed", [False, True])
async def test_a_result_that_is_not_in_the_output_is_not_counted_as_done(
    session, emulator, files, disk, has_failed
):
    files.write_prompts(3)
    emulator.reply("One.")
    if has_failed:
        emulator.fail(status=400)
    summaries = []

    def fill(summary):
        summaries.append(summary)
        if summary.done == 1:
            disk.room = 0

    with pytest.raises(OutputFileError) as caught:
        await run(session, files.source, files.target, concurrency=1, on_progress=fill)
    assert len(caught.value.unwritten) == 1
    last = summaries[-1]
    assert (last.done, last.failed, last.errors, last.left) == (1, 0, {}, 2)
    # It was charged in any case.
    usages = [json.loads(line)["usage"] for _, line in caught.value.unwritten]
    usages += [result["usage"] for result in files.results]
    assert last.tokens == sum(usage["total_tokens"] for usage in usages if usage)


async def test_a_line_that_does_not_fit_leaves_no_fragment(tmp_path, disk):
    path = tmp_path / "results.jsonl"
    journal = Journal(path)
    journal.append(b'{"custom_id":1}\n')
    disk.room = 5
    with pytest.raises(OSError, match="No space"):
        journal.append(b'{"custom_id":2}\n')
    disk.room = 100
    journal.append(b'{"custom_id":3}\n')
    disk.room = 5
    with pytest.raises(OSError, match="No space"):
        journal.append(b'{"custom_id":4}\n')
    journal.close()
    assert path.read_bytes() == b'{"custom_id":1}\n{"custom_id":3}\n'


# No file of this process can grow beyond 20,000 bytes, as if the disk were full.
LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
from aimlchat.cli import main
main()
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limits")
def test_the_command_keeps_every_result_when_its_output_cannot_grow(
    files, aimlchat_emulator, tmp_path
):
    files.write_prompts(100)
    command = ["batch", str(files.source), "-o", str(files.target), "--concurrency", "4"]
    command += ["--base-url", aimlchat_emulator.base_url]
    environment = os.environ | {"AIMLAPI_API_KEY": "k", "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, *command], env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    (kept,) = tmp_path.glob("aimlchat-results-*.jsonl")
    assert str(kept) in done.stderr
    assert f"{len(files.ids)} answered · 0 failed" in done.stderr
    assert f"{100 - len(files.ids)} of 100 requests have no result yet." in done.stderr
    with files.target.open("ab") as file:
        file.write(kept.read_bytes())
    assert len(set(files.ids)) == len(files.ids) == aimlchat_emulator.billed < 100


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")  # noqa: PTH110
async def test_a_full_device_returns_all_results_unwritten(session, files):
    files.write_prompts(3)
    with pytest.raises(OutputFileError, match="No space left") as caught:
        await run(session, files.source, "/dev/full")
    assert len(caught.value.unwritten) == 3

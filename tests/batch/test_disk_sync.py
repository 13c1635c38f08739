"""When results reach the disk: within a second, or before each of them counts."""

import asyncio
import errno
import os
import threading

import pytest
from virtual_time import run_in_virtual_time

from aimlchat import ChatSession, ConfigurationError
from aimlchat.batch import OutputFileError, run
from aimlchat.emulator import Emulator


class Disk:
    """Records at which time of the loop results are written, and what is on the disk."""

    def __init__(self, monkeypatch) -> None:
        self._loop = asyncio.get_running_loop()
        self._write, self._fsync = os.write, os.fsync
        self.unsynced = []  # the times of the results that are not on the disk
        self.longest = 0.0
        self.synced = 0
        monkeypatch.setattr("aimlchat.batch.journal.os.write", self.write)
        monkeypatch.setattr("aimlchat.batch.disk.os.fsync", self.fsync)

    def write(self, file, data):
        count = self._write(file, data)
        self.unsynced += [self._loop.time()] * bytes(data).count(b"\n")
        return count

    def fsync(self, file):
        self._fsync(file)
        if self.unsynced:
            self.longest = max(self.longest, self._loop.time() - self.unsynced[0])
            self.synced += len(self.unsynced)
            self.unsynced.clear()


async def think(_):
    await asyncio.sleep(0.3)
    return "Yes."


def run_at_once(_, function):
    """Run a function in place of a thread, during which virtual time would pass."""
    done = asyncio.get_running_loop().create_future()
    try:
        done.set_result(function())
    except Exception as error:  # noqa: BLE001 - as an executor does
        done.set_exception(error)
    return done


def run_with_disk(monkeypatch, files, on_progress=None, **options):
    """Answer 40 requests, each of which takes 0.3 s of virtual time, two at once."""

    async def main():
        async with (
            Emulator() as emulator,
            ChatSession("k", base_url=emulator.base_url) as session,
        ):
            emulator.reply(think, times=None)
            disk = Disk(monkeypatch)
            monkeypatch.setattr(asyncio.get_running_loop(), "run_in_executor", run_at_once)
            await run(
                session,
                files.source,
                files.target,
                concurrency=2,
                on_progress=lambda summary: on_progress and on_progress(disk, summary),
                **options,
            )
            return disk

    files.write_prompts(40)
    return run_in_virtual_time(main())


def test_a_result_is_on_the_disk_within_a_second_of_its_arrival(monkeypatch, files):
    disk = run_with_disk(monkeypatch, files)
    assert disk.synced == 40
    assert 0 < disk.longest <= 1


def test_with_each_a_result_counts_once_it_is_on_the_disk(monkeypatch, files):
    reported = []

    def check(disk, summary):
        assert disk.unsynced == []
        reported.append(summary.done)

    disk = run_with_disk(monkeypatch, files, check, fsync="each")
    assert reported == [*range(41)]
    assert (disk.synced, disk.longest) == (40, 0)


@pytest.mark.parametrize("fsync", ["second", "each"])
def test_a_disk_that_fails_stops_the_run_and_what_is_in_flight_is_written(
    monkeypatch, files, fsync
):
    def fail(_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def break_disk(_, summary):
        if summary.done == 10:
            monkeypatch.setattr("aimlchat.batch.disk.os.fsync", fail)

    with pytest.raises(OutputFileError, match="cannot be written to the disk") as caught:
        run_with_disk(monkeypatch, files, break_disk, fsync=fsync)
    assert caught.value.begun
    assert 10 <= len(files.ids) < 20
    assert len(set(files.ids)) == len(files.ids)


async def test_the_name_of_a_new_output_reaches_the_disk_too(session, files, monkeypatch):
    folders = []
    monkeypatch.setattr("aimlchat.batch.journal.sync_folder", folders.append)
    files.write_prompts(2)
    await run(session, files.source, files.target)
    assert folders == [files.target.parent]
    files.write_prompts(3)
    await run(session, files.source, files.target)
    assert folders == [files.target.parent]


async def test_a_cancelled_run_waits_for_the_sync_that_uses_its_file(session, files, monkeypatch):
    started, released = threading.Event(), threading.Event()

    def wait(_):
        started.set()
        assert released.wait(60)

    files.write_prompts(1)
    monkeypatch.setattr("aimlchat.batch.disk.os.fsync", wait)
    reported = []
    running = asyncio.create_task(
        run(session, files.source, files.target, fsync="each", on_progress=reported.append)
    )
    await asyncio.to_thread(started.wait, 60)
    running.cancel()
    done, _ = await asyncio.wait([running], timeout=0.01)
    assert not done
    released.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert len(files.ids) == reported[-1].done == 1


@pytest.mark.parametrize("fsync", ["", "never", None, 1])
async def test_another_word_is_refused(session, emulator, files, fsync):
    files.write_prompts(1)
    with pytest.raises(ConfigurationError, match="'second' or 'each'"):
        await run(session, files.source, files.target, fsync=fsync)
    assert emulator.requests == []
    assert not files.target.exists()

"""Pipes, FIFOs, devices and descriptors as the input and the output of a batch."""

import asyncio
import io
import json
import os
import socket
import tempfile
import threading
from contextlib import closing

import pytest

from aimlchat.batch import InputError, OutputFileError, run
from aimlchat.batch.input_file import InputFile

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
ROWS = b'{"id":"a","prompt":"A"}\n{"id":"b","prompt":"B"}\n'


@pytest.fixture
def pipe():
    """Return the descriptors of a pipe: for reading, and for writing."""
    read_end, write_end = os.pipe()
    open_ends = {read_end, write_end}
    original_close = os.close

    def close(end):
        open_ends.discard(end)
        original_close(end)

    yield read_end, write_end, close
    for end in open_ends:
        original_close(end)


def ids_in(data):
    return sorted(json.loads(line)["custom_id"] for line in data.splitlines())


async def test_the_name_of_a_descriptor_is_read_as_process_substitution_gives_it(
    session, files, pipe
):
    read_end, write_end, close = pipe
    os.write(write_end, ROWS)
    close(write_end)
    assert (await run(session, f"/dev/fd/{read_end}", files.target)).is_success
    assert sorted(files.ids) == ["a", "b"]


async def test_a_fifo_is_read_and_the_event_loop_goes_on_while_nobody_writes(session, files):
    os.mkfifo(files.source)
    batch = asyncio.ensure_future(run(session, files.source, files.target))
    await asyncio.to_thread(files.source.write_bytes, ROWS)  # opens it for writing
    assert (await batch).is_success
    assert sorted(files.ids) == ["a", "b"]


async def test_a_run_that_waits_for_a_fifo_can_be_cancelled(session, files):
    os.mkfifo(files.source)
    batch = asyncio.ensure_future(run(session, files.source, files.target))
    await asyncio.sleep(0)
    batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batch
    assert not files.target.exists()
    await asyncio.to_thread(files.source.write_bytes, b"")  # lets the thread end


async def test_a_socket_is_read_by_the_name_of_its_descriptor(session, files):
    ours, theirs = socket.socketpair()
    with theirs:
        with ours:
            ours.sendall(ROWS)
        assert (await run(session, f"/dev/fd/{theirs.fileno()}", files.target)).is_success
    assert sorted(files.ids) == ["a", "b"]


def test_a_pipe_that_does_not_block_is_read_to_its_end(pipe):
    read_end, write_end, close = pipe
    os.set_blocking(read_end, False)
    opened = []
    reader = threading.Thread(
        target=lambda: opened.append(InputFile(os.fdopen(read_end, "rb", 0, closefd=False), "m"))
    )
    reader.start()  # before anything is written, so that its first read finds nothing
    os.write(write_end, ROWS)
    close(write_end)
    reader.join()
    (source,) = opened
    with closing(source):
        assert [line for _, line in source._read_lines()] == ROWS.splitlines(keepends=True)


async def test_the_copy_of_a_pipe_is_deleted(session, files, pipe, tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    read_end, write_end, close = pipe
    os.write(write_end, ROWS + b"no JSON")
    close(write_end)
    with pytest.raises(InputError, match="line 3"):
        await run(session, f"/dev/fd/{read_end}", files.target)
    assert list(folder.iterdir()) == []


async def test_a_copy_that_cannot_be_written_is_reported(session, files, pipe, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/does/not/exist")
    read_end, write_end, close = pipe
    os.write(write_end, ROWS)
    close(write_end)
    with pytest.raises(InputError, match="temporary file in /does/not/exist: No such file"):
        await run(session, f"/dev/fd/{read_end}", files.target)


async def test_the_input_is_refused_as_the_output_under_the_name_of_a_descriptor(session, files):
    files.source.write_bytes(ROWS)
    with files.source.open("rb") as file, pytest.raises(InputError, match="is the input"):
        await run(session, f"/dev/fd/{file.fileno()}", files.source)
    assert files.source.read_bytes() == ROWS


# --- the output ----------------------------------------------------------------------------------


async def test_results_are_written_to_the_name_of_a_descriptor(session, files, pipe):
    read_end, write_end, close = pipe
    files.source.write_bytes(ROWS)
    assert (await run(session, files.source, f"/dev/fd/{write_end}")).is_success
    close(write_end)
    with os.fdopen(os.dup(read_end), "rb") as reader:
        assert ids_in(reader.read()) == ["a", "b"]


async def test_results_are_written_to_a_fifo(session, files):
    files.source.write_bytes(ROWS)
    os.mkfifo(files.target)
    reading = asyncio.ensure_future(asyncio.to_thread(files.target.read_bytes))
    assert (await run(session, files.source, files.target)).is_success
    assert ids_in(await reading) == ["a", "b"]
    assert {*files.target.parent.iterdir()} == {files.source, files.target}


async def test_a_regular_file_under_the_name_of_a_descriptor_is_resumed(session, emulator, files):
    files.source.write_bytes(ROWS)
    for _ in range(2):
        with files.target.open("ab") as file:
            summary = await run(session, files.source, f"/dev/fd/{file.fileno()}")
    assert summary.before == 2
    assert len(emulator.requests) == 2


async def test_failures_cannot_be_sent_again_from_a_pipe(session, emulator, files, pipe):
    _, write_end, _ = pipe
    files.source.write_bytes(ROWS)
    for target, name in ((f"/dev/fd/{write_end}", f"/dev/fd/{write_end}"), (io.BytesIO(), "the")):
        with pytest.raises(OutputFileError, match=f"{name}.* is not a file") as caught:
            await run(session, files.source, target, retry_failed=True)
        assert not caught.value.begun
    assert emulator.requests == []


async def test_streams_of_text_are_refused(session, files):
    files.source.write_bytes(ROWS)
    with pytest.raises(InputError, match="open as text"):
        await run(session, io.StringIO("{}"), files.target)
    with pytest.raises(OutputFileError, match="open as text"):
        await run(session, files.source, io.StringIO())

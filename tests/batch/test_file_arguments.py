"""The source, the target and the model that the caller gives to a run."""

import gzip
import io
import os
import tempfile

import pytest

from aimlchat import InvalidRequestError
from aimlchat.batch import InputError, OutputFileError, run, run_on_server

ROW = b'{"id":"a","prompt":"A"}\n'
LONG_NAME = "x" * 300


class CoroutineStream:
    """A stream as aiofiles and anyio have it."""

    closed = False

    async def read(self, size=-1): ...

    async def seekable(self): ...

    async def write(self, data): ...

    async def flush(self): ...


@pytest.mark.parametrize(
    "source", [None, 5, [{"id": 1}], {"id": 1}, b"in.jsonl", ["a"], CoroutineStream()]
)
async def test_a_source_of_another_type_is_a_type_error(session, emulator, files, source):
    with pytest.raises(TypeError, match=r"the source is .*; give a path as str or pathlib.Path"):
        await run(session, source, files.target)
    assert not files.target.exists()
    assert emulator.requests == []


@pytest.mark.parametrize("target", [None, 5, [], b"out.jsonl", CoroutineStream()])
async def test_a_target_of_another_type_is_a_type_error(session, emulator, files, target):
    files.source.write_bytes(ROW)
    for function in (run, run_on_server):
        with pytest.raises(
            TypeError, match=r"the target is .*; give a path as str or pathlib.Path"
        ):
            await function(session, files.source, target)
    assert emulator.requests == []


async def test_a_source_stream_that_cannot_be_read_is_an_input_error(session, files, tmp_path):
    files.source.write_bytes(ROW)
    with files.source.open("rb") as closed:
        pass
    with pytest.raises(InputError, match="the input is a closed stream"):
        await run(session, closed, files.target)
    with tempfile.NamedTemporaryFile("w+") as text, pytest.raises(InputError, match="open as text"):
        await run(session, text, files.target)
    with (tmp_path / "x").open("wb") as stream, pytest.raises(InputError, match="cannot be read"):
        await run(session, stream, files.target)
    assert not files.target.exists()


async def test_a_target_stream_that_cannot_be_written_is_refused_before_anything_is_sent(
    session, emulator, files
):
    files.source.write_bytes(ROW)
    closed = io.BytesIO()
    closed.close()
    with files.source.open("rb") as read_only, tempfile.NamedTemporaryFile("w+") as text:
        for target, problem in (
            (closed, "a closed stream"),
            (read_only, "open for reading"),
            (text, "open as text"),
        ):
            with pytest.raises(OutputFileError, match=f"{problem}.*Nothing was sent") as caught:
                await run(session, files.source, target)
            assert not caught.value.begun
    assert emulator.requests == []


async def test_compressed_and_temporary_files_are_streams(session, files, tmp_path):
    with gzip.open(tmp_path / "requests.gz", "wb") as file:
        file.write(ROW)
    with gzip.open(tmp_path / "requests.gz") as source, tempfile.TemporaryFile() as target:
        assert (await run(session, source, target)).is_success
        assert target.tell() > 0
    with tempfile.SpooledTemporaryFile() as source, tempfile.SpooledTemporaryFile() as target:
        source.write(ROW)
        source.seek(0)
        assert (await run(session, source, target)).is_success


@pytest.mark.parametrize(
    ("path", "problem"),
    [("a\0b", "has a NUL character"), ("", "is empty"), ("\ud800", "has a lone surrogate")],
)
async def test_a_path_that_no_file_can_have_is_refused(session, files, path, problem):
    files.source.write_bytes(ROW)
    with pytest.raises(InputError, match=f"the input.* {problem}"):
        await run(session, path, files.target)
    with pytest.raises(OutputFileError, match=f"the output.* {problem}") as caught:
        await run(session, files.source, path)
    assert not caught.value.begun


async def test_a_name_that_is_too_long_is_told(session, files, tmp_path):
    files.source.write_bytes(ROW)
    reason = f"{LONG_NAME} cannot be (read|written): File name too long"
    with pytest.raises(InputError, match=reason):
        await run(session, tmp_path / LONG_NAME, files.target)
    with pytest.raises(OutputFileError, match=reason):
        await run(session, files.source, tmp_path / LONG_NAME)


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
async def test_a_link_to_itself_is_told(session, files, tmp_path):
    files.source.write_bytes(ROW)
    link = tmp_path / "link.jsonl"
    link.symlink_to(link)
    reason = "link.jsonl cannot be (read|written): Too many levels of symbolic links"
    with pytest.raises(InputError, match=reason):
        await run(session, link, files.target)
    with pytest.raises(OutputFileError, match=reason):
        await run(session, files.source, link)


async def test_a_stream_to_the_input_itself_is_refused_as_the_output(session, emulator, files):
    files.source.write_bytes(ROW)
    with files.source.open("rb") as source, files.source.open("ab") as target:
        for given in (source, files.source):
            with pytest.raises(InputError, match="the output is the input"):
                await run(session, given, target)
    assert files.source.read_bytes() == ROW
    assert emulator.requests == []


@pytest.mark.parametrize("model", ["", " ", "m\n", 5])
async def test_a_name_that_no_model_has_is_refused(session, emulator, files, model):
    files.source.write_bytes(ROW)
    for function in (run, run_on_server):
        with pytest.raises(InvalidRequestError, match=r"^model: "):
            await function(session, files.source, files.target, model=model)
    assert not files.target.exists()
    assert emulator.requests == []

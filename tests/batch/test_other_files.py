"""Files that are not the output of a batch are never taken for one, and never changed."""

import json
import os
import shutil

import pytest

from aimlchat.batch import InputError, run


async def refuse(session, files, target, problem):
    """Run the batch, and check that the target is refused and stays as it is."""
    before = target.read_bytes()
    with pytest.raises(InputError, match=problem) as caught:
        await run(session, files.source, target)
    assert target.read_bytes() == before
    return caught.value


@pytest.mark.parametrize("ending", [b"\n", b""])
async def test_a_copy_of_the_requests_is_no_output(session, emulator, files, ending):
    files.source.write_bytes(json.dumps(files.build_body_line("a")).encode() + ending)
    shutil.copy(files.source, files.target)
    error = await refuse(session, files, files.target, "line 1: .*it is a request")
    assert error.line == 1
    assert emulator.requests == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has other links")
async def test_a_hard_link_to_the_requests_is_no_output(session, emulator, files):
    files.write(files.build_body_line("a"))
    files.target.hardlink_to(files.source)
    await refuse(session, files, files.target, "is the input")
    assert emulator.requests == []


@pytest.mark.parametrize(
    "line",
    [
        {"custom_id": "b", "prompt": "B"},
        {"custom_id": "b", "messages": [{"role": "user", "content": "B"}]},
        {"custom_id": "b", "params": {"model": "m"}},
        {"custom_id": "b", "body": {"model": "m", "messages": []}},
    ],
)
async def test_other_requests_are_no_output(session, files, tmp_path, line):
    files.write_prompts(1)
    other = tmp_path / "other_requests.jsonl"
    other.write_text(json.dumps(line) + "\n", encoding="utf-8")
    await refuse(session, files, other, "neither a response nor an error; it is a request")


@pytest.mark.parametrize(
    "line",
    [
        {"custom_id": "row-0"},
        {"custom_id": "row-0", "result": {"type": "succeeded"}},
        {"custom_id": "row-0", "answer": "Yes."},
    ],
)
async def test_a_line_without_the_keys_of_an_output_line_is_none(session, files, line):
    files.write_prompts(1)
    files.target.write_text(json.dumps(line) + "\n", encoding="utf-8")
    await refuse(session, files, files.target, "it has neither a response nor an error")


@pytest.mark.parametrize(
    "text",
    [
        b'{"custom_id":"a","method":"POST","url":"/v1/chat/com',
        b'{"custom_id":7,"body":{"model":"m"',
        b'{"custom_id":"a","prompt":"x',
        b'{"custom_id": "a"',
        b'{"custom_identity":"a"',
    ],
)
async def test_a_cut_request_is_not_removed_as_a_torn_result(session, files, text):
    files.write_prompts(1)
    files.target.write_bytes(text)
    await refuse(session, files, files.target, "line 1: the line is not a result")


# --- the last line -------------------------------------------------------------------------------


@pytest.fixture
async def finished(session, files):
    """Return the bytes of an output with two results."""
    files.write_prompts(2)
    await run(session, files.source, files.target, concurrency=1)
    return files.target.read_bytes()


@pytest.mark.parametrize("junk", [b"\x0b", b"\x1a", b"x", b"}"])
async def test_a_whole_last_result_with_a_damaged_end_is_not_removed(
    session, emulator, files, finished, junk
):
    files.target.write_bytes(finished[:-1] + junk)
    await refuse(session, files, files.target, "line 2: the line is not a result")
    assert len(emulator.requests) == 2


async def test_zeros_behind_a_whole_last_result_are_removed(session, emulator, files, finished):
    files.target.write_bytes(finished[:-1] + bytes(4096))
    assert (await run(session, files.source, files.target)).before == 2
    assert files.target.read_bytes() == finished
    assert len(emulator.requests) == 2


@pytest.mark.parametrize(
    ("custom_id", "problem"),
    [
        (b"1" + b"0" * 700, "a huge integer"),
        (b"1e999", "its custom_id is inf"),
        (b'"\\ud83d"', "surrogates not allowed"),
        (b"{}", "an object of type dict"),
    ],
)
async def test_an_id_that_no_request_has_is_told_with_its_line(session, files, custom_id, problem):
    files.write_prompts(1)
    files.target.write_bytes(b'{"custom_id":%b,"response":{},"error":null}\n' % custom_id)
    await refuse(session, files, files.target, f"line 1: .*{problem}")


async def test_a_line_that_never_ends_is_not_read_into_memory(session, files, monkeypatch):
    monkeypatch.setattr("aimlchat.batch.journal._MAX_LINE_BYTES", 1_000)
    files.write_prompts(1)
    files.target.write_bytes(b"x" * 5_000)
    await refuse(session, files, files.target, "it has more than 1,000 bytes")

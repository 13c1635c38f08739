"""The output as a journal: what the next run reads from it, whatever its state."""

import asyncio
import json
import os
import subprocess
import sys
from contextlib import closing

import pytest

from aimlchat.batch import BusyError, InputError, OutputFileError, run
from aimlchat.batch.journal import Journal
from aimlchat.batch.known_ids import IN_OUTPUT, KnownIds, hash_id


@pytest.fixture
async def finished(session, emulator, files):
    """Return the bytes of an output with three results; that of row-1 is a failure."""
    files.write_prompts(3)
    emulator.reply("Zero.")
    emulator.fail(status=400, message="No.")
    await run(session, files.source, files.target, concurrency=1)
    return files.target.read_bytes()


async def test_a_second_run_sends_only_what_is_missing(session, emulator, files, finished):
    files.write_prompts(5)
    summary = await run(session, files.source, files.target)
    assert (summary.before, summary.failed_before, summary.done) == (3, 1, 2)
    assert len(emulator.requests) == 5
    assert files.target.read_bytes().startswith(finished)
    assert sorted(files.ids) == [f"row-{n}" for n in range(5)]


async def test_a_failure_is_not_sent_again_by_default(session, files, finished):
    summary = await run(session, files.source, files.target)
    assert (summary.done, summary.failed_before, summary.is_success) == (0, 1, False)
    assert files.target.read_bytes() == finished


async def test_failures_are_sent_again_with_retry_failed_and_replaced(
    session, emulator, files, finished
):
    summary = await run(session, files.source, files.target, retry_failed=True)
    assert (summary.before, summary.done, summary.is_success) == (2, 1, True)
    assert sorted(files.ids) == ["row-0", "row-1", "row-2"]
    assert len(emulator.requests) == 4
    assert {*files.target.parent.iterdir()} == {files.source, files.target}


async def test_a_failure_whose_request_is_no_longer_in_the_input_is_kept(session, files, finished):
    files.write_prompts(1)
    await run(session, files.source, files.target, retry_failed=True)
    assert files.target.read_bytes() == finished


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
async def test_the_rewritten_file_keeps_its_mode(session, files, finished):
    files.target.chmod(0o640)
    await run(session, files.source, files.target, retry_failed=True)
    assert files.target.stat().st_mode & 0o777 == 0o640


async def test_a_symbolic_link_is_kept(session, files, finished, tmp_path):
    link = tmp_path / "link.jsonl"
    link.symlink_to(files.target)
    await run(session, files.source, link, retry_failed=True)
    assert link.is_symlink()
    assert len(files.results) == 3


# --- repair of the last line ---------------------------------------------------------------------


async def test_a_last_line_torn_at_any_byte_is_removed_and_its_request_sent_again(
    session, emulator, files, finished
):
    lines = finished.splitlines(keepends=True)
    whole = b"".join(lines[:2])
    lengths = {*range(1, 60), *range(60, len(lines[2]), 23), len(lines[2]) - 2}
    for length in sorted(lengths):
        files.target.write_bytes(whole + lines[2][:length])
        sent = len(emulator.requests)
        summary = await run(session, files.source, files.target)
        assert (summary.before, summary.done) == (2, 1), length
        assert len(emulator.requests) == sent + 1
        assert files.ids == ["row-0", "row-1", "row-2"]
        assert files.target.read_bytes().startswith(whole)


async def test_a_result_without_its_line_feed_is_completed_and_not_sent_again(
    session, emulator, files, finished
):
    files.target.write_bytes(finished[:-1])
    assert (await run(session, files.source, files.target)).before == 3
    assert files.target.read_bytes() == finished
    assert len(emulator.requests) == 3


async def test_zeros_that_a_power_failure_left_are_removed(session, files, finished):
    files.target.write_bytes(finished + bytes(4096))
    await run(session, files.source, files.target)
    assert files.target.read_bytes() == finished


@pytest.mark.parametrize("ending", [b"\n", b""])
@pytest.mark.parametrize("text", [b"Dear diary,", b'{"id": 1}', b"[]"])
async def test_a_file_that_is_not_an_output_is_refused_and_not_changed(
    session, emulator, files, text, ending
):
    files.write_prompts(1)
    files.target.write_bytes(text + ending)
    with pytest.raises(InputError, match="line 1: the line is not a result"):
        await run(session, files.source, files.target)
    assert files.target.read_bytes() == text + ending
    assert emulator.requests == []


async def test_a_broken_line_in_the_middle_is_reported_and_the_file_not_changed(
    session, files, finished
):
    lines = finished.splitlines(keepends=True)
    broken = lines[0] + lines[1][:20] + b"\n" + lines[2][:-1]
    files.target.write_bytes(broken)
    with pytest.raises(InputError, match="line 2: the line is not a result"):
        await run(session, files.source, files.target)
    assert files.target.read_bytes() == broken


async def test_a_repeated_id_in_the_output_is_reported(session, files, finished):
    files.target.write_bytes(finished + finished.splitlines(keepends=True)[0])
    with pytest.raises(InputError, match="line 4: an earlier line already has the id 'row-0'"):
        await run(session, files.source, files.target)


async def test_results_of_openais_batch_api_count_as_results(session, emulator, files):
    files.write_prompts(2)
    theirs = {"id": "batch_req_1", "custom_id": "row-0", "response": {"body": {}}, "error": None}
    files.target.write_text(json.dumps(theirs) + "\n", encoding="utf-8")
    assert (await run(session, files.source, files.target)).before == 1
    assert files.ids == ["row-0", "row-1"]


async def test_a_broken_input_leaves_the_output_unchanged(session, files, finished):
    torn = finished[:-5]
    files.target.write_bytes(torn)
    files.write(b"no JSON\n")
    with pytest.raises(InputError):
        await run(session, files.source, files.target, retry_failed=True)
    assert files.target.read_bytes() == torn


# --- values of another type than a run writes ----------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"digest": None},
        {"digest": 5},
        {"digest": ["ab"]},
        {"digest": "not hexadecimal"},
        {"digest": "ab"},
        {"response": "text", "usage": [], "cost": "n/a", "attempts": None},
        {"response": {"body": 10**400}},
    ],
)
async def test_a_line_with_unexpected_values_still_counts_as_a_result(
    session, emulator, files, fields
):
    files.write_prompts(2)
    result = {"custom_id": "row-0", "response": {}, "error": None, **fields}
    line = json.dumps(result) + "\n"
    files.target.write_text(line, encoding="utf-8")
    summary = await run(session, files.source, files.target)
    assert (summary.before, summary.done, summary.is_success) == (1, 1, True)
    assert files.target.read_text(encoding="utf-8").startswith(line)


@pytest.mark.parametrize("error", ["text", 0, False, [], {"code": None}, 1e300])
async def test_an_error_of_any_type_counts_as_a_failure(session, files, error):
    files.write_prompts(1)
    files.target.write_text(json.dumps({"custom_id": "row-0", "error": error}) + "\n", "utf-8")
    assert (await run(session, files.source, files.target)).failed_before == 1
    assert (await run(session, files.source, files.target, retry_failed=True)).is_success


@pytest.mark.parametrize("depth", [*range(900, 1001, 4), 100_000])
@pytest.mark.parametrize("ending", [b"\n", b""])
async def test_a_line_of_any_nesting_still_counts_as_a_result(tmp_path, depth, ending):
    path = tmp_path / "results.jsonl"
    body = b"[" * depth + b"]" * depth
    line = b'{"custom_id":"row-0","error":null,"response":{"body":%b}}' % body
    path.write_bytes(line + ending)
    known_ids = KnownIds()
    with closing(Journal(path)) as journal:
        await journal.read(known_ids)
        await journal.prepare(known_ids, retry_failed=True)
    assert known_ids.get_flags(hash_id("row-0")) == IN_OUTPUT
    assert path.read_bytes() == line + b"\n"


@pytest.mark.parametrize("custom_id", [b"null", b"1.5", b"[]", b"true", b'"\xff"', b"NaN"])
@pytest.mark.parametrize("depth", [1, 100_000])
async def test_a_line_without_a_valid_id_is_reported(tmp_path, custom_id, depth):
    path = tmp_path / "results.jsonl"
    body = b"[" * depth + b"]" * depth
    content = b'{"custom_id":%b,"response":%b}\n' % (custom_id, body)
    path.write_bytes(content)
    with (
        closing(Journal(path)) as journal,
        pytest.raises(InputError, match="line 1: the line is not a result"),
    ):
        await journal.read(KnownIds())
    assert path.read_bytes() == content


# --- one run at a time ---------------------------------------------------------------------------

HOLD = """
import sys
from pathlib import Path
from aimlchat.batch.journal import Journal
journal = Journal(Path(sys.argv[1]))
print("locked", flush=True)
sys.stdin.read()
"""


async def test_a_second_process_cannot_write_to_the_same_file(session, emulator, files):
    files.write_prompts(1)
    with subprocess.Popen(  # noqa: ASYNC220 - it answers at once
        [sys.executable, "-c", HOLD, str(files.target)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout.readline() == b"locked\n"
        with pytest.raises(BusyError, match="another run is writing"):
            await run(session, files.source, files.target)
        assert emulator.requests == []
        other.kill()
    # The system releases the lock of a process that was killed.
    assert (await run(session, files.source, files.target)).is_success


async def test_the_rewritten_file_is_locked_as_well(session, emulator, files, finished):
    seconds = []

    def start_second(summary):
        if not seconds:
            seconds.append(asyncio.ensure_future(run(session, files.source, files.target)))

    await run(session, files.source, files.target, retry_failed=True, on_progress=start_second)
    with pytest.raises(BusyError, match="another run is writing"):
        await seconds[0]


async def test_a_run_unlocks_the_file_at_its_end(session, files):
    files.write_prompts(1)
    await run(session, files.source, files.target)
    await run(session, files.source, files.target)


# --- an output that cannot be written ------------------------------------------------------------


async def test_an_output_in_a_missing_folder_is_refused_before_the_first_request(
    session, emulator, files
):
    files.write_prompts(1)
    with pytest.raises(OutputFileError, match="cannot be written") as caught:
        await run(session, files.source, files.target.parent / "missing" / "x.jsonl")
    assert not caught.value.begun
    assert emulator.requests == []


async def test_a_folder_is_refused_as_the_output(session, files):
    files.write_prompts(1)
    with pytest.raises(OutputFileError, match="cannot be written"):
        await run(session, files.source, files.target.parent)

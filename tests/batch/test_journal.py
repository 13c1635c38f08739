"""The output is the journal: what the next run makes of it, whatever state it is in."""

import asyncio
import json
import os
import subprocess
import sys

import pytest

from aimlchat.batch import BusyError, InputError, OutputFileError, run


@pytest.fixture
async def finished(session, emulator, files):
    """The bytes of an output of three rows, of which row-1 failed."""
    files.prompts(3)
    emulator.reply("Zero.")
    emulator.fail(status=400, message="No.")
    await run(session, files.source, files.target, concurrency=1)
    return files.target.read_bytes()


async def test_a_result_has_all_that_a_bill_needs(session, emulator, files):
    emulator.reply("Because.", cost=0.25)
    files.prompts(1)
    await run(session, files.source, files.target)
    (result,) = files.results
    sent = emulator.requests[0]
    assert result["custom_id"] == "row-0"
    assert result["error"] is None
    assert result["response"]["status_code"] == 200
    assert result["response"]["request_id"] == result["inference_id"] == sent.inference_id
    assert result["response"]["body"]["choices"][0]["message"]["content"] == "Because."
    assert result["usage"]["total_tokens"] == result["response"]["body"]["usage"]["total_tokens"]
    assert result["cost"] == {"usd": 0.25, "credits": 500_000}
    assert result["attempts"] == 1
    assert result["client_request_id"] == sent.client_request_id


async def test_a_failure_says_what_and_how_often(session, emulator, files):
    emulator.fail(status=400, message="Not like this.")
    files.prompts(1)
    summary = await run(session, files.source, files.target)
    (result,) = files.results
    assert result["response"] is None
    assert result["error"]["code"] == "BadRequestError"
    assert result["error"]["status_code"] == 400
    assert "Not like this." in result["error"]["message"]
    assert result["attempts"] == 1
    assert result["client_request_id"] == emulator.requests[0].client_request_id
    assert (summary.failed, summary.errors, summary.is_success) == (
        1,
        {"BadRequestError": 1},
        False,
    )


async def test_what_no_utf_8_can_hold_is_written_all_the_same(session, emulator, files):
    body = '{"choices":[{"message":{"content":"half \\ud83d"},"finish_reason":"stop"}],"x":1e999}'
    emulator.reply(body=body)
    files.prompts(1)
    assert (await run(session, files.source, files.target)).is_success
    content = files.results[0]["response"]["body"]["choices"][0]["message"]["content"]
    assert content == "half \ufffd"
    assert (await run(session, files.source, files.target)).before == 1


# --- resuming ------------------------------------------------------------------------------------


async def test_the_same_command_again_does_only_what_is_missing(session, emulator, files, finished):
    files.prompts(5)
    summary = await run(session, files.source, files.target)
    assert (summary.before, summary.failed_before, summary.done) == (3, 1, 2)
    assert len(emulator.requests) == 5
    assert files.target.read_bytes().startswith(finished)
    assert sorted(files.ids) == [f"row-{n}" for n in range(5)]


async def test_a_failure_stays_and_keeps_the_run_from_success(session, files, finished):
    summary = await run(session, files.source, files.target)
    assert (summary.done, summary.failed_before, summary.is_success) == (0, 1, False)
    assert files.target.read_bytes() == finished


async def test_failures_are_done_again_when_asked_and_every_id_stands_once(
    session, emulator, files, finished
):
    summary = await run(session, files.source, files.target, retry_failed=True)
    assert (summary.before, summary.done, summary.is_success) == (2, 1, True)
    assert sorted(files.ids) == ["row-0", "row-1", "row-2"]
    assert len(emulator.requests) == 4
    assert {*files.target.parent.iterdir()} == {files.source, files.target}


async def test_a_failure_that_the_input_has_no_more_stays(session, files, finished):
    files.prompts(1)
    await run(session, files.source, files.target, retry_failed=True)
    assert files.target.read_bytes() == finished


@pytest.mark.skipif(os.name == "nt", reason="modes are of another kind there")
async def test_the_rewritten_file_keeps_its_mode(session, files, finished):
    files.target.chmod(0o640)
    await run(session, files.source, files.target, retry_failed=True)
    assert files.target.stat().st_mode & 0o777 == 0o640


async def test_a_symbolic_link_stays_one(session, files, finished, tmp_path):
    link = tmp_path / "link.jsonl"
    link.symlink_to(files.target)
    await run(session, files.source, link, retry_failed=True)
    assert link.is_symlink()
    assert len(files.results) == 3


# --- repair --------------------------------------------------------------------------------------


async def test_a_last_line_torn_at_any_byte_is_repaired(session, emulator, files, finished):
    lines = finished.splitlines(keepends=True)
    whole = b"".join(lines[:2])
    places = {*range(1, 60), *range(60, len(lines[2]), 23), len(lines[2]) - 2}
    for place in sorted(places):
        files.target.write_bytes(whole + lines[2][:place])
        asked = len(emulator.requests)
        summary = await run(session, files.source, files.target)
        assert (summary.before, summary.done) == (2, 1), place
        assert len(emulator.requests) == asked + 1
        assert files.ids == ["row-0", "row-1", "row-2"]
        assert files.target.read_bytes().startswith(whole)


async def test_a_result_that_only_lacks_its_line_feed_is_not_paid_for_again(
    session, emulator, files, finished
):
    files.target.write_bytes(finished[:-1])
    assert (await run(session, files.source, files.target)).before == 3
    assert files.target.read_bytes() == finished
    assert len(emulator.requests) == 3


async def test_zeros_that_a_lost_power_left_are_taken_away(session, files, finished):
    files.target.write_bytes(finished + bytes(4096))
    await run(session, files.source, files.target)
    assert files.target.read_bytes() == finished


@pytest.mark.parametrize("ending", [b"\n", b""])
@pytest.mark.parametrize("text", [b"Dear diary,", b'{"id": 1}', b"[]"])
async def test_a_file_that_is_no_output_is_refused_and_not_touched(
    session, emulator, files, text, ending
):
    files.prompts(1)
    files.target.write_bytes(text + ending)
    with pytest.raises(InputError, match="line 1: it is no result"):
        await run(session, files.source, files.target)
    assert files.target.read_bytes() == text + ending
    assert emulator.requests == []


async def test_a_broken_line_in_the_middle_is_named_and_nothing_is_changed(
    session, files, finished
):
    lines = finished.splitlines(keepends=True)
    broken = lines[0] + lines[1][:20] + b"\n" + lines[2][:-1]
    files.target.write_bytes(broken)
    with pytest.raises(InputError, match="line 2: it is no result"):
        await run(session, files.source, files.target)
    assert files.target.read_bytes() == broken


async def test_an_id_that_stands_twice_in_the_output_is_named(session, files, finished):
    files.target.write_bytes(finished + finished.splitlines(keepends=True)[0])
    with pytest.raises(InputError, match="line 4: the id 'row-0' stands there twice"):
        await run(session, files.source, files.target)


async def test_results_of_openais_own_batches_count(session, emulator, files):
    files.prompts(2)
    theirs = {"id": "batch_req_1", "custom_id": "row-0", "response": {"body": {}}, "error": None}
    files.target.write_text(json.dumps(theirs) + "\n", encoding="utf-8")
    assert (await run(session, files.source, files.target)).before == 1
    assert files.ids == ["row-0", "row-1"]


async def test_an_input_that_is_wrong_leaves_the_output_as_it_was(session, files, finished):
    torn = finished[:-5]
    files.target.write_bytes(torn)
    files.write(b"no JSON\n")
    with pytest.raises(InputError):
        await run(session, files.source, files.target, retry_failed=True)
    assert files.target.read_bytes() == torn


# --- one run at a time ---------------------------------------------------------------------------

HOLD = """
import sys
from pathlib import Path
from aimlchat.batch.journal import Journal
journal = Journal(Path(sys.argv[1]))
print("locked", flush=True)
sys.stdin.read()
"""


async def test_two_runs_cannot_write_to_one_file(session, emulator, files):
    files.prompts(1)
    with subprocess.Popen(  # noqa: ASYNC220 - it is waited for at once
        [sys.executable, "-c", HOLD, str(files.target)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout.readline() == b"locked\n"
        with pytest.raises(BusyError, match="another run is writing"):
            await run(session, files.source, files.target)
        assert emulator.requests == []
        other.kill()
    # A lock ends with its process, however that ended.
    assert (await run(session, files.source, files.target)).is_success


async def test_the_lock_holds_for_the_rewritten_file_too(session, emulator, files, finished):
    emulator.reply("late", pace=0)
    busy = []

    async def second():
        try:
            await run(session, files.source, files.target)
        except BusyError:
            busy.append(1)

    tasks = []

    def begin(summary):
        if not tasks:
            tasks.append(asyncio.ensure_future(second()))

    await run(session, files.source, files.target, retry_failed=True, on_progress=begin)
    await tasks[0]
    assert busy == [1]


async def test_a_run_that_is_over_has_unlocked_the_file(session, files):
    files.prompts(1)
    await run(session, files.source, files.target)
    await run(session, files.source, files.target)


# --- an output that cannot be written ------------------------------------------------------------


async def test_an_output_in_no_folder_is_refused_before_the_first_call(session, emulator, files):
    files.prompts(1)
    with pytest.raises(OutputFileError, match="cannot be written") as caught:
        await run(session, files.source, files.target.parent / "missing" / "x.jsonl")
    assert not caught.value.begun
    assert emulator.requests == []


async def test_a_folder_is_no_output(session, files):
    files.prompts(1)
    with pytest.raises(OutputFileError, match="cannot be written"):
        await run(session, files.source, files.target.parent)

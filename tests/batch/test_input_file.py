"""The input file: which of its requests are sent, and what it must not do during a run."""

import io
import json
import os
import tracemalloc

import pytest

from aimlchat.batch import InputError, run
from aimlchat.batch.input_file import InputFile
from aimlchat.batch.known_ids import KnownIds


async def test_a_stream_that_cannot_be_read_twice_is_copied_first(session, files):
    reader, writer = os.pipe()
    os.write(writer, b'{"id":"a","prompt":"A"}\n')
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        await run(session, pipe, files.target)
    assert files.ids == ["a"]


async def test_a_stream_is_read_from_its_current_position_and_left_open(session, files):
    stream = io.BytesIO(b'no request\n{"id":"a","prompt":"A"}\n')
    stream.readline()
    await run(session, stream, files.target)
    assert files.ids == ["a"]
    assert not stream.closed


@pytest.mark.parametrize(("first", "second"), [("a", "a"), (7, "7")])
async def test_a_repeated_id_is_reported_with_both_lines(
    get_input_error, emulator, files, first, second
):
    files.write(
        {"id": "x", "prompt": "X"},
        {"id": first, "prompt": "A"},
        b"\n",
        files.build_body_line(second),
    )
    error = await get_input_error()
    assert f"line 4: line 2 already has the id {second!r}" in str(error)
    assert emulator.requests == []


async def test_a_missing_input_is_named(get_input_error, files):
    assert str(files.source) in str(await get_input_error())


async def test_the_input_is_refused_as_the_output(session, files):
    files.write_prompts(1)
    before = files.source.read_bytes()
    with pytest.raises(InputError, match="is the input"):
        await run(session, files.source, files.source)
    assert files.source.read_bytes() == before


# --- a request that was changed ------------------------------------------------------------------


async def test_a_changed_request_whose_result_exists_is_refused(
    session, get_input_error, emulator, files
):
    files.write({"id": "a", "prompt": "A"}, {"id": "b", "prompt": "B"})
    await run(session, files.source, files.target)
    files.write({"id": "a", "prompt": "A"}, {"id": "b", "prompt": "another"})
    error = await get_input_error()
    assert "line 2: the request 'b' differs" in str(error)
    assert len(emulator.requests) == 2


async def test_the_same_prompt_for_another_model_is_another_request(
    session, get_input_error, files
):
    files.write({"id": "a", "prompt": "A"})
    await run(session, files.source, files.target)
    assert "differs" in str(await get_input_error(model="gpt-4o-mini"))


async def test_failures_are_sent_again_with_another_model_while_answers_stay(
    session, get_input_error, emulator, files
):
    files.write_prompts(3)
    emulator.fail(status=400)
    await run(session, files.source, files.target, concurrency=1)
    again = {"retry_failed": True, "model": "gpt-4o-mini"}
    summary = await run(session, files.source, files.target, **again)
    assert (summary.before, summary.done, summary.is_success) == (2, 1, True)
    assert emulator.requests[-1].body["model"] == "gpt-4o-mini"
    assert len(emulator.requests) == 4
    # The output now has answers of two models; either command finds everything done.
    for options in ({}, {"model": "gpt-4o-mini"}, again):
        assert (await run(session, files.source, files.target, **options)).before == 3
    assert "differs" in str(await get_input_error(model="o3"))


@pytest.mark.parametrize(
    "changed",
    [{"prompt": "another"}, {"prompt": "A", "model": "gpt-4o-mini"}, {"prompt": "A", "seed": 1}],
)
async def test_another_model_does_not_hide_that_an_answered_request_was_changed(
    session, get_input_error, files, changed
):
    files.write({"id": "a", "prompt": "A"})
    await run(session, files.source, files.target)
    files.write({"id": "a", **changed})
    error = await get_input_error(retry_failed=True, model="o3")
    assert "line 1: the request 'a' differs" in str(error)


async def test_the_order_of_keys_and_white_space_do_not_change_a_request(session, emulator, files):
    files.write(files.build_body_line("a"))
    await run(session, files.source, files.target)
    reordered = {
        "body": dict(reversed(files.build_body_line("a")["body"].items())),
        "custom_id": "a",
    }
    files.write(json.dumps(reordered, indent=None, separators=(" , ", " : ")).encode())
    assert (await run(session, files.source, files.target)).before == 1
    assert len(emulator.requests) == 1


async def test_a_failed_request_may_be_corrected_and_sent_again(
    session, get_input_error, emulator, files
):
    emulator.fail(status=400)
    files.write({"id": "a", "prompt": "A"})
    await run(session, files.source, files.target)
    files.write({"id": "a", "prompt": "corrected"})
    assert "differs" in str(await get_input_error())
    assert (await run(session, files.source, files.target, retry_failed=True)).is_success


async def test_an_input_that_changes_during_the_run_has_no_id_sent_twice(get_input_error, files):
    files.write_prompts(300)
    changed = files.source.read_bytes().replace(b"row-250", b"row-001")

    def change(summary):
        if summary.done == 1:
            with files.source.open("r+b") as file:
                file.write(changed)

    error = await get_input_error(on_progress=change, concurrency=1)
    assert "line 251: the line was changed during the run" in str(error)
    assert error.begun
    assert len(files.ids) == len(set(files.ids)) == 250


async def test_a_line_that_is_read_again_has_the_digest_of_its_check(files):
    body = {"messages": [], "model": "m2"}
    lines = {"id": "a", "prompt": "A"}, {"id": "b", "body": {"messages": []}}
    files.write(*lines, {"custom_id": "c", "body": body})
    source = InputFile(files.source, "m")
    checked = await source.check(KnownIds(), retry_failed=False)
    found = list(source.read_pending(checked))
    source.close()
    assert [number for number, _, _ in found] == [1, 2, 3]
    assert all(digest == request.compute_digest() for _, request, digest in found)


async def test_the_check_allocates_less_than_a_hundred_bytes_per_line(files):
    files.write_prompts(5_000)
    source = InputFile(files.source, "m")
    tracemalloc.start()
    checked = await source.check(KnownIds(), retry_failed=False)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    source.close()
    assert checked.total == 5_000
    assert peak < 100 * 5_000

"""An output that was edited, converted or written by another tool, and what a run makes of it."""

import codecs
import json

import pytest

from aimlchat.batch import InputError, run, summarize


@pytest.fixture
async def finished(session, emulator, files):
    """Return the lines of an output with three results."""
    files.write_prompts(3)
    await run(session, files.source, files.target, concurrency=1)
    return files.target.read_bytes().splitlines(keepends=True)


def reformat(line):
    return json.dumps(dict(reversed(json.loads(line).items())), indent=None).encode() + b"\n"


EDITS = {
    "a byte order mark at the start": lambda lines: [codecs.BOM_UTF8, *lines],
    "a byte order mark in the middle": lambda lines: [lines[0], codecs.BOM_UTF8, *lines[1:]],
    "blank lines": lambda lines: [b"\n", lines[0], b"\n", b" \t\r\n", *lines[1:], b"\n\n"],
    "white space at the end": lambda lines: [*lines, b"   "],
    "Windows line ends": lambda lines: [line[:-1] + b"\r\n" for line in lines],
    "trailing spaces": lambda lines: [line[:-1] + b"  \n" for line in lines],
    "no last line feed": lambda lines: [*lines[:2], lines[2][:-1]],
    "another order of keys and other spaces": lambda lines: [reformat(line) for line in lines],
    "all of these": lambda lines: [
        *(codecs.BOM_UTF8, b"\r\n"),
        *(b"  " + reformat(line)[:-1] + b" \r\n\r\n" for line in lines),
    ],
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
async def test_what_an_editor_leaves_is_passed_over(session, emulator, files, finished, edit):
    files.target.write_bytes(b"".join(edit(finished)))
    files.write_prompts(4)
    for options in ({}, {"retry_failed": True}, {}):
        await run(session, files.source, files.target, **options)
    assert len(emulator.requests) == 4
    lines = files.target.read_text(encoding="utf-8-sig").replace("\ufeff", "").splitlines()
    ids = [json.loads(line)["custom_id"] for line in lines if line.strip()]
    assert ids == ["row-0", "row-1", "row-2", "row-3"]


async def test_failures_are_removed_from_an_edited_output(session, emulator, files, finished):
    results = [json.loads(line) for line in finished]
    results[1] |= {"response": None, "error": {"code": "x"}}
    # An edited line no longer has its checksum, so that none may have one.
    lines = [reformat(json.dumps({**result, "checksum": None})) for result in results]
    files.target.write_bytes(codecs.BOM_UTF8 + b"\r\n\n".join(lines))
    summary = await run(session, files.source, files.target, retry_failed=True)
    assert (summary.before, summary.done, summary.is_success) == (2, 1, True)
    assert len(emulator.requests) == 4


async def test_an_output_saved_as_utf_16_is_named(session, files, finished):
    content = b"".join(finished).decode().encode("utf-16")
    files.target.write_bytes(content)
    with pytest.raises(InputError, match=r"line 1: .*UTF-16"):
        await run(session, files.source, files.target)
    assert files.target.read_bytes() == content


@pytest.mark.parametrize(
    ("response", "has_failed"),
    [
        ({"status_code": 400, "body": {"error": {"message": "No."}}}, True),
        ({"status_code": 503}, True),
        ({"status_code": "429"}, True),
        ({"status_code": 500.0}, True),
        ({"status_code": 399}, False),
        ({"status_code": 200, "body": {"status_code": 500}}, False),
        ({"status_code": None}, False),
        ({"status_code": [500]}, False),
        ({"body": {}}, False),
        ("500", False),
        (None, True),  # neither a response nor an error is no answer
    ],
)
async def test_a_response_with_an_error_status_is_a_failure(
    session, emulator, files, response, has_failed
):
    files.write_prompts(1)
    line = {"custom_id": "row-0", "response": response, "error": None}
    files.target.write_text(json.dumps(line) + "\n", "utf-8")
    summary = await run(session, files.source, files.target)
    assert (summary.failed_before, summary.is_success) == (has_failed, not has_failed)
    await run(session, files.source, files.target, retry_failed=True)
    assert len(emulator.requests) == has_failed
    assert len(files.ids) == 1


async def test_an_error_status_is_found_in_a_deeply_nested_result(session, files):
    files.write_prompts(1)
    body = "[" * 5_000 + "]" * 5_000
    files.target.write_text(
        f'{{"custom_id":"row-0","response":{{"status_code":400,"body":{body}}},"error":null}}\n',
        "utf-8",
    )
    assert (await run(session, files.source, files.target)).failed_before == 1


# --- a damaged first line ------------------------------------------------------------------------

FIRST_LINES = {
    "half a line": lambda line: line[: len(line) // 2] + b"\n",
    "the rest of a line": lambda line: line[len(line) // 2 :],
    "zeros": lambda line: bytes(len(line)) + b"\n",
    "zeros before the rest of a line": lambda line: bytes(60) + line[60:],
    "bytes that are no text": lambda line: b"\x1f\x8b\xff\xfe" + line[4:],
    "many lines of other bytes": lambda _: b"\x80\n" * 900,
    "another value": lambda line: line.replace(b'"status_code":200', b'"status_code":201'),
}


@pytest.mark.parametrize("damage", FIRST_LINES.values(), ids=FIRST_LINES)
async def test_a_damaged_first_line_is_told_as_any_other(
    session, emulator, files, finished, damage
):
    damaged = damage(finished[0])
    content = damaged + finished[1] + finished[2]
    files.target.write_bytes(content)
    for options in ({}, {"retry_failed": True}):
        with pytest.raises(InputError) as caught:
            await run(session, files.source, files.target, **options)
        first, *_, advice = str(caught.value).splitlines()
        assert first.startswith(f"{files.target}, line 1: the line ")
        assert "delete them to have their requests sent, and charged, again" in advice
        assert files.target.read_bytes() == content
    assert len(emulator.requests) == 3
    summary = await summarize(files.source, [files.target])
    assert (summary.answered, summary.missing) == (2, 1)
    assert summary.damaged == damaged.count(b"\n")
    assert not summary.is_success


@pytest.mark.parametrize("first", [b"no JSON\n", b'{"id": 1, "prompt": "Hi"}\n'])
async def test_a_file_is_refused_once_its_first_thousand_lines_are_no_results(
    session, files, finished, first
):
    files.target.write_bytes(first * 1_000 + finished[0])
    with pytest.raises(InputError, match="Give the output of the earlier run") as caught:
        await run(session, files.source, files.target)
    assert caught.value.line == 1
    with pytest.raises(InputError, match="give files that a batch has written"):
        await summarize(files.source, [files.target])

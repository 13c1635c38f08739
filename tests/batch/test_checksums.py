"""A line of the output has a checksum, so that a damaged result never counts as an answer."""

import io
import json
import os
import re
from contextlib import closing

import pytest

from aimlchat.batch import InputError, run
from aimlchat.batch.journal import Journal
from aimlchat.batch.known_ids import KnownIds
from aimlchat.batch.line_content import add_checksum, decode_content
from aimlchat.batch.writer import ResultWriter


@pytest.fixture
async def finished(session, emulator, files):
    """Return the bytes of an output with three results; that of row-1 is a failure."""
    files.write_prompts(3)
    emulator.reply("Zéro “a”\n\x07", cost=7.5e-06)
    emulator.fail(status=400, message="No.")
    await run(session, files.source, files.target, concurrency=1)
    return files.target.read_bytes()


def remove_checksum(line):
    result = json.loads(line)
    del result["checksum"]
    return json.dumps(result).encode() + b"\n"


def read_values(content):
    return [json.loads(line) for line in content.splitlines()]


async def test_no_flip_of_a_single_bit_passes_unnoticed(files, finished):
    # Two lines, one of them the last.
    _, *lines = finished.splitlines(keepends=True)
    content = b"".join(lines)
    files.target.write_bytes(content)
    unnoticed = []
    with closing(Journal(files.target)) as journal, files.target.open("r+b", 0) as file:
        for position, byte in enumerate(content):
            for bit in range(8):
                os.pwrite(file.fileno(), bytes([byte ^ 1 << bit]), position)
                journal._tail = b""
                try:
                    await journal.read(KnownIds())
                except InputError:
                    continue
                unnoticed.append((position, bit))
            os.pwrite(file.fileno(), bytes([byte]), position)
        journal._tail = b""
    # 7.5E-6 is the same number as 7.5e-6.
    for position, bit in unnoticed:
        flipped = bytearray(content)
        flipped[position] ^= 1 << bit
        assert read_values(flipped) == read_values(content), flipped[position - 9 : position + 9]


@pytest.mark.parametrize("number", [0, 1, 2])
async def test_a_damaged_line_is_told_and_its_request_sent_again_once_it_is_deleted(
    session, get_input_error, files, finished, number
):
    lines = finished.splitlines(keepends=True)
    damaged = [*lines[:number], lines[number].replace(b"row-", b"row_"), *lines[number + 1 :]]
    files.target.write_bytes(b"".join(damaged))
    for options in ({}, {"retry_failed": True}):
        error = await get_input_error(**options)
        told, advice = str(error).splitlines()
        assert told == (
            f"{files.target}, line {number + 1}: the line was changed after it was written"
            " (its checksum does not match its content)"
        )
        assert "delete them to have their requests sent, and charged, again" in advice
        assert error.line == number + 1
        assert files.target.read_bytes() == b"".join(damaged)
    files.target.write_bytes(b"".join(lines[:number] + lines[number + 1 :]))
    assert (await run(session, files.source, files.target)).done == 1
    assert sorted(files.ids) == ["row-0", "row-1", "row-2"]


async def test_ten_damaged_lines_are_told_and_the_others_counted(session, get_input_error, files):
    files.write_prompts(30)
    await run(session, files.source, files.target)
    first, *others = files.target.read_bytes().splitlines(keepends=True)
    others = [line.replace(b"attempts", b"Attempts") for line in others]
    others[3] = b"no JSON\n"
    files.target.write_bytes(b"".join([first, *others]))
    error = await get_input_error()
    *lines, more, _ = str(error).splitlines()
    assert [f", line {n}: the line " in line for n, line in enumerate(lines, 2)] == [True] * 10
    assert "line 5: the line is not a result of a batch (JSON is malformed" in lines[3]
    assert more == f"{files.target}: 19 more lines are damaged"
    assert error.line == 2


async def test_a_line_without_a_checksum_among_others_is_told(get_input_error, files, finished):
    first, second, third = finished.splitlines(keepends=True)
    files.target.write_bytes(first + remove_checksum(second) + third)
    error = await get_input_error()
    assert ", line 2: the line has no checksum, and others have one" in str(error)
    assert error.line == 2


async def test_a_checksum_under_another_key_is_told(get_input_error, files, finished):
    files.target.write_bytes(finished.splitlines()[0].replace(b'"checksum"', b'"checksuM"'))
    assert "the key of its checksum is damaged" in str(await get_input_error())


async def test_a_file_without_checksums_is_continued_without_them(session, files, finished):
    lines = finished.splitlines()
    files.target.write_bytes(b"".join(map(remove_checksum, lines)))
    files.write_prompts(5)
    for options in ({}, {"retry_failed": True}, {}):
        await run(session, files.source, files.target, **options)
    assert len(files.results) == 5
    assert not any("checksum" in result for result in files.results)


async def test_another_spelling_of_the_same_values_does_not_matter(
    session, emulator, files, finished
):
    spellings = {
        b'"credits":15.0': b'"credits":15',
        b"7.5e-6": b"0.75E-5",
        "é".encode(): b"\\u00E9",
    }
    content = finished
    for old, new in spellings.items():
        assert old in content
        content = content.replace(old, new)
    files.target.write_bytes(content)
    assert (await run(session, files.source, files.target)).before == 3
    assert len(emulator.requests) == 3


async def test_an_id_that_an_editor_has_turned_into_text_is_the_same(session, emulator, files):
    files.write({"id": 7, "prompt": "A"})
    await run(session, files.source, files.target)
    content = files.target.read_bytes()
    for custom_id in (b'"7"', b"7.0"):
        files.target.write_bytes(content.replace(b'"custom_id":7', b'"custom_id":' + custom_id))
        assert (await run(session, files.source, files.target)).before == 1
    assert len(emulator.requests) == 1


async def test_results_in_a_stream_have_checksums(session, files):
    files.write_prompts(1)
    stream = io.BytesIO()
    await run(session, files.source, stream)
    files.target.write_bytes(stream.getvalue())
    assert re.fullmatch("crc32:[0-9a-f]{8}", files.results[0]["checksum"])
    assert (await run(session, files.source, files.target)).before == 1


@pytest.mark.parametrize(
    "body",
    [
        '{"a":"\\ud83d","b":1}',
        f'{{"a":{10**400},"b":-0.0}}',
        f'{{"a":1{"0" * 5_000},"b":1e999}}',
        '{"a":1,"a":2,"b":[1.0,1E2,1.5e300]}',
    ],
)
async def test_the_checksum_holds_whatever_the_server_sent(tmp_path, body):
    path = tmp_path / "results.jsonl"
    line = f'{{"custom_id":"a","response":{{"body":{body}}},"error":null}}\n'.encode()
    with closing(Journal(path)) as journal:
        ResultWriter(journal).write("a", line)
    content = path.read_bytes()
    with closing(Journal(path)) as journal:
        await journal.read(KnownIds())
        path.write_bytes(content.replace(b'"b"', b'"c"'))
        with pytest.raises(InputError, match="does not match"):
            await journal.read(KnownIds())


def test_a_checksum_does_not_depend_on_the_order_of_keys():
    line = b'{"custom_id":"a","response":{"b":1,"a":[2.0,"x"]}}\n'
    other = b' { "response":{ "a":[2,"\\u0078"], "b":1 }, "custom_id":"a" }\n'
    checksums = {decode_content(add_checksum(text))["checksum"] for text in (line, other.lstrip())}
    assert len(checksums) == 1

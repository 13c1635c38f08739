"""All lines that cannot be sent are told, and files of another format are named as such."""

import bz2
import gzip
import json
import lzma
import zipfile

import pytest

from aimlchat.batch import InputError, run, run_on_server

ROW = b'{"id":"a","prompt":"A"}\n'
UTF16_ROW = ROW.decode().encode("utf-16-le")


async def test_all_bad_lines_are_told_each_with_its_number(get_input_error, emulator, files):
    files.write(
        {"id": "a", "prompt": "A"},
        b"no JSON\n",
        {"id": "b", "prompt": "B", "temperature": 9},
        {"id": "a", "prompt": "A"},
        files.build_body_line("c") | {"method": "GET"},
        {"id": "d", "prompt": "D"},
    )
    error = await get_input_error()
    first, second, third, fourth = str(error).splitlines()
    assert first.startswith(f"{files.source}, line 2: the line is not JSON")
    assert second.startswith(f"{files.source}, line 3: the request 'b'")
    assert third.startswith(f"{files.source}, line 4: line 1 already has the id 'a'")
    assert fourth.startswith(f"{files.source}, line 5: the `method` is 'GET'")
    assert error.line == 2
    assert emulator.requests == []
    assert not files.target.exists()


async def test_ten_bad_lines_are_told_and_the_others_counted(get_input_error, files):
    files.write({"id": "a", "prompt": "A"}, *[{"id": n} for n in range(1_234)])
    lines = str(await get_input_error()).splitlines()
    assert [f"line {n}:" in line for n, line in enumerate(lines, 2)] == [True] * 10 + [False]
    assert lines[-1] == f"{files.source}: 1,224 more lines cannot be sent"


async def test_a_problem_is_told_in_one_line_whatever_the_values_are(get_input_error, files):
    files.write({"id": "a\nb", "prompt": "A", "a\n\nb": 1}, {"id": "x\ny", "messages": [{"\n": 1}]})
    assert len(str(await get_input_error()).splitlines()) == 2


HUGE = "x" * 1_000_000


@pytest.mark.parametrize(
    "line",
    [
        {"id": HUGE, "prompt": ""},
        {"id": [HUGE], "prompt": "A"},
        {"id": HUGE, "prompt": "A", "temperature": 9},
        {"id": "b", "prompt": "A", HUGE: 1},
        {"id": "b", "prompt": "A", **{f"{HUGE}{n}": 1 for n in range(7)}},
        {"id": "b", "prompt": "A", "model": "anthropic/claude-sonnet-4", "metadata": {HUGE: 1}},
        {"id": "b", "messages": [{"role": HUGE, "content": "A"}]},
        {
            "id": "b",
            "messages": [
                {
                    "role": "assistant",
                    "tool_calls": [{"id": HUGE, "function": {"name": HUGE, "arguments": "{"}}],
                }
            ],
        },
        {"custom_id": "b", "method": HUGE, "body": {"messages": []}},
        {"custom_id": "b", "url": HUGE, "body": {"messages": []}},
    ],
    ids=lambda line: str(line)[:40],
)
async def test_a_value_of_any_length_is_quoted_in_a_few_words(get_input_error, files, line):
    files.write({"id": "a", "prompt": "A"}, line)
    message = str(await get_input_error())
    assert f"{files.source}, line 2: " in message
    assert len(message) < 2_000


async def test_a_repeated_id_of_any_length_is_quoted_in_a_few_words(
    session, get_input_error, files
):
    files.write({"id": HUGE, "prompt": "A"})
    await run(session, files.source, files.target)
    results = files.target.read_bytes()
    files.target.write_bytes(results * 2)
    assert len(str(await get_input_error())) < 500
    files.target.write_bytes(results)
    files.write({"id": HUGE, "prompt": "B"}, {"id": HUGE, "prompt": "B"})
    first, second = str(await get_input_error()).splitlines()
    assert "differs" in first
    assert "line 1 already has the id" in second
    assert len(first) + len(second) < 1_000


async def test_a_model_of_any_length_is_quoted_in_a_few_words(session, files):
    files.write({"id": "a", "prompt": "A", "model": HUGE})
    with pytest.raises(InputError, match="only has Claude") as caught:
        await run_on_server(session, files.source, files.target)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("content", "format_"),
    [
        (gzip.compress(ROW), "gzip"),
        (bz2.compress(ROW), "bzip2"),
        (lzma.compress(ROW), "xz"),
        (b"(\xb5/\xfd" + bytes(9), "zstd"),
        (b"PAR1" + bytes(9), "Parquet"),
        (b"\xff\xfe" + UTF16_ROW, "UTF-16"),
        (UTF16_ROW, "UTF-16LE"),
        (ROW.decode().encode("utf-16-be"), "UTF-16BE"),
        (ROW.decode().encode("utf-32"), "UTF-32"),
        (b"[%b, %b]" % (ROW, ROW), "JSON array"),
        (b'\xef\xbb\xbf\n[\n  {"id": 1}\n]', "JSON array"),
        (b"[]", "JSON array"),
        (bytes(100_000), "binary (byte 0 is zero)"),
        (ROW + b"\0", "binary (byte 24 is zero)"),
    ],
)
async def test_another_format_is_named(get_input_error, files, content, format_):
    files.source.write_bytes(content)
    error = await get_input_error()
    assert str(error).startswith(f"{files.source} cannot be read: it is ")
    assert format_ in str(error)
    assert not files.target.exists()


async def test_a_zip_archive_is_named(get_input_error, files):
    with zipfile.ZipFile(files.source, "w") as archive:
        archive.writestr("requests.jsonl", ROW)
    assert "ZIP" in str(await get_input_error())


@pytest.mark.parametrize(
    ("content", "kind"),
    [("id,prompt\n1,Why?\n", "CSV"), ("id\tprompt\n1\tWhy?\n", "CSV"), ("Why?\nHow?\n", "plain")],
)
async def test_csv_and_plain_text_are_named(get_input_error, files, content, kind):
    files.source.write_text(content, encoding="utf-8")
    lines = str(await get_input_error()).splitlines()
    assert f"it looks like {kind}" in lines[-1]
    assert "line 1" in lines[0]


async def test_each_pretty_printed_object_is_one_problem(get_input_error, files):
    pretty = json.dumps(files.build_body_line("b"), indent=2).encode() + b"\n"
    files.write({"id": "a", "prompt": "A"}, pretty, b"no JSON\n", pretty)
    first, second, third = str(await get_input_error()).splitlines()
    end = 1 + pretty.count(b"\n")
    assert f"line 2: the object goes on to line {end}, as in pretty-printed JSON" in first
    assert f"line {end + 1}: the line is not JSON" in second
    assert f"line {end + 2}: the object goes on" in third


async def test_a_cut_line_is_one_problem_and_the_lines_after_it_are_checked(get_input_error, files):
    files.write(b'{"id":"a","prompt":"A\n', {"id": "b", "prompt": "B"}, b"{\n")
    first, second = str(await get_input_error()).splitlines()
    assert "line 1: the line is not JSON" in first
    assert "line 3: the line is not JSON" in second


@pytest.mark.parametrize("content", [b"", b"\n \r\n\n", b"\xef\xbb\xbf\n"])
async def test_an_empty_input_is_said_to_be_empty(get_input_error, files, content):
    files.source.write_bytes(content)
    assert str(await get_input_error()).startswith(f"{files.source} is empty")
    assert not files.target.exists()


async def test_an_existing_output_stays_when_nothing_is_sent(session, files):
    files.write(b"no JSON")
    files.target.write_bytes(b"")
    with pytest.raises(InputError):
        await run(session, files.source, files.target)
    assert files.target.exists()


async def test_a_line_that_never_ends_is_not_read_into_memory(get_input_error, files, monkeypatch):
    monkeypatch.setattr("aimlchat.batch.input_file._MAX_LINE_BYTES", 1_000)
    files.write({"id": "a", "prompt": "A"}, b'{"id":"b","prompt":"' + b"x" * 5_000)
    assert "line 2: the line has more than 1,000 bytes" in str(await get_input_error())


async def test_a_compressed_stream_that_is_cut_is_reported(session, files, tmp_path):
    path = tmp_path / "requests.jsonl.gz"
    path.write_bytes(gzip.compress(ROW * 100)[:-9])
    with gzip.open(path) as stream, pytest.raises(InputError, match="the input cannot be read"):
        await run(session, stream, files.target)

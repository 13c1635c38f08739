"""Results as a Parquet file, made of the journal."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading

import pyarrow.parquet as pq
import pytest

from aimlchat import ConfigurationError
from aimlchat.batch import InputError, OutputFileError, run, run_on_server, write_parquet
from aimlchat.batch.parquet import COLUMNS


@pytest.fixture
def target(tmp_path):
    return tmp_path / "results.parquet"


async def test_each_result_is_a_row_with_typed_columns(session, emulator, files, target):
    files.write_prompts(2)
    emulator.reply("Blue.", reasoning="Light.", cost=0.25)
    emulator.fail(status=400, message="No.")
    await run(session, files.source, files.target, concurrency=1, shard=None)
    assert await write_parquet(files.target, target) == 2
    table = pq.read_table(target)
    assert {field.name: str(field.type).replace("double", "float64") for field in table.schema} == (
        COLUMNS
    )
    answered, failed = table.to_pylist()
    line = files.results[0]
    assert (answered["custom_id"], answered["answer"]) == ("row-0", "Blue.")
    assert (answered["reasoning"], answered["finish_reason"]) == ("Light.", "stop")
    assert (answered["usd"], answered["attempts"], answered["error"]) == (0.25, 1, None)
    assert answered["total_tokens"] == line["usage"]["total_tokens"]
    assert json.loads(answered["response"]) == line["response"]["body"]
    assert (failed["error"], failed["status_code"]) == ("BadRequestError", 400)
    assert (failed["answer"], failed["total_tokens"], failed["usd"]) == (None, None, None)
    assert "No." in failed["error_message"]


async def test_answers_of_the_server_are_rows_too(session, files, submit, target):
    files.write_prompts(1)
    await submit()
    await write_parquet(files.target, target)
    (row,) = pq.read_table(target).to_pylist()
    message = files.results[0]["response"]["body"]
    assert row["answer"] == "".join(block.get("text", "") for block in message["content"]) != ""
    assert row["total_tokens"] > 0
    assert run_on_server


async def test_ids_are_text_and_other_tools_lines_are_rows(files, target):
    files.target.write_bytes(
        b'{"custom_id":7,"response":{"status_code":429,"body":[1]},"cost":{"usd":true},"usage":3}\n'
        b'{"custom_id":"b","response":{"body":{"choices":[]}},"attempts":99999999999999999999}\n'
        b'{"custom_id":"c","resp'
    )
    assert await write_parquet(files.target, target) == 2
    first, second = pq.read_table(target).to_pylist()
    assert (first["custom_id"], first["error"], first["response"]) == ("7", "status 429", "[1]")
    assert (first["usd"], second["attempts"], second["answer"]) == (None, None, None)


@pytest.mark.parametrize("more", [r'"\udfff"', "1" + "0" * 400, "[" * 2000 + "]" * 2000])
async def test_a_body_that_only_json_can_hold_is_a_row(files, target, more):
    # A server that counts in UTF-16 cuts an emoji in two.
    text, shown = ("a", "a") if more.startswith("[") else (r"a\ud83d", "a\ufffd")
    choice = f'{{"message":{{"content":"{text}"}},"finish_reason":"stop"}}'
    body = f'{{"choices":[{choice}],"more":{more}}}'
    line = f'{{"custom_id":"a","response":{{"body":{body}}},"inference_id":"{text}"}}\n'
    files.target.write_text(line, encoding="utf-8")
    await write_parquet(files.target, target)
    (row,) = pq.read_table(target).to_pylist()
    assert (row["answer"], row["finish_reason"], row["inference_id"]) == (shown, "stop", shown)
    assert json.loads(row["response"])["choices"][0]["message"]["content"] == shown


async def test_a_damaged_line_is_refused_and_the_old_file_stays(files, target):
    target.write_bytes(b"old")
    files.target.write_bytes(b'{"custom_id":"a","response":{}}\nno JSON\n')
    with pytest.raises(InputError, match="line 2"):
        await write_parquet(files.target, target)
    assert target.read_bytes() == b"old"
    assert sorted(path.name for path in target.parent.iterdir()) == [files.target.name, target.name]


async def test_a_full_disk_leaves_the_old_file(files, target, monkeypatch):
    target.write_bytes(b"old")
    files.target.write_bytes(b'{"custom_id":"a","response":{}}\n')

    def fail(_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("aimlchat.batch.disk.os.fsync", fail)
    with pytest.raises(OutputFileError, match=r"results\.parquet cannot be written: No space"):
        await write_parquet(files.target, target)
    assert target.read_bytes() == b"old"
    assert len([*target.parent.iterdir()]) == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
async def test_the_file_has_the_mode_of_the_journal(files, target):
    files.target.write_bytes(b'{"custom_id":"a","response":{}}\n')
    files.target.chmod(0o640)
    await write_parquet(files.target, target)
    assert target.stat().st_mode & 0o777 == 0o640


async def test_many_rows_are_written_in_groups(files, target, monkeypatch):
    monkeypatch.setattr("aimlchat.batch.parquet._ROWS_PER_GROUP", 3)
    lines = [b'{"custom_id":"%d","response":{}}\n' % n for n in range(8)]
    files.target.write_bytes(b"".join(lines))
    assert await write_parquet(files.target, target) == 8
    assert pq.ParquetFile(target).num_row_groups == 3
    assert pq.read_table(target)["custom_id"].to_pylist() == [str(n) for n in range(8)]


async def test_a_link_is_followed(files, target, tmp_path):
    files.target.write_bytes(b'{"custom_id":"a","response":{}}\n')
    (tmp_path / "folder").mkdir()
    target.symlink_to(tmp_path / "folder" / "there.parquet")
    assert await write_parquet(files.target, target) == 1
    assert target.is_symlink()
    assert pq.read_table(tmp_path / "folder" / "there.parquet").num_rows == 1


async def test_the_file_of_results_is_not_replaced(files):
    files.target.write_bytes(b'{"custom_id":"a","response":{}}\n')
    with pytest.raises(OutputFileError, match="is the file of results"):
        await write_parquet(files.target, files.target)
    assert files.ids == ["a"]


async def test_cancelling_waits_for_the_group_that_is_written(files, target, monkeypatch):
    # pyarrow crashes the process if the writer is closed while another thread uses it.
    started, released, events = threading.Event(), threading.Event(), []
    write, close = pq.ParquetWriter.write_table, pq.ParquetWriter.close

    def write_slowly(*arguments):
        started.set()
        assert released.wait(60)
        write(*arguments)
        events.append("written")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", write_slowly)
    monkeypatch.setattr(
        pq.ParquetWriter, "close", lambda self: events.append("closed") or close(self)
    )
    files.target.write_bytes(b'{"custom_id":"a","response":{}}\n')
    writing = asyncio.create_task(write_parquet(files.target, target))
    await asyncio.to_thread(started.wait, 60)
    for _ in range(2):  # Ctrl-C may come twice
        writing.cancel()
        await asyncio.wait([writing], timeout=0.01)
    assert events == []
    released.set()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert events[:2] == ["written", "closed"]
    assert [*target.parent.iterdir()] == [files.target]


KILLED_WHILE_WRITING = """
import asyncio, os, pathlib, signal, sys
import pyarrow.parquet as pq
from aimlchat.batch import parquet, write_parquet

def kill(*_):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[3] == "table":
    pq.ParquetWriter.write_table = kill
elif sys.argv[3] == "sync":
    parquet.sync_file = kill
else:
    pathlib.Path.replace = kill
asyncio.run(write_parquet(*sys.argv[1:3]))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no kill -9")
@pytest.mark.parametrize("moment", ["table", "sync", "replace"])
async def test_a_kill_during_the_conversion_leaves_the_old_file(files, target, moment):
    files.target.write_bytes(b'{"custom_id":"a","response":{}}\n')
    await write_parquet(files.target, target)
    with files.target.open("ab") as file:
        file.write(b'{"custom_id":"b","response":{}}\n')
    command = [sys.executable, "-c", KILLED_WHILE_WRITING, files.target, target, moment]
    killed = await asyncio.to_thread(subprocess.run, command, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert pq.read_table(target)["custom_id"].to_pylist() == ["a"]
    assert files.ids == ["a", "b"]
    assert await write_parquet(files.target, target) == 2
    assert pq.read_table(target)["custom_id"].to_pylist() == ["a", "b"]


async def test_without_pyarrow_the_error_names_the_install_line(files, target, monkeypatch):
    files.target.write_bytes(b'{"custom_id":"a","response":{}}\n')
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigurationError, match=r"pip install '\.\[parquet\]'"):
        await write_parquet(files.target, target)
    assert not target.exists()

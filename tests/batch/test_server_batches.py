"""The record of the batches on the server: a file that a person may have edited."""

import os
import stat
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from aimlchat.batch import InputError
from aimlchat.batch.server_batches import ServerBatch, ServerBatches

FIRST = ServerBatch("b1", [("row-0", "ab" * 16), (7, "cd" * 16)])
SECOND = ServerBatch("b2", [("row-1", "ef" * 16)])


@pytest.fixture
def batches(tmp_path):
    return ServerBatches(tmp_path / "results.jsonl")


def record(batches, *recorded):
    batches.path.write_bytes(b"".join(msgspec.json.encode(batch) + b"\n" for batch in recorded))


def test_the_file_exists_while_there_are_batches(batches, tmp_path):
    assert batches.read() == []
    first, second = (batches.submit(batch.members) for batch in (FIRST, SECOND))
    batches.confirm(first, "b1")
    assert [batch.id for batch in batches.read()] == [None, "b1"]
    assert [batch.members for batch in batches.read()] == [SECOND.members, FIRST.members]
    batches.replace(second, None)
    (first,) = batches.read()
    batches.replace(first, None)
    assert list(tmp_path.iterdir()) == []


def test_a_batch_is_recorded_with_the_time_at_which_it_was_submitted(batches):
    before = datetime.now(UTC)
    batch = batches.submit(FIRST.members)
    assert batches.read() == [batch]
    submitted = datetime.fromisoformat(f"{batch.submitted}+00:00")
    assert timedelta(seconds=-1) < submitted - before < timedelta(minutes=1)


@pytest.mark.skipif(os.name == "nt", reason="Windows has other modes")
def test_the_record_is_private_and_is_not_written_through_a_link(batches, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"")
    batches.path.symlink_to(elsewhere)
    batches.submit(FIRST.members)
    assert elsewhere.read_bytes() == b""
    assert stat.S_IMODE(batches.path.lstat().st_mode) == 0o600


@pytest.mark.parametrize(
    "line",
    [
        b"what?",
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"id":"b1"}',
        b'{"id":null}',
        b'{"id":true,"members":[]}',
        b'{"id":"b1","members":[],"submitted":5}',
        b'{"id":"b1","members":[["row-0","ab"]',
        b'{"id":5,"members":[]}',
        b'{"id":"b1","members":null}',
        b'{"id":"b1","members":{}}',
        b'{"id":"b1","members":["row-0"]}',
        b'{"id":"b1","members":[["row-0"]]}',
        b'{"id":"b1","members":[["row-0",null]]}',
        b'{"id":"b1","members":[[null,"ab"]]}',
        b'{"id":"b1","members":[[1.5,"ab"]]}',
        b'{"id":"b1","members":[["\xff","ab"]]}',
        b'{"id":NaN,"members":[]}',
        b'{"id":"b1","members":[],"x":%b}' % (b"[" * 100_000 + b"]" * 100_000),
    ],
)
def test_a_line_that_does_not_describe_a_batch_is_reported(batches, line):
    record(batches, FIRST)
    content = batches.path.read_bytes() + line + b"\n"
    batches.path.write_bytes(content)
    with pytest.raises(
        InputError, match="batches, line 2: the line does not name a batch"
    ) as caught:
        list(batches.read())
    assert caught.value.line == 2
    assert batches.path.read_bytes() == content


@pytest.mark.skipif(os.name == "nt", reason="Windows has no FIFOs")
@pytest.mark.parametrize("create", [os.mkdir, os.mkfifo], ids=["a folder", "a FIFO"])
def test_a_record_that_cannot_be_read_is_reported(batches, create):
    create(batches.path)
    with pytest.raises(InputError, match="batches cannot be read"):
        list(batches.read())

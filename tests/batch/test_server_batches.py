"""The record of the batches on the server: a file that a person may have edited."""

import pytest

from aimlchat.batch import InputError
from aimlchat.batch.server_batches import ServerBatch, ServerBatches

FIRST = ServerBatch("b1", [("row-0", "ab" * 16), (7, "cd" * 16)])
SECOND = ServerBatch("b2", [("row-1", "ef" * 16)])


@pytest.fixture
def batches(tmp_path):
    return ServerBatches(tmp_path / "results.jsonl")


def test_the_file_exists_while_there_are_batches(batches, tmp_path):
    assert list(batches.read()) == []
    batches.add(FIRST)
    batches.add(SECOND)
    assert list(batches.read()) == [FIRST, SECOND]
    batches.remove("b1")
    assert list(batches.read()) == [SECOND]
    batches.remove("b2")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "line",
    [
        b"what?",
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"id":"b1"}',
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
    batches.add(FIRST)
    content = batches.path.read_bytes() + line + b"\n"
    batches.path.write_bytes(content)
    with pytest.raises(
        InputError, match="batches, line 2: the line does not name a batch"
    ) as caught:
        list(batches.read())
    assert caught.value.line == 2
    assert batches.path.read_bytes() == content


def test_a_record_that_cannot_be_opened_is_reported(batches):
    batches.path.mkdir()
    with pytest.raises(InputError, match="batches cannot be read"):
        list(batches.read())

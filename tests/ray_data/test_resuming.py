"""Runs that go on where others have ended."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray

from aimlchat import ConfigurationError
from aimlchat.ray import answer


def wait_until(condition):
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def delete_half_written(folder):
    """Delete the files that a killed process has not finished, as a warning advises."""
    for path in folder.glob("*.parquet"):
        if path.read_bytes()[-4:] != b"PAR1":
            path.unlink()


def read_ids(folder, *, failed=False):
    results = ray.data.read_parquet(str(folder)).to_pandas()
    return Counter(results[results.error.notna() == failed].id.tolist())


def test_an_actor_killed_in_the_middle_costs_at_most_its_open_batch(
    rows, session, aimlchat_emulator, tmp_path
):
    count, batch_size = 2000, 100
    results, pids = tmp_path / "results", tmp_path / "pids"
    pids.mkdir()
    folder, faults, billed_before = str(pids), set(), []

    def is_faulty(request):  # the first attempt of 5 % of the rows
        number = int(request.prompt.split()[-1])
        if number % 20 or number in faults:
            return False
        faults.add(number)
        return True

    def ask(row):
        Path(folder, str(os.getpid())).touch()
        return row["question"]

    def run():
        answer(
            rows(count),
            ask,
            session=session,
            actors=2,
            concurrency=20,
            batch_size=batch_size,
            resume_from=results,
        ).write_parquet(str(results))

    def kill():
        wait_until(lambda: aimlchat_emulator.billed >= count // 3)
        os.kill(int(min(path.name for path in pids.iterdir())), signal.SIGKILL)
        billed_before.append(aimlchat_emulator.billed)

    aimlchat_emulator.fail(status=500, times=None, when=is_faulty)
    killer = threading.Thread(target=kill)
    killer.start()
    run()
    killer.join()

    assert billed_before[0] < count - batch_size  # it was killed in the middle
    failed = read_ids(results, failed=True)
    assert 0 < len(failed) <= len(faults)
    assert read_ids(results) + failed == Counter(range(count))
    run()
    assert read_ids(results) == Counter(range(count))
    assert count <= aimlchat_emulator.billed <= count + batch_size

    billed = aimlchat_emulator.billed
    run()
    assert aimlchat_emulator.billed == billed


PROGRAM = """
import sys, ray, ray.data
from aimlchat import ChatSession
from aimlchat.ray import answer

address, base_url, results = sys.argv[1:]
ray.init(address=address, log_to_driver=False, logging_level="ERROR")
ray.data.DataContext.get_current().enable_progress_bars = False
rows = ray.data.from_items([{"id": i, "question": f"Question {i}"} for i in range(600)])
answer(
    rows, session=ChatSession("key", base_url=base_url), concurrency=10, batch_size=50,
    resume_from=results,
).write_parquet(results)
"""


def test_a_run_whose_driver_is_killed_is_continued_by_the_same_command(
    local_ray, aimlchat_emulator, tmp_path
):
    results = tmp_path / "results"
    address = ray.get_runtime_context().gcs_address
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM)]
    command += [address, aimlchat_emulator.base_url, str(results)]

    with subprocess.Popen(command) as driver:
        wait_until(lambda: results.exists() and len(list(results.glob("*.parquet"))) >= 3)
        driver.kill()
    time.sleep(1)  # the tasks that still write are killed, too
    delete_half_written(results)
    assert 0 < len(read_ids(results)) < 600
    subprocess.run(command, check=True)

    assert read_ids(results) == Counter(range(600))


def known_ids(rows, answered, path, **arguments):
    return [row["id"] for row in answered(rows(6), resume_from=path, **arguments)]


def test_results_may_be_json_lines_with_a_torn_last_line(rows, answered, tmp_path):
    lines = [{"id": 0, "error": None}, {"id": 1.0, "error": None}, {"id": "2", "error": "x: y"}]
    text = "\n".join(map(json.dumps, lines)) + '\n\n{"id": 3, "err'
    (tmp_path / "results.jsonl").write_text(text, encoding="utf-8")

    assert known_ids(rows, answered, tmp_path) == [2, 3, 4, 5]
    assert known_ids(rows, answered, tmp_path / "results.jsonl", retry_failed=False) == [3, 4, 5]


def test_a_half_written_parquet_file_is_named_and_ignored(rows, answered, tmp_path, caplog):
    pq.write_table(pa.table({"id": [0, 1], "error": [None, "x: y"]}), tmp_path / "a.parquet")
    whole = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "b.parquet").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "_SUCCESS").touch()

    assert known_ids(rows, answered, tmp_path) == [1, 2, 3, 4, 5]
    (warning,) = [record for record in caplog.records if record.name == "aimlchat"]
    assert "b.parquet is not a whole Parquet file: delete it" in warning.message


def test_results_without_an_id_or_in_another_format_are_refused(rows, session, tmp_path):
    (tmp_path / "a.csv").write_text("id", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"a\.csv is neither Parquet nor JSON lines"):
        answer(rows(1), session=session, resume_from=tmp_path)

    (tmp_path / "a.csv").unlink()
    pq.write_table(pa.table({"row": [1]}), tmp_path / "a.parquet")
    with pytest.raises(ConfigurationError, match=r"a\.parquet has no column 'id'; give id_column="):
        answer(rows(1), session=session, resume_from=tmp_path)


@pytest.fixture
def resume(rows, session):
    return lambda path: answer(rows(1), session=session, resume_from=path)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.json", b'[{"id": 1, "error": null}]\n', "line 1: the line is not a JSON object"),
        ("a.json", b'[{"id": 1,\n "error": null}]', "line 1: the line is not a JSON object"),
        (
            "a.jsonl",
            b'{"id": 1}\n{"id": 2, "ans\n{"id": 3}\n',
            "line 2: the line is not a JSON object",
        ),
        ("a.jsonl", b'{"id": 1.5}\n', "the id 1.5; ids are texts or whole numbers"),
        ("a.parquet", pa.table({"id": [1.0], "error": ["x"]}), "are of type double"),
        # The failures would be left out of all further runs.
        ("a.parquet", pa.table({"id": [1]}), "has no column 'error'"),
    ],
)
def test_results_that_would_be_paid_for_again_or_never_are_refused(
    resume, tmp_path, name, content, problem
):
    if isinstance(content, bytes):
        (tmp_path / name).write_bytes(content)
    else:
        pq.write_table(content, tmp_path / name)
    with pytest.raises(ConfigurationError, match=problem):
        resume(tmp_path)


def test_results_as_other_tools_write_them_are_read(rows, answered, tmp_path):
    (tmp_path / "a.JSONL").write_bytes(b'\xef\xbb\xbf{"id": 0}\r\n{"id": 1, "x": "\\ud83d\xff"}\n')
    pq.write_table(pa.table({"id": ["2"], "error": pa.nulls(1)}), tmp_path / "b.PARQUET")
    (tmp_path / "_temporary").mkdir()
    pq.write_table(pa.table({"id": [3], "error": pa.nulls(1)}), tmp_path / "_temporary/c.parquet")
    (tmp_path / ".part-0.crc").touch()
    assert known_ids(rows, answered, tmp_path) == [3, 4, 5]


def test_results_that_are_named_are_read_wherever_they_are(rows, answered, tmp_path):
    (tmp_path / ".cache").mkdir()
    path = tmp_path / ".cache" / "_results.jsonl"
    path.write_text('{"id": 0}\n')
    assert known_ids(rows, answered, path) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("path", ["nope://bucket/results", "file:///a b"])
def test_a_place_that_cannot_be_opened_is_refused(resume, path):
    with pytest.raises(ConfigurationError, match=f"resume_from: {path} cannot be read"):
        resume(path)


def test_a_row_without_an_id_is_not_paid_for(answered, aimlchat_emulator, tmp_path):
    dataset = ray.data.from_items([{"key": None, "question": "a"}, {"key": "k", "question": "b"}])

    found = answered(dataset, id_column="key", resume_from=tmp_path / "new")

    assert {row["key"]: row["error"] for row in found} == {
        None: "InvalidRequestError: key: the row has no id, by which a later run could know it",
        "k": None,
    }
    assert aimlchat_emulator.billed == 1


def test_ids_that_no_later_run_could_compare_are_refused_before_anything_is_sent(
    session, aimlchat_emulator, tmp_path
):
    dataset = ray.data.from_items([{"id": 0.5, "question": "a"}])

    with pytest.raises(Exception, match="the ids in the dataset are of type double; give texts or"):
        answer(dataset, session=session, resume_from=tmp_path / "new").materialize()
    assert aimlchat_emulator.requests == []


def test_what_ray_writes_as_json_is_read(rows, answered, session, aimlchat_emulator, tmp_path):
    answer(rows(4), session=session).write_json(str(tmp_path))

    assert known_ids(rows, answered, tmp_path) == [4, 5]

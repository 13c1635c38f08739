"""The memory of a run does not grow with its results, and with its rows only by their ids."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux has it"),
]

SERVER = Path(__file__).parents[1] / "benchmarks" / "server.py"
MEGABYTE = 1024 * 1024
# An id takes 23 to 46 bytes, and twice as much while its table grows; a line takes one byte.
BYTES_PER_ROW = 100
PROGRAM = """
import asyncio, sys
from pathlib import Path
from aimlchat import ChatSession
from aimlchat.batch import run

async def main(source, target, url):
    async with ChatSession("k", base_url=url) as session:
        assert (await run(session, source, target, concurrency=100)).is_success

asyncio.run(main(*sys.argv[1:]))
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
print(int(peak.split()[1]) * 1024)
"""


@pytest.fixture
def measure(tmp_path):
    """Return a function that answers rows and returns the peak memory of the process."""
    command = [sys.executable, SERVER]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as server:
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/whole"

        def measure(rows):
            source, target = tmp_path / f"{rows}.jsonl", tmp_path / f"{rows}-results.jsonl"
            with source.open("w", encoding="ascii") as file:
                for n in range(rows):
                    file.write(json.dumps({"id": f"row-{n}", "prompt": f"Question {n}"}) + "\n")
            done = subprocess.run(
                [sys.executable, "-c", PROGRAM, source, target, url],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
                capture_output=True,
                text=True,
                check=True,
            )
            source.unlink()
            target.unlink()
            return int(done.stdout)

        yield measure
        server.stdin.close()


def test_ten_times_the_rows_take_no_more_memory_than_their_ids(measure, record_property):
    few, many = measure(20_000), measure(200_000)
    record_property("note", f"{few // MEGABYTE} MB for 20,000 rows, {many // MEGABYTE} for 200,000")
    assert many - few < 180_000 * BYTES_PER_ROW
    assert many < 80 * MEGABYTE


def test_a_million_rows_take_less_than_120_mb(measure, record_property):
    peak = measure(1_000_000)
    record_property("note", f"{peak // MEGABYTE} MB for 1,000,000 rows")
    assert peak < 120 * MEGABYTE

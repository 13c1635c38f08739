"""``kill -9`` at any instant: no result is lost, and no request with a result is sent again."""

import json
import os
import random
import select
import subprocess
import sys
import time
from collections import Counter

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has neither fork nor kill -9")

CONCURRENCY = 16
# The imports would take most of the time of a run. So one process does them once, and each run of
# `aimlchat batch` is a fork of it. For each line on its standard input it starts a run, and prints
# first the process id of the run and then its exit status. A line may have two numbers, a count of
# writes and a count of bytes: the run kills itself after that many writes to the output, and after
# that many bytes of the next one.
FORK_SERVER = """
import os, sys
import aimlchat.batch, aimlchat.cli.batch_command, aimlchat.cli.program

def kill_in_write(writes, length):
    write = os.write
    def count(file, data):
        nonlocal writes
        if bytes(data[:1]) in (b"{", b"\\0"):  # a result, or the probe for room
            if not writes:
                write(file, data[:length])
                os.kill(os.getpid(), 9)
            writes -= 1
        return write(file, data)
    os.write = count

for line in sys.stdin:
    child = os.fork()
    if not child:
        from aimlchat.cli import main
        if line.strip():
            kill_in_write(*map(int, line.split()))
        os.close(0)
        main()
    print(child, flush=True)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


class ForkServer:
    def __init__(self, files, base_url) -> None:
        arguments = ("batch", str(files.source), "-o", str(files.target), "--quiet")
        arguments += ("--base-url", base_url, "--concurrency", str(CONCURRENCY))
        self._process = subprocess.Popen(
            [sys.executable, "-c", FORK_SERVER, *arguments],
            env=os.environ | {"AIMLAPI_API_KEY": "k"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        assert self._process.wait() == 0
        self._process.stdout.close()

    def start(self, kill_at="") -> int:
        """Start a run, and return its process id."""
        self._process.stdin.write(f"{kill_at}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def wait(self) -> int:
        """Wait for the end of the run, and return its exit status."""
        return int(self._process.stdout.readline())

    def has_ended(self) -> bool:
        return bool(select.select([self._process.stdout], [], [], 0)[0])


def count_lines(path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_a_run_killed_in_any_write_loses_no_result(files, aimlchat_emulator):
    files.write_prompts(60)
    # The first write is the probe; then the results follow.
    moments = ["0 0", "0 100", "1 0", "1 1", "1 13", "2 200", "10 50", "10 100000"]

    with ForkServer(files, aimlchat_emulator.base_url) as server:
        for moment in moments:
            server.start(kill_at=moment)
            assert server.wait() == -9
        assert 0 < count_lines(files.target) < 60
        server.start()
        assert server.wait() == 0

    assert sorted(files.ids) == sorted(f"row-{n}" for n in range(60))
    assert 60 <= aimlchat_emulator.billed <= 60 + len(moments) * CONCURRENCY
    for result in files.results:
        number = result["custom_id"].removeprefix("row-")
        assert f"“Question {number}”" in json.dumps(result["response"]["body"], ensure_ascii=False)


@pytest.mark.soak
def test_a_run_killed_at_fifty_random_moments_loses_no_result(files, aimlchat_emulator):
    rows, kills = 2000, 50
    files.write_prompts(rows)
    moments = random.Random(5)  # noqa: S311 - the same moments in each run of the test

    with ForkServer(files, aimlchat_emulator.base_url) as server:
        for _ in range(kills):
            child = server.start()
            # Some kills hit while it starts and reads the files, most while it writes results.
            enough = count_lines(files.target) + moments.choice([0, *range(1, 36)])
            while count_lines(files.target) < enough:
                assert not server.has_ended(), "the run ended before it could be killed"
                time.sleep(0.0005)
            time.sleep(moments.uniform(0, 0.004 if enough else 0.03))
            os.kill(child, 9)
            assert server.wait() == -9
        assert count_lines(files.target) < rows
        server.start()
        assert server.wait() == 0

    assert Counter(files.ids) == Counter(f"row-{n}" for n in range(rows))
    assert all(result["error"] is None for result in files.results)
    assert rows <= aimlchat_emulator.billed <= rows + kills * CONCURRENCY

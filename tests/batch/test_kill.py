"""``kill -9`` at any instant: nothing is lost, nothing is done twice that was written."""

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there is neither fork nor kill -9")

LINES = 2000
KILLS = 50
AT_ONCE = 16
# Most of a run would be the imports: so one process does them, and each run is a fork of it, which
# then is `aimlchat batch` as any other. It tells the fork's id, and later its exit status.
NURSERY = """
import os, sys
import aimlchat.batch, aimlchat.cli.batch_command, aimlchat.cli.program
for _ in sys.stdin:
    child = os.fork()
    if not child:
        from aimlchat.cli import main
        os.close(0)
        main()
    print(child, flush=True)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


class Nursery:
    def __init__(self, files, base_url) -> None:
        arguments = ("batch", str(files.source), "-o", str(files.target), "--quiet")
        arguments += ("--base-url", base_url, "--concurrency", str(AT_ONCE))
        self._process = subprocess.Popen(
            [sys.executable, "-c", NURSERY, *arguments],
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

    def start(self) -> int:
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def status(self) -> int:
        return int(self._process.stdout.readline())


def lines_in(path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def wait_for_lines(path, enough) -> None:
    patience = time.monotonic() + 60
    while lines_in(path) < enough:
        assert time.monotonic() < patience, "it makes no progress"
        time.sleep(0.0005)


def test_killed_at_fifty_moments_every_row_is_there_once(files, aimlchat_emulator):
    files.prompts(LINES)
    moments = random.Random(5)  # noqa: S311 - the same moments at each run

    with Nursery(files, aimlchat_emulator.base_url) as nursery:
        for _ in range(KILLS):
            child = nursery.start()
            # Some while it starts and reads the files, most in the middle of its work.
            enough = lines_in(files.target) + moments.choice([0, *range(1, 36)])
            wait_for_lines(files.target, enough)
            time.sleep(moments.uniform(0, 0.004 if enough else 0.03))
            os.kill(child, 9)
            assert nursery.status() == -9
        assert lines_in(files.target) < LINES
        nursery.start()
        assert nursery.status() == 0

    times = Counter(files.ids)
    assert times == Counter(f"row-{n}" for n in range(LINES))
    assert all(result["error"] is None for result in files.results)
    assert LINES <= aimlchat_emulator.billed <= LINES + KILLS * AT_ONCE


def test_what_was_written_is_the_answer_to_its_own_request(files, aimlchat_emulator):
    files.prompts(200)
    with Nursery(files, aimlchat_emulator.base_url) as nursery:
        child = nursery.start()
        wait_for_lines(files.target, 50)
        os.kill(child, 9)
        assert nursery.status() == -9
        nursery.start()
        assert nursery.status() == 0

    for result in files.results:
        number = result["custom_id"].removeprefix("row-")
        assert f"“Question {number}”" in json.dumps(result["response"]["body"], ensure_ascii=False)

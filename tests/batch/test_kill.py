"""``kill -9`` at any instant: no result is lost, and no request with a result is sent again."""

import json
import os
import random
import time
from collections import Counter

import pytest
from batch_process import BatchProcesses

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has neither fork nor kill -9")

CONCURRENCY = 16


@pytest.fixture
def processes(files, aimlchat_emulator):
    arguments = (str(files.source), "-o", str(files.target), "--quiet")
    arguments += ("--base-url", aimlchat_emulator.base_url, "--concurrency", str(CONCURRENCY))
    with BatchProcesses(*arguments, log=files.target.with_name("log")) as processes:
        yield processes


def count_lines(path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_a_run_killed_in_any_write_loses_no_result(files, processes, aimlchat_emulator):
    rows = 200  # enough for each moment, even if each write has as many results as are in flight
    files.write_prompts(rows)
    aimlchat_emulator.reply(lambda request: f"“{request.prompt}”", times=None)
    # The first write is the probe; then the results follow, several at once if they arrive so.
    moments = [(0, 0), (0, 100), (1, 0), (1, 1), (1, 13), (2, 200), (3, 50), (3, 100000)]

    for moment in moments:
        assert processes.run(kill_at=["result", *moment]) == -9
    assert 0 < count_lines(files.target) < rows
    assert processes.run() == 0

    assert sorted(files.ids) == sorted(f"row-{n}" for n in range(rows))
    assert rows <= aimlchat_emulator.billed <= rows + len(moments) * CONCURRENCY
    for result in files.results:
        number = result["custom_id"].removeprefix("row-")
        assert f"“Question {number}”" in json.dumps(result["response"]["body"], ensure_ascii=False)


@pytest.mark.soak
def test_a_run_killed_at_fifty_random_moments_loses_no_result(files, processes, aimlchat_emulator):
    rows, kills = 2000, 50
    files.write_prompts(rows)
    moments = random.Random(5)  # noqa: S311 - the same moments in each run of the test

    for _ in range(kills):
        child = processes.start()
        # Some kills hit while it starts and reads the files, most while it writes results.
        enough = count_lines(files.target) + moments.choice([0, *range(1, 36)])
        while count_lines(files.target) < enough:
            assert not processes.has_ended(), "the run ended before it could be killed"
            time.sleep(0.0005)
        time.sleep(moments.uniform(0, 0.004 if enough else 0.03))
        os.kill(child, 9)
        assert processes.wait() == -9
    assert count_lines(files.target) < rows
    assert processes.run() == 0

    assert Counter(files.ids) == Counter(f"row-{n}" for n in range(rows))
    assert all(result["error"] is None for result in files.results)
    assert rows <= aimlchat_emulator.billed <= rows + kills * CONCURRENCY

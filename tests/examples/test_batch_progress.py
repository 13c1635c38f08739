"""The batch with a progress bar in docs/examples, as a program of its own."""

import asyncio
import json
import sys

import pytest
from snippets import EXAMPLES

QUESTIONS = "".join(json.dumps({"id": n, "prompt": f"Question {n}?"}) + "\n" for n in range(5))


@pytest.fixture
def batch(emulator, monkeypatch, tmp_path):
    """Run the program on files in a folder of its own."""
    monkeypatch.setenv("AIMLAPI_API_KEY", "any-key")
    monkeypatch.setenv("AIMLAPI_BASE_URL", emulator.base_url)
    (tmp_path / "requests.jsonl").write_text(QUESTIONS, encoding="utf-8")

    async def run():
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(EXAMPLES / "batch_progress.py"),
            "requests.jsonl",
            "answers.jsonl",
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()

    return run


async def test_a_batch_shows_its_progress_and_goes_on_where_it_stopped(batch, emulator, tmp_path):
    emulator.fail(status=400)

    first = await batch()
    second = await batch()

    assert first[0] == 1
    assert "5/5" in first[2]
    assert "4 answers, 1 failures\n1 x BadRequestError" in first[2]
    assert "0 answers, 0 failures" in second[2]
    assert len(emulator.requests) == 5
    assert len((tmp_path / "answers.jsonl").read_text(encoding="utf-8").splitlines()) == 5


async def test_a_file_that_is_no_input_is_named(batch, emulator, tmp_path):
    (tmp_path / "requests.jsonl").write_text("not JSON\n", encoding="utf-8")

    status, _, err = await batch()

    assert status == 1
    assert "Traceback" not in err
    assert "line 1" in err
    assert emulator.requests == []

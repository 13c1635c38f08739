"""The program of the how-to page."""

import json
import runpy
import sys
from pathlib import Path

import pyarrow.parquet as pq

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "ray_answers.py"


def test_the_example_answers_a_file_and_goes_on(aimlchat_emulator, monkeypatch, tmp_path, capsys):
    rows = [{"id": f"q{i}", "question": f"Why {i}?", "context": "None."} for i in range(5)]
    questions, results = tmp_path / "questions.jsonl", tmp_path / "results"
    questions.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    monkeypatch.setenv("AIMLAPI_API_KEY", "any-key")
    monkeypatch.setenv("AIMLAPI_BASE_URL", aimlchat_emulator.base_url)
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE), str(questions), str(results)])
    aimlchat_emulator.fail(status=400, when=lambda request: "Why 3?" in request.prompt)
    aimlchat_emulator.reply("Because.", cost=0.5, times=None)

    for _ in range(2):
        runpy.run_path(str(EXAMPLE), run_name="__main__")
    found = pq.read_table(results).to_pylist()
    assert sorted(row["id"] for row in found if row["answer"] == "Because.") == [
        row["id"] for row in rows
    ]
    assert [row["id"] for row in found if row["error"]] == ["q3"]
    assert aimlchat_emulator.billed == 5

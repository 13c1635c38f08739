"""Answer the questions of Parquet or JSON files on Ray; run it again to go on after anything.

python docs/examples/ray_answers.py QUESTIONS RESULTS
"""

import sys
from typing import Any

import ray.data

from aimlchat import ChatRequest, Limits
from aimlchat.ray import answer

BASE = ChatRequest(max_tokens=300).system("Answer in one sentence.")


def ask(row: dict[str, Any]) -> ChatRequest:
    """Return the request of a row."""
    return BASE.user(f"{row['question']}\n\nContext: {row['context']}")


def answer_all(questions: str, results: str) -> None:
    """Answer each row of a folder of questions that has no answer in the folder of results."""
    if questions.endswith(".parquet"):
        rows = ray.data.read_parquet(questions)
    else:
        rows = ray.data.read_json(questions, lines=True)
    answers = answer(
        rows,
        ask,
        actors=2,
        concurrency=50,
        batch_size=1000,
        limits=Limits(requests_per_minute=6000),  # of both actors together
        budget_usd=200,
        resume_from=results,
    )
    answers.write_parquet(results)  # executes it: one file for each batch


if __name__ == "__main__":
    answer_all(*sys.argv[1:3])

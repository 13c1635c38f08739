"""Read reviews, one in each line of a file, into a table: each answer is a value of a type.

    python docs/examples/typed_batch.py reviews.txt reviews.csv

The key is in the environment variable AIMLAPI_API_KEY. AIMLAPI_BASE_URL names another address, such
as that of an emulator.
"""

import asyncio
import csv
import sys
from pathlib import Path
from typing import Literal

import attrs
from attrs.validators import ge, le, max_len

from aimlchat import AIMLChatError, ChatRequest, ChatSession, OutputError

BASE = ChatRequest(max_tokens=500).system("You read what customers write about a product.")


@attrs.frozen
class Review:
    """What a customer writes.

    Attributes:
        mood: the mood of the customer.
        stars: how satisfied the customer is, from 1 to 5.
        topics: what it is about, at most three topics of one word.
    """

    mood: Literal["good", "bad", "mixed"]
    stars: int = attrs.field(validator=[ge(1), le(5)])
    topics: list[str] = attrs.field(validator=max_len(3))


async def read_reviews(texts: list[str]) -> dict[int, Review]:
    """Return the reviews by the numbers of their lines; print why any others are missing."""
    reviews = {}
    async with (
        ChatSession() as session,
        session.complete_many(
            (BASE.user(text) for text in texts),
            output_type=Review,
            output_retries=1,  # told what is wrong, the model gets one more attempt
            budget_usd=5,
        ) as outcomes,
    ):
        async for outcome in outcomes:
            if outcome.completion is not None:
                reviews[outcome.index] = outcome.completion.output
            elif isinstance(outcome.error, OutputError):
                error = outcome.error
                print(f"line {outcome.index + 1}: {error.reason}: {error}", file=sys.stderr)
            else:
                print(f"line {outcome.index + 1}: {outcome.error}", file=sys.stderr)
    print(f"{len(reviews)} of {len(texts)} reviews, ${outcomes.cost.usd:.4f}")
    return reviews


def main(source: str, target: str) -> bool:
    """Write the table; return whether it has all reviews."""
    texts = Path(source).read_text(encoding="utf-8").splitlines()
    reviews = asyncio.run(read_reviews(texts))
    with Path(target).open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["line", "mood", "stars", "topics"])
        for index, review in reviews.items():
            table.writerow([index + 1, review.mood, review.stars, " ".join(review.topics)])
    return len(reviews) == len(texts)


if __name__ == "__main__":
    try:
        is_complete = main(*sys.argv[1:3])
    except (AIMLChatError, OSError) as error:
        sys.exit(str(error))
    sys.exit(not is_complete)

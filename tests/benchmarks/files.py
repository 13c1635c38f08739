"""A file of requests into a file of results, by each contestant."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

MODEL = "claude-3-7-sonnet-20250219"


def write_requests(path: Path, rows: int) -> None:
    """Write requests in the format of OpenAI's Batch API, which all contestants read."""
    with path.open("w", encoding="utf-8") as file:
        for number in range(rows):
            messages = [{"role": "user", "content": f"Why is the sky blue? ({number})"}]
            body = {"model": MODEL, "messages": messages}
            line = {"custom_id": f"row-{number}", "method": "POST", "body": body}
            line["url"] = "/v1/chat/completions"
            file.write(json.dumps(line) + "\n")


def read_requests(source: Path) -> Iterator[tuple[str, list]]:
    """Yield ids and messages, for clients that read no files themselves."""
    with source.open("rb") as file:
        for line in file:
            request = json.loads(line)
            yield request["custom_id"], request["body"]["messages"]


async def answer_at_once(
    source: Path, target: Path, width: int, ask: Callable[[list], Awaitable[str]]
) -> None:
    """Ask for each row with ``gather``, ``width`` at once, and append each answer."""
    turns = asyncio.Semaphore(width)
    with target.open("ab", buffering=0) as file:

        async def answer(custom_id: str, messages: list) -> None:
            async with turns:
                text = await ask(messages)
            append_answer(file, custom_id, text)

        await asyncio.gather(*(answer(*request) for request in read_requests(source)))


def append_answer(file, custom_id: str, text: str) -> None:
    """Append the line of an answer."""
    file.write(json.dumps({"custom_id": custom_id, "answer": text}).encode() + b"\n")


def count_lines(path: Path) -> int:
    """Return the number of lines of a file."""
    with path.open("rb") as file:
        return sum(1 for _ in file)


async def run_file(client, rows: int, width: int, measure) -> dict[str, float]:
    """Have a client answer a file and return what that cost."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "requests.jsonl"), Path(folder, "results.jsonl")
        write_requests(source, rows)
        result = await measure(client.file(source, target, width))
        count = count_lines(target)
    if count != rows:
        sys.exit(f"expected {rows} results, got {count}")
    return result

"""Files of requests, an emulator that answers them, and sessions that send them."""

import json
import os
import re
from pathlib import Path

import pytest

from aimlchat import ChatSession, RetryPolicy
from aimlchat.emulator import Emulator


class Files:
    """An input and an output in a folder of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.source = folder / "requests.jsonl"
        self.target = folder / "results.jsonl"

    def write(self, *lines) -> None:
        """Write the input: what is no bytes as JSON."""
        self.source.write_bytes(
            b"".join(
                line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n"
                for line in lines
            )
        )

    def prompts(self, count) -> None:
        self.write(*({"id": f"row-{n}", "prompt": f"Question {n}"} for n in range(count)))

    @property
    def results(self) -> list[dict]:
        return [json.loads(line) for line in self.target.read_bytes().splitlines()]

    @property
    def ids(self) -> list:
        return [result["custom_id"] for result in self.results]


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch):
    for name in set(os.environ):
        if re.match(r"AIML|.*_proxy$", name, re.IGNORECASE):
            monkeypatch.delenv(name)


@pytest.fixture
async def emulator():
    async with Emulator() as running:
        yield running


@pytest.fixture
async def session(emulator):
    async with ChatSession(
        "test-key", base_url=emulator.base_url, retry=RetryPolicy(attempts=1)
    ) as opened:
        yield opened

"""Input and output files of a batch."""

import json
import os
import re
from pathlib import Path

import pytest

from aimlchat import ConnectionFailedError
from aimlchat.batch import InputError, run, run_on_server, server_side
from aimlchat.batch.server_batches import ServerBatches
from aimlchat.emulator import NoAnswer

GPT = "openai/gpt-4o"


class Files:
    """An input and an output in a folder of the test."""

    def __init__(self, folder: Path) -> None:
        self.source = folder / "requests.jsonl"
        self.target = folder / "results.jsonl"

    def write(self, *lines) -> None:
        """Write the input: bytes as they are, anything else as JSON."""
        self.source.write_bytes(
            b"".join(
                line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n"
                for line in lines
            )
        )

    def write_prompts(self, count) -> None:
        self.write(*({"id": f"row-{n}", "prompt": f"Question {n}"} for n in range(count)))

    @staticmethod
    def build_body_line(custom_id, text="Hi", **body) -> dict:
        """Return an input line in the format of OpenAI's Batch API."""
        messages = [{"role": "user", "content": text}]
        return {
            "custom_id": custom_id,
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": GPT, "messages": messages, **body},
        }

    @property
    def results(self) -> list[dict]:
        return [json.loads(line) for line in self.target.read_bytes().splitlines()]

    @property
    def ids(self) -> list:
        return [result["custom_id"] for result in self.results]


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


@pytest.fixture
def get_input_error(session, files):
    """Return a function that runs the batch and returns the `InputError` that it raises."""

    async def get(**options):
        with pytest.raises(InputError) as caught:
            await run(session, files.source, files.target, **options)
        return caught.value

    return get


@pytest.fixture
def batches(files):
    """Return the record of the batches on the server."""
    return ServerBatches(files.target)


@pytest.fixture
def submit(session, files, monkeypatch):
    """Return a function that runs the batch of the test on the server, and polls quickly."""
    monkeypatch.setattr(server_side, "_FIRST_DELAY", 0.001)

    async def submit(**options):
        return await run_on_server(session, files.source, files.target, **options)

    return submit


@pytest.fixture
def lose_response(emulator, files, submit):
    """Return a function that submits requests, loses the response, and returns the batch's id."""

    async def lose_response(count=3, **options):
        files.write_prompts(count)
        emulator.fault(NoAnswer())
        with pytest.raises(ConnectionFailedError):
            await submit(**options)
        return [*emulator._service.batches._batches][-1]

    return lose_response


@pytest.fixture(autouse=True)
def _clear_environment(monkeypatch):
    for name in set(os.environ):
        if re.match(r"AIML|.*_proxy$", name, re.IGNORECASE):
            monkeypatch.delenv(name)

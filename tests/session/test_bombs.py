"""A megabyte of gzip that becomes a gigabyte, in a process that may not take much memory."""

import asyncio
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from raw_server import content, serving

from aimlchat import AIMLChatError, ChatSession, Limits, RetryPolicy
from aimlchat.batch.batches_api import fetch_results

resource = pytest.importorskip("resource")

MIB = 2**20
BLOCKS = 1024  # members of gzip, most of them of a mebibyte
LIMITS = Limits(max_answer_bytes=8 * MIB)
LIMIT = "exceeds 8,388,608 bytes"
ROOM = 100 * MIB


async def collect(session):
    await session.stream("Hi").collect()


async def complete(session):
    await session.complete("Hi")


CASES = {
    "complete": (complete, 200, b" " * MIB, LIMIT),
    "models": (lambda session: session.models(), 200, b" " * MIB, LIMIT),
    "results": (lambda session: fetch_results(session, "b"), 200, b" " * MIB, LIMIT),
    "error": (complete, 500, b" " * MIB, "longer than 1 MiB"),
    "one event": (collect, 200, b"x" * MIB, "an event of the stream exceeds"),
    "one body": (collect, 200, b"{" + b" " * (MIB - 1), LIMIT),
    "text": (collect, 200, content("x" * (MIB - 200)), LIMIT),
    "audio": (
        collect,
        200,
        b'data: {"choices":[{"delta":{"audio":{"data":"%s"}}}]}\n\n' % (b"x" * MIB),
        LIMIT,
    ),
    "empty containers": (
        collect,
        200,
        b'data: {"choices":[{"delta":{"annotations":[%s{}]}}]}\n\n' % (b"{}," * 20_000),
        LIMIT,
    ),
}


async def explode(call, status, block):
    """Return the error of a call whose response decodes to so many blocks."""
    body = gzip.compress(block) * BLOCKS

    async def respond(_, writer):
        headers = b"HTTP/1.1 %d X\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
        writer.write(headers % (status, len(body)) + body)

    once = RetryPolicy(attempts=1)
    async with (
        serving(respond) as server,
        ChatSession("k", base_url=server.base_url, retry=once, limits=LIMITS) as session,
    ):
        try:
            await call(session)
        except AIMLChatError as error:
            return f"{type(error).__name__}: {error}"
    return "no error"


async def explode_all():
    return {name: await explode(*case[:3]) for name, case in CASES.items()}


def run_in_little_memory():
    """Print the error of each case; this is what the child process does."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    size = pages * resource.getpagesize() + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    sys.stdout.write(json.dumps(asyncio.run(explode_all())))


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and a limit that is kept")
def test_no_bomb_takes_more_memory_than_the_limit_says():
    code = "import test_bombs; test_bombs.run_in_little_memory()"
    path = os.pathsep.join(sys.path)
    child = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": f"{Path(__file__).parent}{os.pathsep}{path}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    errors = json.loads(child.stdout)
    assert {name: text for name, text in errors.items() if CASES[name][3] not in text} == {}

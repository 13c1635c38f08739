"""The number of our bytecode instructions for a chunk and for a completion, on any machine.

An increase of more than a tenth fails; a decrease, and a Python without figures, are only reported.
C code is not counted, so this notices instructions that were added to a hot path, but not a slow
decoder.

The figures are in ``instruction_counts.json``, under the Python version and the magic number of
its bytecode. All patch releases of a version have the same bytecode; 3.11.2 and 3.11.7 give
exactly the same counts. Pre-releases have another magic number, and therefore no figures.

    AIMLCHAT_COUNT=1 pytest tests/test_instruction_counts.py    # writes new figures
"""

import asyncio
import importlib.util
import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from raw_server import CHUNKED, content, http_chunk, serving

import aimlchat
from aimlchat import ChatSession, StreamParser
from aimlchat._output.growing_json import GrowingJson

FIGURES = Path(__file__).with_name("instruction_counts.json")
MAGIC = int.from_bytes(importlib.util.MAGIC_NUMBER[:2], "little")
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}, bytecode {MAGIC}"
PACKAGE = str(Path(aimlchat.__file__).parent) + os.sep
MOST, GAIN = 1.10, 0.95  # of the stored figure
RENEW = "AIMLCHAT_COUNT=1 pytest tests/test_instruction_counts.py"
DONE = b"data: [DONE]\n\n"
CHUNKS = 1000
WHOLE = json.dumps(
    {
        "id": "c1",
        "model": "m",
        "created": 1760000000,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Because."},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12},
    }
).encode()


class Count:
    """Counts the instructions in frames of aimlchat, including code that attrs generated for it."""

    def __init__(self) -> None:
        self.instructions = 0

    def trace(self, frame, event, _):
        """Count as the trace function of Python 3.11."""
        if event == "call":
            if not is_ours(frame.f_code):
                return None
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        elif event == "opcode":
            self.instructions += 1
        return self.trace

    def monitor(self, code, _):
        """Count as a callback of ``sys.monitoring``, and disable it for code that is not ours."""
        if not is_ours(code):
            return sys.monitoring.DISABLE
        self.instructions += 1
        return None


def is_ours(code):
    return code.co_filename.startswith((PACKAGE, "<attrs generated"))


@contextmanager
def counting():
    """Count instructions; a coverage tool that uses tracing measures nothing meanwhile."""
    count = Count()
    if sys.version_info >= (3, 12):  # tracing misses instructions there
        monitoring = sys.monitoring
        tool, event = monitoring.OPTIMIZER_ID, monitoring.events.INSTRUCTION
        monitoring.use_tool_id(tool, "aimlchat's tests")
        monitoring.register_callback(tool, event, count.monitor)
        monitoring.set_events(tool, event)
        try:
            yield count
        finally:
            monitoring.set_events(tool, monitoring.events.NO_EVENTS)
            monitoring.register_callback(tool, event, None)
            monitoring.free_tool_id(tool)
    else:
        before = sys.gettrace()
        sys.settrace(count.trace)
        try:
            yield count
        finally:
            sys.settrace(before)


@pytest.fixture
def check(record_property):
    """Return a function that compares a count with the stored figure, or stores it on request."""

    def check(name, instructions):
        figures = json.loads(FIGURES.read_text(encoding="ascii"))
        if os.environ.get("AIMLCHAT_COUNT"):
            figures.setdefault(VERSION, {})[name] = instructions
            text = json.dumps(figures, indent=2, sort_keys=True)
            FIGURES.write_text(f"{text}\n", encoding="ascii")
        counted = f"{name}: {instructions:,} instructions"
        stored = figures.get(VERSION, {}).get(name)
        if stored is None:
            record_property("note", f"{counted}. There is no figure for Python {VERSION}: {RENEW}")
            return
        counted += f", and {stored:,} are stored for Python {VERSION}"
        assert instructions <= stored * MOST, f"{counted}. If that is justified: {RENEW}"
        if instructions < stored * GAIN:
            record_property("note", f"{counted}. To keep this gain: {RENEW}")

    return check


def whole_response(body):
    length = b"Content-Length: %d\r\n\r\n" % len(body)
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + length + body


def test_a_thousand_chunks_through_the_parser(check):
    body = content("word") * (CHUNKS - 1) + content("", '"stop"') + DONE
    StreamParser("m").feed(body)  # fills the caches
    parser = StreamParser("m")

    with counting() as count:
        deltas = parser.feed(body)
        deltas += parser.close()

    assert len(deltas) == CHUNKS - 1
    check("parser, 1,000 chunks", count.instructions)


def count_drafts(pieces):
    """Count the instructions of all drafts of a JSON text in this many pieces of 50 characters."""
    items = [{"id": n, "text": f"{n} is a number", "tags": [n, [n]]} for n in range(pieces)]
    text = json.dumps({"items": items})[: pieces * 50]
    growing, draft = GrowingJson(), None
    with counting() as count:
        for start in range(0, len(text), 50):
            if growing.feed(text[start : start + 50]):
                draft = growing.draft()
        if growing.end():
            draft = growing.draft()
    assert len(draft["items"]) > pieces / 2
    return count.instructions


def test_the_drafts_of_an_answer_are_linear_in_it(check):
    once, twice, four_times = count_drafts(2000), count_drafts(4000), count_drafts(8000)

    assert twice <= once * 2.1
    assert four_times <= twice * 2.1
    check("drafts, 8,000 pieces", four_times)


async def test_a_whole_completion(check):
    async def handler(_, writer):
        writer.write(whole_response(WHOLE))

    async with serving(handler) as server, ChatSession("k", base_url=server.base_url) as session:
        await session.complete("Why?")

        with counting() as count:
            completion = await session.complete("Why?")

        assert completion.text == "Because."
        check("whole completion", count.instructions)


async def test_a_stream_whose_chunks_arrive_one_by_one(check):
    read = asyncio.Event()

    async def handler(_, writer):
        writer.write(CHUNKED)
        for _ in range(20):
            writer.write(http_chunk(content("word")))
            await read.wait()  # so that the client reads each chunk separately
            read.clear()
        writer.write(http_chunk(content("", '"stop"') + DONE) + b"0\r\n\r\n")

    async with serving(handler) as server, ChatSession("k", base_url=server.base_url) as session:
        for _ in range(2):
            deltas = 0
            with counting() as count:
                async with session.stream("Why?") as stream:
                    async for _ in stream:
                        deltas += 1
                        read.set()

        assert deltas == 20
        check("stream, 20 chunks one by one", count.instructions)

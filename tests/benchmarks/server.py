"""A load server: canned answers over a raw socket, so that it costs next to nothing itself.

Run by `run.py` in a process of its own. ``POST /stream/N/...`` answers with a stream of N chunks,
each in an HTTP chunk of its own as a real gateway sends them; any other path with a whole answer.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

WORDS = ["The", " sky", " is", " blue", " because", " short", " waves", " scatter", " more", "."]


def chunk(text: str | None, finish: str | None = None) -> bytes:
    """Return one event in OpenAI's form, inside its HTTP chunk."""
    body = {
        "id": "chatcmpl-123",
        "object": "chat.completion.chunk",
        "created": 1760000000,
        "model": "claude-3-7-sonnet-20250219",
        "choices": [
            {
                "index": 0,
                "delta": {"content": text} if text else {},
                "logprobs": None,
                "finish_reason": finish,
            }
        ],
        "usage": None,
    }
    event = b"data: " + json.dumps(body, separators=(",", ":")).encode() + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(event), event)


def whole() -> bytes:
    """Return a whole answer, head and body."""
    body = json.dumps(
        {
            "id": "chatcmpl-123",
            "object": "chat.completion",
            "created": 1760000000,
            "model": "claude-3-7-sonnet-20250219",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": "".join(WORDS) * 10},
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 10, "completion_tokens": 100, "total_tokens": 110},
        }
    ).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKS = [chunk(word) for word in WORDS]
TAIL = chunk(None, "stop") + b"e\r\ndata: [DONE]\n\n\r\n" + b"0\r\n\r\n"
WHOLE = whole()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection, one after the other."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line[15:])
                for line in head.split(b"\r\n")
                if line[:15].lower() == b"content-length:"
            )
            await reader.readexactly(length)
            path = head.split(b" ", 2)[1].split(b"/")
            if path[1] == b"stream":
                count, per_second = int(path[2]), float(path[3])
                await stream(writer, count, per_second)
            else:
                writer.write(WHOLE)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def stream(writer: asyncio.StreamWriter, count: int, per_second: float) -> None:
    """Send a stream of ``count`` chunks, as fast as it goes if ``per_second`` is 0."""
    writer.write(HEAD)
    for number in range(count):
        writer.write(CHUNKS[number % len(CHUNKS)])
        if per_second:
            await asyncio.sleep(1 / per_second)
        elif number % 64 == 0:
            await writer.drain()
    writer.write(TAIL)
    await writer.drain()


async def main() -> None:
    """Serve until standard input closes, that is until the parent is gone."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**20)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    if hasattr(os, "sched_setaffinity") and len(cores := sorted(os.sched_getaffinity(0))) > 1:
        os.sched_setaffinity(0, {cores[-1]})
    asyncio.run(main())

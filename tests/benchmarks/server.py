"""A load server: fixed responses over raw sockets, so that it uses little CPU time itself.

`run.py` starts it in a process of its own. The path of a request selects the response:

- ``/stream/N/R``: N chunks, R a second; as fast as possible if R is 0;
- ``/crowd/S/N/R``: the same, but the first chunk waits until S streams are open, and their chunks
  are spread over each period. The last chunk contains when it was due, and when it was sent, by
  the monotonic clock of the machine;
- anything else: a whole completion.

Each chunk is an HTTP chunk of its own, as a real gateway sends them.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from machine import allow_many_sockets, pin_to_core

WORDS = ["The", " sky", " is", " blue", " because", " short", " waves", " scatter", " more", "."]
PAUSE = 0.2  # seconds between the last request of a crowd and its first chunk
SOON = 0.001  # too short to sleep


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
    """Return a whole completion, response headers and body."""
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
    headers = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return headers % len(body) + body


STREAM_HEADERS = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)
CHUNKS = [chunk(word) for word in WORDS]
BATCH = 500
BATCH_OF_CHUNKS = CHUNKS * (BATCH // len(CHUNKS))
TAIL = chunk(None, "stop") + b"e\r\ndata: [DONE]\n\n\r\n" + b"0\r\n\r\n"
WHOLE = whole()


class Crowd:
    """Streams that start together, sent by one task, which is more punctual than many tasks."""

    def __init__(self, size: int, count: int, per_second: float) -> None:
        self.size = size
        self.count = count
        self.period = 1 / per_second
        self.writers: list[asyncio.StreamWriter] = []
        self.sending: asyncio.Task[None] | None = None
        self.complete = asyncio.Event()

    @property
    def is_full(self) -> bool:
        """Whether all streams of the crowd are open."""
        return len(self.writers) == self.size

    async def join(self, writer: asyncio.StreamWriter) -> None:
        """Open a stream and return when it has ended; the last one to join starts them all."""
        writer.write(STREAM_HEADERS)
        self.writers.append(writer)
        if self.is_full:
            self.sending = asyncio.create_task(self.send())
        await self.complete.wait()

    async def send(self) -> None:
        """Send each chunk when it is due, or as soon as possible after that."""
        start = time.monotonic() + PAUSE
        for number in range(1, self.count + 1):
            for index, writer in enumerate(self.writers):
                due = start + self.period * (number + index / self.size)
                if (wait := due - time.monotonic()) > SOON:
                    await asyncio.sleep(wait)
                if not writer.is_closing():
                    writer.write(self.chunk(number, due))
            await asyncio.sleep(0)
        self.complete.set()

    def chunk(self, number: int, due: float) -> bytes:
        """Return the chunk of this number; the last one contains the times."""
        if number < self.count:
            return CHUNKS[number % len(CHUNKS)]
        return chunk(f" {due:.6f}/{time.monotonic():.6f}") + TAIL


class Server:
    """Responds to requests, and keeps the crowds."""

    def __init__(self) -> None:
        self.crowds: dict[bytes, Crowd] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Respond to the requests of one connection, one after the other."""
        try:
            while True:
                headers = await reader.readuntil(b"\r\n\r\n")
                await self.skip_body(headers, reader)
                path = headers.split(b" ", 2)[1]
                _, kind, *numbers = path.split(b"/")
                if kind == b"stream":
                    await stream(writer, int(numbers[0]), float(numbers[1]))
                elif kind == b"crowd":
                    size, count, per_second = (int(number) for number in numbers[:3])
                    await self.crowd_for(path, size, count, per_second).join(writer)
                else:
                    writer.write(WHOLE)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client or the server has ended
        finally:
            writer.close()

    async def skip_body(self, headers: bytes, reader: asyncio.StreamReader) -> None:
        """Read the body that the headers announce."""
        lines = headers.lower().split(b"\r\n")
        length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
        await reader.readexactly(length)

    def crowd_for(self, path: bytes, size: int, count: int, per_second: float) -> Crowd:
        """Return the crowd of this path that is not complete yet."""
        crowd = self.crowds.get(path)
        if crowd is None or crowd.is_full:
            crowd = self.crowds[path] = Crowd(size, count, per_second)
        return crowd


async def stream(writer: asyncio.StreamWriter, count: int, per_second: float) -> None:
    """Send a stream of ``count`` chunks."""
    writer.write(STREAM_HEADERS)
    if per_second:
        for number in range(count):
            writer.write(CHUNKS[number % len(CHUNKS)])
            await asyncio.sleep(1 / per_second)
    else:
        # In batches: a reader that waits for each few chunks would measure the waiting.
        for number in range(0, count, BATCH):
            writer.write(b"".join(BATCH_OF_CHUNKS[: min(BATCH, count - number)]))
            await writer.drain()
    writer.write(TAIL)
    await writer.drain()


async def main() -> None:
    """Serve until standard input closes, that is, until the parent process has ended."""
    server = await asyncio.start_server(Server().serve, "127.0.0.1", 0, limit=2**20, backlog=8192)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    allow_many_sockets()
    pin_to_core(last=True)
    asyncio.run(main())

"""One contestant in a process of its own: reads tasks, and writes results, as lines of JSON.

`run.py` starts it with the Python of the environment of the contestant:

    python contestant.py NAME PORT [--uvloop]
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import math
import os
import sys
import time

import files
import machine

CLIENTS = {
    "aimlchat": ("ours", "Ours"),
    "careful": ("loops", "Careful"),
    "naive": ("loops", "Naive"),
    "openai": ("peers", "OpenAI"),
    "openai-aiohttp": ("peers", "OpenAIOnAiohttp"),
    "litellm": ("peers", "LiteLLM"),
    "langchain": ("peers", "LangChain"),
    "idle": ("loops", "Careful"),
}
PICTURE_BYTES = 10_000_000
TICK = 0.001
WARM_UP, WARM_UP_CHUNKS = 100, 2_000  # other contestants have used the caches meanwhile


class Contestant:
    """The clients of a contestant, one for each base URL, and the tasks that they can do."""

    def __init__(self, name: str, port: str) -> None:
        module, kind = CLIENTS[name]
        self._client_class = getattr(importlib.import_module(module), kind)
        self._base_url = f"http://127.0.0.1:{port}"
        self._clients = {}

    def client(self, path: str):
        """Return the client for this path, which keeps its connections."""
        if path not in self._clients:
            self._clients[path] = self._client_class(f"{self._base_url}/{path}")
        return self._clients[path]

    async def streams(
        self, *, path: str, calls: int, chunks: int, seconds: float = math.inf
    ) -> dict[str, float]:
        """Read streams concurrently and return what they cost.

        For a crowd, return also how late the last chunk was received, and sent, in the worst case;
        both are infinite if the streams have not ended after ``seconds``.
        """
        await self.client(f"stream/{WARM_UP_CHUNKS}/0").stream()
        client = self.client(path)
        late, sent_late = [0.0], [0.0]

        async def read() -> None:
            count, answer = await client.stream()
            now = time.monotonic()
            if count != chunks:
                sys.exit(f"expected {chunks} chunks, got {count}")
            due, _, sent = answer.rpartition(" ")[-1].partition("/")
            if sent:
                late.append(now - float(due))
                sent_late.append(float(sent) - float(due))

        async def run() -> None:
            try:
                async with asyncio.timeout(seconds if seconds < math.inf else None):
                    await asyncio.gather(*(read() for _ in range(calls)))
            except TimeoutError:
                late.append(math.inf)
                sent_late.append(math.inf)

        measured = await _measured(run())
        return measured | {"late": max(late), "sent_late": max(sent_late)}

    async def whole(self, *, calls: int, width: int) -> dict[str, float]:
        """Request completions, ``width`` at once, and return what they cost."""
        client = self.client("whole")

        async def work(remaining) -> None:
            for _ in remaining:
                if not await client.whole():
                    sys.exit("the answer is empty")

        async def run(total: int) -> None:
            remaining = iter(range(total))
            await asyncio.gather(*(work(remaining) for _ in range(width)))

        await run(WARM_UP)
        return await _measured(run(calls))

    async def file(self, *, rows: int, width: int) -> dict[str, float]:
        """Answer a file of requests, ``width`` at once, and return what it cost."""
        client = self.client("whole")
        await files.run_file(client, WARM_UP, width, _measured)
        return await files.run_file(client, rows, width, _measured)

    async def picture(self) -> dict[str, float]:
        """Send an image and return the longest time for which the event loop was blocked."""
        client = self.client("whole")
        await client.whole()
        data = b"\x89PNG\r\n\x1a\n" + os.urandom(PICTURE_BYTES - 8)
        return await _ticked(client.picture(data))

    async def pages(
        self, *, path: str, pages: int, kind: str, shared: bool, stuck: int = 0, frames: int
    ) -> dict[str, float]:
        """Serve pages, each with a stream of its own or all with one, and return what they cost."""
        import relays  # noqa: PLC0415 - msgspec is not in the environment of each peer

        client = self._client_class(f"{self._base_url}/{path}")
        relay = relays.Ours(client) if hasattr(client, "session") else relays.ByHand(client)
        server = relays.PageServer(relay, kind, pages, stuck, is_shared=shared)
        measured = await server.measure()
        await client.close()
        # A relay may join deltas that wait.
        if not 0.9 * frames * (pages - stuck) <= measured["frames"] <= frames * (pages - stuck):
            sys.exit(f"expected {frames} frames for each page, got {measured['frames']}")
        return measured

    async def idle(self) -> dict[str, float]:
        """Do nothing for a while and return the longest block that is measured even then."""
        return await _ticked(asyncio.sleep(0.2))

    async def close(self) -> None:
        """Close all clients."""
        for client in self._clients.values():
            await client.close()


class Ticker:
    """A task that should run every millisecond, and records by how much it was late."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._tick())
        await asyncio.sleep(10 * TICK)

    async def __aexit__(self, *_: object) -> None:
        await asyncio.sleep(10 * TICK)
        self._task.cancel()

    async def _tick(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(TICK)
            self.longest = max(self.longest, time.monotonic() - before - TICK)


async def _measured(work) -> dict[str, float]:
    """Await ``work`` and return its CPU and wall time in seconds, and its memory in bytes."""
    gc.collect()
    machine.reset_peak_memory()
    memory, wall, cpu = machine.memory(), time.perf_counter(), time.process_time()
    await work
    return {
        "cpu": time.process_time() - cpu,
        "wall": time.perf_counter() - wall,
        "peak": machine.peak_memory(),
        "grown": machine.peak_memory() - memory,
    }


async def _ticked(work) -> dict[str, float]:
    """Await ``work`` beside a `Ticker`; return also the longest delay of the ticker."""
    ticker = Ticker()

    async def both() -> None:
        async with ticker:
            await work

    measured = await _measured(both())
    return measured | {"block": ticker.longest}


async def run_tasks(contestant: Contestant, output) -> None:
    """Run the tasks from standard input, one after the other, until it ends."""
    print("{}", file=output, flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        task = json.loads(line)
        result = await getattr(contestant, task.pop("name"))(**task)
        print(json.dumps(result), file=output, flush=True)
    await contestant.close()


def main() -> None:
    """Start the contestant."""
    machine.allow_many_sockets()
    machine.pin_to_core(last=False)
    output, sys.stdout = sys.stdout, sys.stderr  # so that a client may print
    name, port, *options = sys.argv[1:]
    contestant = Contestant(name, port)
    if "--uvloop" in options:
        import uvloop  # noqa: PLC0415 - optional

        uvloop.run(run_tasks(contestant, output))
    else:
        asyncio.run(run_tasks(contestant, output))


if __name__ == "__main__":
    main()

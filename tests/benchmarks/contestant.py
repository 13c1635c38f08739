"""One contestant in a process of its own: takes orders as lines of JSON, answers in kind.

Run by `run.py`, with the Python of the contestant's own environment:

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

import machine

CLIENTS = {
    "aimlchat": ("ours", "Ours"),
    "careful": ("loops", "Careful"),
    "naive": ("loops", "Naive"),
    "openai": ("peers", "OpenAI"),
    "openai-aiohttp": ("peers", "OpenAIOnAiohttp"),
    "litellm": ("peers", "LiteLLM"),
    "nobody": ("loops", "Careful"),
}
PICTURE_BYTES = 10_000_000
TICK = 0.001
WARM_UP, WARM_UP_CHUNKS = 100, 2_000  # after the others' turns nothing is in the caches


class Contestant:
    """A client for each address, and what can be asked of them."""

    def __init__(self, name: str, port: str) -> None:
        module, kind = CLIENTS[name]
        self._make = getattr(importlib.import_module(module), kind)
        self._base_url = f"http://127.0.0.1:{port}"
        self._clients = {}

    def client(self, path: str):
        """Return the client of this address, which keeps its connections."""
        if path not in self._clients:
            self._clients[path] = self._make(f"{self._base_url}/{path}")
        return self._clients[path]

    async def streams(
        self, *, path: str, calls: int, chunks: int, seconds: float = math.inf
    ) -> dict[str, float]:
        """Read streams all at once; return what they cost.

        Of a crowd also how late the last chunk came, at the worst, and how late it was sent; both
        are infinite if the streams are not done after so many ``seconds``.
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
        """Ask for whole answers, ``width`` at once; return what they cost."""
        client = self.client("whole")

        async def work(left) -> None:
            for _ in left:
                if not await client.whole():
                    sys.exit("the answer is empty")

        async def run(total: int) -> None:
            left = iter(range(total))
            await asyncio.gather(*(work(left) for _ in range(width)))

        await run(WARM_UP)
        return await _measured(run(calls))

    async def picture(self) -> dict[str, float]:
        """Send a picture; return how long the event loop was blocked at the longest."""
        client = self.client("whole")
        await client.whole()
        data = b"\x89PNG\r\n\x1a\n" + os.urandom(PICTURE_BYTES - 8)
        return await _ticked(client.picture(data))

    async def idle(self) -> dict[str, float]:
        """Do nothing for a while; return what a ticking task calls blocked even then."""
        return await _ticked(asyncio.sleep(0.2))

    async def close(self) -> None:
        """Close all clients."""
        for client in self._clients.values():
            await client.close()


class Ticker:
    """A task that ought to run every millisecond, and notes by how much it missed that."""

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
    machine.forget_peak()
    held, wall, cpu = machine.memory(), time.perf_counter(), time.process_time()
    await work
    return {
        "cpu": time.process_time() - cpu,
        "wall": time.perf_counter() - wall,
        "peak": machine.peak_memory(),
        "grown": machine.peak_memory() - held,
    }


async def _ticked(work) -> dict[str, float]:
    """Await ``work`` beside a ticking task; return also the longest time that this was held up."""
    ticker = Ticker()

    async def both() -> None:
        async with ticker:
            await work

    measured = await _measured(both())
    return measured | {"block": ticker.longest}


async def obey(contestant: Contestant, answers) -> None:
    """Carry out one order after the other, until standard input ends."""
    print("{}", file=answers, flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        result = await getattr(contestant, order.pop("task"))(**order)
        print(json.dumps(result), file=answers, flush=True)
    await contestant.close()


def main() -> None:
    """Take part."""
    machine.allow_many_sockets()
    machine.pin(last=False)
    answers, sys.stdout = sys.stdout, sys.stderr  # a client may print what it likes
    name, port, *options = sys.argv[1:]
    contestant = Contestant(name, port)
    if "--uvloop" in options:
        import uvloop  # noqa: PLC0415 - asked for

        uvloop.run(obey(contestant, answers))
    else:
        asyncio.run(obey(contestant, answers))


if __name__ == "__main__":
    main()

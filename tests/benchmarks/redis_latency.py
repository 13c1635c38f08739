"""Measure how long a delta takes from its arrival to a page of another process, over Redis.

    python tests/benchmarks/redis_latency.py

It starts a `redis-server` and a second process, and sends deltas a hundredth of a second apart,
each with the time at which it was appended. Both processes read the same clock.
"""

import asyncio
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from redis_servers import RedisServer

from aimlchat.relay import Broadcasts, RedisStore

COUNT = 1000


async def append(url):
    """Append deltas, each of which holds the time."""
    async with RedisStore(url) as store:
        answer = await store._begin_answer("chat")
        await answer.append([{"type": "start"}])
        print("begun", flush=True)
        await asyncio.sleep(1)
        for _ in range(COUNT):
            await asyncio.sleep(0.01)
            text = f"{time.monotonic()!r} "
            await answer.append([{"type": "text-delta", "id": "text-1", "delta": text}])
        await answer.end([{"type": "finish", "finishReason": "stop"}])


async def follow(url):
    """Return the delays of the deltas, in milliseconds."""
    delays = []

    class Page:
        async def __call__(self, text):
            now = time.monotonic()
            if '"delta"' in text:
                times = text.split('"delta":"')[1].split('"')[0].split()
                delays.extend((now - float(sent)) * 1000 for sent in times)

    async with RedisStore(url) as store, Broadcasts(store=store) as broadcasts:
        answer = await broadcasts.follow("chat")
        await answer.relay(Page())
    return delays


def main():
    if len(sys.argv) > 1:
        asyncio.run(append(sys.argv[1]))
        return
    server = RedisServer()
    server.start()
    try:
        command = [sys.executable, __file__, server.url]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            delays = asyncio.run(follow(server.url))
    finally:
        server.close()
    cuts = statistics.quantiles(delays, n=100)
    print(f"{len(delays)} deltas: p50 {cuts[49]:.2f} ms, p99 {cuts[98]:.2f} ms")


if __name__ == "__main__":
    main()

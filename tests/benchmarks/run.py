"""What a chunk and a completion cost, against loops that a user would write by hand.

    python tests/benchmarks/run.py [rounds]

Prints CPU time of the client's process per chunk or per completion. The contestants take turns in
every round, and ratios are taken round by round, so that a machine that is noisy, or changes its
clock, does not decide. The server runs in a process of its own, on another core where there is one.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import msgspec

import aimlchat

BODY = {"model": "claude-3-7-sonnet-20250219", "messages": [{"role": "user", "content": "Why?"}]}


class Delta(msgspec.Struct):
    content: str | None = None


class Choice(msgspec.Struct):
    delta: Delta
    finish_reason: str | None = None


class Chunk(msgspec.Struct):
    choices: list[Choice]


class Message(msgspec.Struct):
    content: str


class WholeChoice(msgspec.Struct):
    message: Message


class Whole(msgspec.Struct):
    choices: list[WholeChoice]


CHUNK = msgspec.json.Decoder(Chunk)
WHOLE = msgspec.json.Decoder(Whole)


async def careful_stream(http: aiohttp.ClientSession, url: str) -> int:
    """The loop of somebody who knows aiohttp and msgspec well, and believes the server."""
    count, rest = 0, b""
    answer: list[str] = []
    async with http.post(url, data=msgspec.json.encode({**BODY, "stream": True})) as response:
        response.raise_for_status()
        async for data in response.content.iter_any():
            *events, rest = (rest + data).split(b"\n\n")
            for event in events:
                if event == b"data: [DONE]":
                    continue
                choice = CHUNK.decode(event[6:]).choices[0]
                if choice.delta.content:
                    answer.append(choice.delta.content)
                    count += 1
    return count


async def naive_stream(http: aiohttp.ClientSession, url: str) -> int:
    """The loop that everybody writes first."""
    count = 0
    async with http.post(url, json={**BODY, "stream": True}) as response:
        async for line in response.content:
            text = line.decode().strip()
            if text.startswith("data: ") and text != "data: [DONE]":
                delta = json.loads(text[6:])["choices"][0]["delta"]
                if delta.get("content"):
                    count += 1
    return count


async def our_stream(session: aimlchat.ChatSession) -> int:
    """The loop of a user of aimlchat."""
    count = 0
    async with session.stream("Why?", model=BODY["model"]) as stream:
        async for delta in stream:
            if delta.text:
                count += 1
    return count


async def careful_whole(http: aiohttp.ClientSession, url: str) -> str:
    """A whole completion by hand."""
    async with http.post(url, data=msgspec.json.encode(BODY)) as response:
        response.raise_for_status()
        return WHOLE.decode(await response.read()).choices[0].message.content


async def at_once(make, total: int, width: int) -> int:
    """Run ``total`` calls, ``width`` at a time."""
    left = iter(range(total))

    async def worker() -> int:
        done = 0
        for _ in left:
            done += await make() if width == total else bool(await make())
        return done

    return sum(await asyncio.gather(*(worker() for _ in range(width))))


async def measure(run, expected: int) -> float:
    """Return microseconds of CPU per unit."""
    before = time.process_time()
    units = await run()
    cpu = time.process_time() - before
    if units != expected:
        raise SystemExit(f"expected {expected} units, got {units}")
    return cpu / expected * 1e6


async def compare(port: int, rounds: int) -> None:
    """Run all scenarios and print the table."""
    base = f"http://127.0.0.1:{port}"
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
        sessions = {
            path: aimlchat.ChatSession("k", base_url=f"{base}/{path}")
            for path in ("stream/20000/0", "stream/100/20", "whole")
        }
        fast, slow, whole = sessions.values()
        fast_url = f"{base}/stream/20000/0/chat/completions"
        slow_url = f"{base}/stream/100/20/chat/completions"
        whole_url = f"{base}/whole/chat/completions"
        scenarios = {
            "fast stream, 20,000 chunks": (
                20_000,
                lambda: our_stream(fast),
                lambda: careful_stream(http, fast_url),
                lambda: naive_stream(http, fast_url),
            ),
            "100 streams of 100 chunks at 20/s": (
                10_000,
                lambda: at_once(lambda: our_stream(slow), 100, 100),
                lambda: at_once(lambda: careful_stream(http, slow_url), 100, 100),
                lambda: at_once(lambda: naive_stream(http, slow_url), 100, 100),
            ),
            "2,000 completions, 100 at a time": (
                2_000,
                lambda: at_once(lambda: whole.complete("Why?", model=BODY["model"]), 2_000, 100),
                lambda: at_once(lambda: careful_whole(http, whole_url), 2_000, 100),
                None,
            ),
        }
        heads = f"{'aimlchat':>10}{'careful':>10}{'naive':>8}{'ratio':>8}"
        print(f"{'CPU, us per unit (median)':36}{heads}  spread")
        for name, (units, *runs) in scenarios.items():
            await report(name, units, runs, rounds)
        for session in sessions.values():
            await session.close()


async def report(name: str, units: int, runs: list, rounds: int) -> None:
    """Measure one scenario and print its line; the ratio is ours over the careful loop."""
    times: list[list[float]] = []
    for number in range(rounds + 1):
        row = [await measure(run, units) if run else float("nan") for run in runs]
        if number:  # the first round warms up
            times.append(row)
    medians = [statistics.median(column) for column in zip(*times, strict=True)]
    ratios = sorted(row[0] / row[1] for row in times)
    print(
        f"{name:36}{medians[0]:10.2f}{medians[1]:10.2f}{medians[2]:8.2f}"
        f"{statistics.median(ratios):8.2f}  {ratios[0]:.2f}-{ratios[-1]:.2f}",
        flush=True,
    )


def main() -> None:
    """Start the server and compare."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    command = [sys.executable, str(Path(__file__).with_name("server.py"))]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        try:
            asyncio.run(compare(int(server.stdout.readline()), rounds))
        finally:
            server.stdin.close()


if __name__ == "__main__":
    main()

"""Calls in processes that may take little memory, against servers that send too much.

The imports would take most of the time. So one process does them once, and each call is made in a
fork of it, under a limit of its address space: this file is its program, and `LimitedProcess`
starts and controls it.
"""

import asyncio
import gc
import json
import os
import resource
import sys
import time
from pathlib import Path

MEGABYTE = 1024 * 1024
MAX_GROWTH = 100 * MEGABYTE  # of the address space
ANSWER_LIMIT = 8 * MEGABYTE
TICK = 0.01  # seconds


class LimitedProcess:
    """Makes one call at a time."""

    def __init__(self, process) -> None:
        self._process = process

    @classmethod
    async def start(cls):
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable,
                __file__,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
        )

    async def call(self, kind, base_url):
        """Return the class and the text of the error, the seconds, megabytes and longest stall."""
        self._process.stdin.write(json.dumps([kind, base_url]).encode() + b"\n")
        return json.loads(await self._process.stdout.readline())

    async def close(self):
        self._process.stdin.close()
        assert await self._process.wait() == 0


async def complete(session):
    return (await session.complete("Hi")).text


async def stream(session):
    async with session.stream("Hi") as opened:
        async for _ in opened:
            pass
    return opened.completion.text


async def models(session):
    return len(await session.models())


async def streams(session):
    """Read many streams, one after the other, and keep nothing."""
    for _ in range(40):
        await stream(session)
    return ""


KINDS = {"complete": complete, "stream": stream, "models": models, "streams": streams}


async def watch_for_stalls(stalls):
    """Note for how long the loop ran without this task."""
    loop = asyncio.get_running_loop()
    while True:
        before = loop.time()
        await asyncio.sleep(TICK)
        stalls.append(loop.time() - before - TICK)


async def make_call(kind, base_url):
    from aimlchat import ChatSession, Limits, RetryPolicy, Timeouts  # noqa: PLC0415

    timeouts = Timeouts(connect=5, first_token=1, next_token=1, idle=1, whole=2, deadline=4)
    limits = Limits(max_answer_bytes=ANSWER_LIMIT)
    error, stalls = None, []
    watching = asyncio.ensure_future(watch_for_stalls(stalls))
    async with ChatSession(
        "test-key",
        base_url=base_url,
        timeouts=timeouts,
        limits=limits,
        retry=RetryPolicy(attempts=2, base_delay=0.01),
    ) as session:
        start = time.perf_counter()
        try:
            await KINDS[kind](session)
        except Exception as raised:  # noqa: BLE001 - the test looks at it
            error = raised
        seconds = time.perf_counter() - start
    watching.cancel()
    return {
        "error": type(error).__name__ if error else None,
        "text": str(error)[:300] if error else "",
        "seconds": round(seconds, 2),
        "stall": round(max(stalls, default=0), 2),
    }


def memory(field):
    """Return a field of the memory of this process, in bytes."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise KeyError(field)


def run_limited(kind, base_url):
    gc.collect()
    limit = memory("VmSize") + MAX_GROWTH
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # resets the peak
    before = memory("VmRSS")
    result = asyncio.run(make_call(kind, base_url))
    result["megabytes"] = round((memory("VmHWM") - before) / MEGABYTE)
    return result


def main():
    """Make the calls that standard input names, each in a fork."""
    import aimlchat._client.transport  # noqa: PLC0415
    import aimlchat.session  # noqa: F401, PLC0415

    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            os.close(0)
            sys.stdout.write(json.dumps(run_limited(*json.loads(line))) + "\n")
            sys.stdout.flush()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status:
            sys.stdout.flush()


if __name__ == "__main__":
    main()

"""Thousands of calls of every kind, most of them left or cancelled at a random moment.

    python -X dev -W error cancel_storm.py BASE_URL CALLS SEED asyncio|uvloop

prints one line of JSON: how the calls ended, and what was left behind when all had ended.
"""

import asyncio
import asyncio.constants
import collections
import gc
import json
import linecache
import logging
import random
import sys
import time
import warnings
from pathlib import Path

from aimlchat import AIMLChatError, ChatRequest, ChatSession, Limits, RetryPolicy, Timeouts
from aimlchat.relay import Broadcast, relay, sse_events

AT_ONCE = 48
SLOTS = 32
HANG = 30.0  # seconds; the deadline of a call is far below
TIMEOUTS = Timeouts(connect=5, first_token=0.3, next_token=0.3, idle=0.3, deadline=2)
RETRY = RetryPolicy(attempts=3, base_delay=0.005, max_delay=0.02)
REQUESTS = [
    ChatRequest(max_tokens=max_tokens).user(f"Why is number {number} blue?")
    for number in range(20)
    for max_tokens in (15, 40, 90)
]
OPEN_FILES = Path("/proc/self/fd")


async def make_passes(count):
    for _ in range(count):
        await asyncio.sleep(0)


async def pause(rng):
    """Wait as long as a call takes at most: some passes of the loop, or some milliseconds."""
    if rng.random() < 0.5:
        await make_passes(rng.randrange(40))
    else:
        await asyncio.sleep(rng.uniform(0, 0.03))


def make_page(rng):
    """Return a page for the relay, which may be slow, and may disconnect."""
    left = rng.choice((1, 3, 10, 1000, 1000))

    async def send(_):
        nonlocal left
        left -= 1
        if left < 0:
            raise ConnectionResetError
        await make_passes(rng.randrange(3))

    return send


# --- the kinds of calls; each returns what it has received, "" if it left early -----------------


async def complete(session, rng):
    return (await session.complete(rng.choice(REQUESTS))).text


async def stream_to_its_end(session, rng):
    return (await session.stream(rng.choice(REQUESTS)).collect()).text


async def stream_in_a_block(session, rng):
    enough = rng.choice((0, 1, 2, 5, 1000))
    async with session.stream(rng.choice(REQUESTS)) as stream:
        async for _ in stream:
            enough -= 1
            if enough < 0:
                return ""
        return stream.completion.text


async def stream_that_is_dropped(session, rng):
    enough = rng.choice((0, 1, 2, 5))
    async for _ in session.stream(rng.choice(REQUESTS)):
        enough -= 1
        if enough < 0:
            break
    return ""


async def stream_that_another_task_closes(session, rng):
    stream = session.stream(rng.choice(REQUESTS))
    reader = asyncio.ensure_future(stream.collect())
    try:
        await pause(rng)
        await stream.aclose()
        return (await reader).text
    finally:
        reader.cancel()
        await asyncio.wait({reader})


async def complete_within_a_timeout(session, rng):
    async with asyncio.timeout(rng.uniform(0, 0.03)):
        return (await session.complete(rng.choice(REQUESTS))).text


async def many_completions(session, rng):
    requests = [rng.choice(REQUESTS) for _ in range(4)]
    outcomes = session.complete_many(requests, concurrency=2, ordered=rng.random() < 0.5)
    enough = rng.choice((0, 1, 3, 1000))
    async with outcomes:
        async for _ in outcomes:
            enough -= 1
            if enough < 0:
                return ""
    return "all"


async def many_streams(session, rng):
    enough = rng.choice((0, 1, 20, 1000))
    async for _ in session.stream_many([rng.choice(REQUESTS) for _ in range(3)], concurrency=2):
        enough -= 1
        if enough < 0:
            return ""
    return "all"


async def one_page(session, rng):
    completion = await relay(session.stream(rng.choice(REQUESTS)), make_page(rng))
    return completion.text if completion.finish_reason else ""


async def page_of_events(session, rng):
    enough = rng.choice((0, 1, 5, 1000))
    async for _ in sse_events(session.stream(rng.choice(REQUESTS))):
        enough -= 1
        if enough < 0:
            return ""
    return "all"


async def several_pages(session, rng):
    broadcast = Broadcast(session.stream(rng.choice(REQUESTS)), grace=rng.choice((0.0, 0.01, 9.0)))
    pages = [
        asyncio.ensure_future(broadcast.relay(make_page(rng), after=rng.choice((0, 0, 3))))
        for _ in range(rng.randint(1, 3))
    ]
    try:
        await pause(rng)
        rng.choice(pages).cancel()
        if rng.random() < 0.4:
            stopping = asyncio.ensure_future(broadcast.stop())
            await make_passes(rng.randrange(4))
            stopping.cancel()
        done, _ = await asyncio.wait(pages)
        for page in done:
            if not page.cancelled():
                page.result()
        return ""
    finally:
        for page in pages:
            page.cancel()
        try:
            await asyncio.gather(*pages, return_exceptions=True)
        finally:
            await broadcast.aclose()


KINDS = (complete, stream_to_its_end, stream_in_a_block, stream_that_is_dropped,
         stream_that_another_task_closes, complete_within_a_timeout, many_completions,
         many_streams, one_page, page_of_events, several_pages)  # fmt: skip


# --- the storm -----------------------------------------------------------------------------------


class Storm:
    """Makes the calls, and counts how they end."""

    def __init__(self, base_url, calls, seed) -> None:
        self.base_url = base_url
        self.calls = calls
        self.seed = seed
        self.ends = collections.Counter()
        self.records = collections.Counter()
        self.foreign: list[str] = []
        self.complaints: list[str] = []

    async def run(self):
        loop = asyncio.get_running_loop()
        loop.slow_callback_duration = HANG  # a busy machine is no fault
        loop.set_exception_handler(lambda _, context: self.complaints.append(repr(context)))
        async with self._open_session() as session:  # uvloop opens files of its own at first use
            await asyncio.gather(complete(session, random), return_exceptions=True)
        self.records.clear()
        files = count_open_files()
        async with self._open_session() as session:
            numbers = iter(range(self.calls))
            await asyncio.gather(*(self._work(session, numbers) for _ in range(AT_ONCE)))
            left = await self._look_at(session)
        await make_passes(10)
        await asyncio.sleep(0.05)  # the sockets that were closed last
        gc.collect()
        await make_passes(10)
        return left | {
            "files": count_open_files() - files,
            "timers": count_timers(loop),
            "transports": count_transports(),
        }

    def _open_session(self):
        return ChatSession(
            "test-key",
            base_url=self.base_url,
            timeouts=TIMEOUTS,
            retry=RETRY,
            limits=Limits(concurrency=SLOTS),
            on_finish=lambda record: self.records.update([record.outcome]),
        )

    async def _work(self, session, numbers):
        for number in numbers:
            await self._make_call(session, random.Random(f"{self.seed}/{number}"))  # noqa: S311

    async def _make_call(self, session, rng):
        kind = rng.choice(KINDS)
        task = asyncio.ensure_future(kind(session, rng))
        is_cancelled = rng.random() < 0.6
        if is_cancelled:
            await pause(rng)
            is_cancelled = task.cancel()
            if rng.random() < 0.2:
                await make_passes(rng.randrange(4))
                task.cancel()
        done, _ = await asyncio.wait({task}, timeout=HANG)
        self.ends[self._describe_end(kind, task, is_cancelled) if done else "hung"] += 1
        if not done:
            self.foreign.append(f"{kind.__name__} hung: {task!r}")

    def _describe_end(self, kind, task, is_cancelled):
        if task.cancelled():
            return "cancelled"
        error = task.exception()
        if is_cancelled and error is None:
            self.foreign.append(f"{kind.__name__} went on after a cancellation")
        if isinstance(error, AIMLChatError):
            return type(error).__name__
        if isinstance(error, TimeoutError) and kind is complete_within_a_timeout:
            return "timeout of the caller"
        if error is not None:
            self.foreign.append(f"{kind.__name__}: {error!r}")
        return "whole" if task.result() else "left"

    async def _look_at(self, session):
        """Return what is left in the session; calls that were dropped end within a few passes."""
        me = asyncio.current_task()
        for _ in range(200):
            if asyncio.all_tasks() == {me}:
                break
            await asyncio.sleep(0.01)
        context = session._context
        tasks = asyncio.all_tasks() - {me}
        return {
            "tasks": [repr(task) for task in tasks],
            "slots": SLOTS - context.limiter._semaphore._value,
            "calls": len(context.scheduler._running),
        }


def count_open_files():
    return len(list(OPEN_FILES.iterdir())) if OPEN_FILES.is_dir() else 0


def count_timers(loop):
    """Return how many timers wait in a loop; uvloop does not tell."""
    return sum(not timer.cancelled() for timer in getattr(loop, "_scheduled", ()))


def count_transports():
    names = ("_SelectorSocketTransport", "TCPTransport")
    return sum(type(found).__name__ in names for found in gc.get_objects())


def main():
    # Many answers fail on purpose, which is logged; anything else on standard error is a fault.
    logging.getLogger("aimlchat").setLevel(logging.ERROR)
    base_url, calls, seed, loop_name = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
    storm = Storm(base_url, calls, seed)
    sys.unraisablehook = lambda fault: storm.complaints.append(
        f"{fault.exc_value!r} in {fault.object!r}"
    )
    factory = asyncio.new_event_loop
    if loop_name == "uvloop":
        import uvloop  # noqa: PLC0415 - it is an extra

        factory = uvloop.new_event_loop
    # Most of the time would go into the tracebacks that asyncio notes in its debug mode.
    asyncio.constants.DEBUG_STACK_DEPTH = 2
    linecache.checkcache = lambda _=None: None
    start = time.perf_counter()
    with asyncio.Runner(loop_factory=factory, debug=True) as runner:
        left = runner.run(storm.run())
    gc.collect()
    result = {
        "ends": dict(storm.ends.most_common()),
        "records": dict(storm.records.most_common()),
        "left": left,
        "foreign": storm.foreign[:10],
        "complaints": storm.complaints[:10],
        "seconds": round(time.perf_counter() - start, 1),
        "is_debug": sys.flags.dev_mode and ("error", None, Warning, None, 0) in warnings.filters,
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()

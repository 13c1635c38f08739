"""Thousands of calls against a server on which everything goes wrong, by a fixed lot.

    PYTHONPATH=tests/support python tests/session/test_chaos.py [calls] [rate] [seed]

prints the figures of one run; as a test it checks the same things on 5,000 calls.
"""

import asyncio
import collections
import gc
import statistics
import sys
import time
from pathlib import Path

import attrs
import pytest
from clockwork import session_on

from aimlchat import (
    AIMLChatError,
    ChatSession,
    Completion,
    RetryPolicy,
    Timeouts,
)
from aimlchat._client.timers import Clock
from aimlchat.emulator import Emulator
from aimlchat.emulator.faults import NoAnswer

WIDTH = 50
BATCHES = 2  # after each of them all is at rest, and what has grown can be seen
OPEN_FILES = Path("/proc/self/fd")
PROMPTS = [f"Why is number {number} blue?" for number in range(40)]
MODELS = ("anthropic/claude-3.7-sonnet", "gpt-4o")
# Short, so that a stall costs little; far longer than a healthy answer takes here.
# In the session's own seconds, of which ten are a real one.
TIMES = Timeouts(connect=5, first_token=6, next_token=6, idle=6, deadline=9)
POLICY = RetryPolicy(attempts=4, base_delay=0.05, max_delay=0.2)


class Hurried(Clock):
    """Time that runs ten times as fast."""

    def time(self):
        return time.monotonic() * 10

    def call_later(self, seconds, callback):
        return super().call_later(seconds / 10, callback)

    async def sleep(self, seconds):
        await super().sleep(seconds / 10)


@attrs.frozen
class Call:
    """One call of the run, and what became of it."""

    number: int
    prompt: str
    model: str
    streamed: bool
    result: Completion | AIMLChatError
    seconds: float
    shown: str = ""

    @property
    def id(self) -> str:
        return f"call-{self.number}"


async def ask(session, number) -> Call:
    prompt, model = PROMPTS[number % len(PROMPTS)], MODELS[number % 3 == 0]
    streamed, shown, begun = number % 2 == 0, "", time.perf_counter()
    options = {"model": model, "client_request_id": f"call-{number}"}
    result: Completion | AIMLChatError
    try:
        if streamed:
            stream = session.stream(prompt, **options)
            async for delta in stream:
                shown += delta.text
            result = stream.completion
        else:
            result = await session.complete(prompt, **options)
    except AIMLChatError as error:
        result = error
    return Call(number, prompt, model, streamed, result, time.perf_counter() - begun, shown)


async def answers(seed: int) -> dict:
    """The right answers, from a server on which nothing goes wrong."""
    async with (
        Emulator(seed=seed) as emulator,
        ChatSession("test-key", base_url=emulator.base_url) as session,
    ):
        return {
            (prompt, model): await session.complete(prompt, model=model)
            for prompt in PROMPTS
            for model in MODELS
        }


def check(call: Call, right: Completion) -> None:
    """A call ends in its right text, or in a typed error with a beginning of it."""
    if isinstance(call.result, Completion):
        assert call.result.text == right.text, call
        assert call.result.reasoning == right.reasoning, call
        assert not call.streamed or call.shown == right.reasoning + right.text
        return
    assert call.result.attempts, call
    if call.streamed:
        partial = call.result.partial
        assert right.text.startswith(partial.text), call
        assert right.reasoning.startswith(partial.reasoning), call
        assert call.shown == partial.reasoning + partial.text


def check_bill(call: Call, tries: list) -> int:
    """A try that was billed is only followed by another where that is allowed; return how many."""
    again = [request for request in tries[:-1] if request.billed]
    if not call.streamed:
        # Sent without an answer; whatever has begun to be answered whole is not asked for twice.
        assert all(isinstance(request.fault, NoAnswer) for request in again), call
    elif len(tries) > 1 and call.shown:
        assert isinstance(call.result, Completion) or call.result.partial, call
    return len(again)


@attrs.define
class Figures:
    """What a run has shown."""

    calls: int = 0
    tries: int = 0
    faults: int = 0
    complete: int = 0
    tried_again: int = 0
    billed_again: int = 0
    errors: collections.Counter = attrs.field(factory=collections.Counter)
    seconds: list = attrs.field(factory=list)


class Growth:
    """What must not grow over a run: tasks, open files, objects."""

    def __init__(self) -> None:
        self.first = self.last = None

    def look(self) -> None:
        gc.collect()
        seen = (
            len(asyncio.all_tasks()),
            len(list(OPEN_FILES.iterdir())) if OPEN_FILES.is_dir() else 0,
            len(gc.get_objects()),
        )
        self.last = seen
        self.first = self.first or seen


async def run(calls: int, rate: float, seed: int) -> tuple[Figures, Growth]:
    right, figures, growth = await answers(seed), Figures(), Growth()
    async with Emulator(chaos=rate, seed=seed) as emulator:
        for start in range(0, calls, calls // BATCHES):
            await run_some(emulator, range(start, start + calls // BATCHES), right, figures)
            emulator.requests.clear()
            await asyncio.wait_for(emulator.no_connections(), 5)
            growth.look()
    return figures, growth


async def run_some(emulator, numbers, right, figures) -> None:
    left = iter(numbers)

    async def worker(session) -> list:
        return [await ask(session, number) for number in left]

    async with session_on(Hurried(), emulator.base_url, timeouts=TIMES, retry=POLICY) as session:
        done = await asyncio.gather(*(worker(session) for _ in range(WIDTH)))
    tries = collections.defaultdict(list)
    for request in emulator.requests:
        tries[request.client_request_id].append(request)
    for call in (call for calls in done for call in calls):
        check(call, right[call.prompt, call.model])
        figures.billed_again += check_bill(call, tries[call.id])
        figures.calls += 1
        figures.tries += len(tries[call.id])
        figures.tried_again += len(tries[call.id]) > 1
        figures.faults += sum(request.fault is not None for request in tries[call.id])
        figures.seconds.append(call.seconds)
        if isinstance(call.result, Completion):
            figures.complete += 1
        else:
            figures.errors[type(call.result).__name__] += 1


@pytest.mark.filterwarnings("error")
async def test_every_call_under_chaos_ends_in_its_text_or_in_a_typed_error():
    figures, growth = await run(5000, 0.25, 7)

    assert figures.calls == 5000
    assert figures.faults > 1000
    assert figures.complete > 4000
    assert max(figures.seconds) < 2  # none hangs: the deadline comes within a second
    tasks, files, objects = (b - a for a, b in zip(growth.first, growth.last, strict=True))
    assert max(tasks, files) <= 0
    assert objects < 1000  # less than one for two calls


def main() -> None:
    calls, rate, seed = (
        int(sys.argv[1]) if len(sys.argv) > 1 else 5000,
        float(sys.argv[2]) if len(sys.argv) > 2 else 0.25,
        int(sys.argv[3]) if len(sys.argv) > 3 else 7,
    )
    begun = time.perf_counter()
    figures, growth = asyncio.run(run(calls, rate, seed))
    took = time.perf_counter() - begun
    times = statistics.quantiles(figures.seconds, n=100)
    longest = max(figures.seconds)
    lines = (
        f"{figures.calls} calls, {WIDTH} at a time, a fault in {rate:.0%} of tries, seed {seed}",
        f"{figures.tries} tries, {figures.faults} of them with a fault; {took:.0f} s",
        f"{figures.complete} right answers; {figures.tried_again} calls were tried again",
        f"errors: {dict(figures.errors.most_common())}",
        f"billed more than once, where that is allowed: {figures.billed_again}",
        f"seconds a call: median {times[49]:.2f}, 99 % {times[98]:.2f}, longest {longest:.2f}",
        f"tasks, files, objects after a half: {growth.first}, at the end: {growth.last}",
    )
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

"""Many calls against a server on which everything goes wrong, drawn from a seed, in virtual time.

    PYTHONPATH=tests/support python tests/session/test_chaos.py [calls] [rate] [seed]

prints the figures of one run. As a test it checks the same run: 300 calls in an ordinary run of
the tests, 5,000 in a soak.
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
from delivery import HANG, run_pending
from soak import IS_SOAK
from virtual_time import LoopClock, run_in_virtual_time

from aimlchat import AIMLChatError, ChatSession, Completion, RetryPolicy, Timeouts
from aimlchat.emulator import Emulator
from aimlchat.emulator.faults import NoAnswer

CALLS = 5000 if IS_SOAK else 300
CONCURRENCY = 50
BATCHES = 2  # after each of them nothing is running, so that growth can be measured
OPEN_FILES = Path("/proc/self/fd")
PROMPTS = [f"Why is number {number} blue?" for number in range(40)]
MODELS = ("anthropic/claude-3.7-sonnet", "gpt-4o")
TIMEOUTS = Timeouts(connect=5, first_token=6, next_token=6, idle=6, deadline=9)
RETRY = RetryPolicy(attempts=4, base_delay=0.5, max_delay=2)


@attrs.frozen
class Call:
    """One call of the run and its result."""

    number: int
    prompt: str
    model: str
    streamed: bool
    result: Completion | AIMLChatError
    seconds: float
    received: str = ""

    @property
    def id(self) -> str:
        return f"call-{self.number}"


async def make_call(session, number) -> Call:
    """Make one call, every second one as a stream, and catch its error."""
    prompt, model = PROMPTS[number % len(PROMPTS)], MODELS[number % 3 == 0]
    streamed, received = number % 2 == 0, ""
    options = {"model": model, "client_request_id": f"call-{number}"}
    loop = asyncio.get_running_loop()
    start = loop.time()
    result: Completion | AIMLChatError
    try:
        if streamed:
            stream = session.stream(prompt, **options)
            async for delta in stream:
                received += delta.text
            result = stream.completion
        else:
            result = await session.complete(prompt, **options)
    except AIMLChatError as error:
        result = error
    return Call(number, prompt, model, streamed, result, loop.time() - start, received)


async def expected_completions(seed: int) -> dict:
    """Return the right completions, from a server on which nothing goes wrong."""
    async with (
        Emulator(seed=seed) as emulator,
        ChatSession("test-key", base_url=emulator.base_url) as session,
    ):
        return {
            (prompt, model): await session.complete(prompt, model=model)
            for prompt in PROMPTS
            for model in MODELS
        }


def check_result(call: Call, expected: Completion) -> None:
    """Check that a call ended in the right text, or in a typed error with a prefix of it."""
    if isinstance(call.result, Completion):
        assert call.result.text == expected.text, call
        assert call.result.reasoning == expected.reasoning, call
        assert not call.streamed or call.received == expected.reasoning + expected.text
        return
    assert call.result.attempts, call
    if call.streamed:
        partial = call.result.partial
        assert expected.text.startswith(partial.text), call
        assert expected.reasoning.startswith(partial.reasoning), call
        assert call.received == partial.reasoning + partial.text


def check_bill(call: Call, requests: list) -> int:
    """Check that no attempt follows a billed one that must be final; return how many may."""
    repeated = [request for request in requests[:-1] if request.billed]
    if not call.streamed:
        # A whole response that has begun to arrive is never requested again.
        assert all(isinstance(request.fault, NoAnswer) for request in repeated), call
    elif len(requests) > 1 and call.received:
        assert isinstance(call.result, Completion) or call.result.partial, call
    return len(repeated)


@attrs.define
class Figures:
    """The totals of a run."""

    calls: int = 0
    attempts: int = 0
    faults: int = 0
    complete: int = 0
    retried: int = 0
    billed_repeatedly: int = 0
    errors: collections.Counter = attrs.field(factory=collections.Counter)
    seconds: list = attrs.field(factory=list)


class Growth:
    """What must not grow over a run: tasks, open files, objects."""

    def __init__(self) -> None:
        self.first = self.last = None

    def measure(self) -> None:
        gc.collect()
        counts = (
            len(asyncio.all_tasks()),
            len(list(OPEN_FILES.iterdir())) if OPEN_FILES.is_dir() else 0,
            len(gc.get_objects()),
        )
        self.last = counts
        self.first = self.first or counts


async def run(calls: int, rate: float, seed: int) -> tuple[Figures, Growth]:
    """Make so many calls, in batches, and check each of them."""
    expected, figures, growth = await expected_completions(seed), Figures(), Growth()
    async with Emulator(chaos=rate, seed=seed) as emulator:
        for start in range(0, calls, calls // BATCHES):
            await run_batch(emulator, range(start, start + calls // BATCHES), expected, figures)
            emulator.requests.clear()
            await asyncio.wait_for(emulator.no_connections(), HANG)
            await run_pending()  # the emulator's tasks for these connections
            growth.measure()
    return figures, growth


async def run_batch(emulator, numbers, expected, figures) -> None:
    remaining = iter(numbers)

    async def worker(session) -> list:
        return [await make_call(session, number) for number in remaining]

    async with session_on(
        LoopClock(), emulator.base_url, timeouts=TIMEOUTS, retry=RETRY
    ) as session:
        batches = await asyncio.gather(*(worker(session) for _ in range(CONCURRENCY)))
    requests = collections.defaultdict(list)
    for request in emulator.requests:
        requests[request.client_request_id].append(request)
    for call in (call for calls in batches for call in calls):
        check_result(call, expected[call.prompt, call.model])
        figures.billed_repeatedly += check_bill(call, requests[call.id])
        figures.calls += 1
        figures.attempts += len(requests[call.id])
        figures.retried += len(requests[call.id]) > 1
        figures.faults += sum(request.fault is not None for request in requests[call.id])
        figures.seconds.append(call.seconds)
        if isinstance(call.result, Completion):
            figures.complete += 1
        else:
            figures.errors[type(call.result).__name__] += 1


@pytest.mark.sampled
def test_every_call_under_chaos_ends_in_its_text_or_in_a_typed_error():
    figures, growth = run_in_virtual_time(run(CALLS, 0.25, 7))

    assert figures.calls == CALLS
    assert figures.faults > 0.2 * CALLS
    assert figures.complete > 0.8 * CALLS
    assert max(figures.seconds) < TIMEOUTS.deadline + 0.001  # no call hangs
    tasks, files, objects = (b - a for a, b in zip(growth.first, growth.last, strict=True))
    assert max(tasks, files) <= 0
    assert objects < 1000


def main() -> None:
    """Print the figures of one run."""
    calls, rate, seed = (
        int(sys.argv[1]) if len(sys.argv) > 1 else 5000,
        float(sys.argv[2]) if len(sys.argv) > 2 else 0.25,
        int(sys.argv[3]) if len(sys.argv) > 3 else 7,
    )
    start = time.perf_counter()
    figures, growth = run_in_virtual_time(run(calls, rate, seed))
    took = time.perf_counter() - start
    percentiles = statistics.quantiles(figures.seconds, n=100)
    median, slowest, longest = percentiles[49], percentiles[98], max(figures.seconds)
    lines = (
        f"{figures.calls} calls, {CONCURRENCY} at a time, {took:.0f} s; seed {seed}",
        f"{figures.attempts} attempts, {figures.faults} of them with a fault (rate {rate:.0%})",
        f"{figures.complete} right completions; {figures.retried} calls were retried",
        f"errors: {dict(figures.errors.most_common())}",
        f"billed more than once, where that is allowed: {figures.billed_repeatedly}",
        f"virtual seconds a call: median {median:.2f}, 99 % {slowest:.2f}, longest {longest:.2f}",
        f"tasks, files, objects after a half: {growth.first}, at the end: {growth.last}",
    )
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

"""The pace that a run keeps: it finds the limit of any server by the rejections alone."""

import asyncio
import math

import pytest
from rate_limits import FixedWindow, SlidingWindow, TokenBucket
from virtual_time import LoopClock, run_in_virtual_time

from aimlchat._client.pacing import Pacer

REQUESTS = 200


class Client:
    """Sends requests through a pacer to a server with a rate limit."""

    def __init__(self, limit, *, names_wait, accept_seconds, reject_seconds) -> None:
        self.limit = limit
        self.names_wait = names_wait
        self.accept_seconds = accept_seconds
        self.reject_seconds = reject_seconds
        self.rejected = 0

    async def send_all(self, requests, concurrency):
        """Return the seconds until every request has a response."""
        self.pacer = Pacer(LoopClock())
        self.left = requests
        await asyncio.gather(*(self.send() for _ in range(concurrency)))
        return asyncio.get_running_loop().time()

    async def send(self):
        loop = asyncio.get_running_loop()
        while self.left:
            self.left -= 1
            while True:
                window, sent_at = await self.pacer.enter()
                wait = self.limit.wait_at(loop.time())
                if not wait:
                    break
                self.rejected += 1
                await asyncio.sleep(self.reject_seconds)
                retry_after = math.ceil(wait) if self.names_wait else None
                self.pacer.rejected(window, sent_at, retry_after)
            await asyncio.sleep(self.accept_seconds)
            self.pacer.accepted(window)


def run_client(limit, concurrency, *, names_wait=False, accept=0.1, reject=0.1):
    client = Client(limit, names_wait=names_wait, accept_seconds=accept, reject_seconds=reject)
    seconds = run_in_virtual_time(client.send_all(REQUESTS, concurrency), has_sockets=False)
    return seconds, client.rejected


LIMITS = {
    "fixed windows": FixedWindow,
    "fixed windows that count rejected requests": lambda *limit: FixedWindow(
        *limit, counts_rejected=True
    ),
    "sliding windows": SlidingWindow,
    "token bucket": TokenBucket,
}


@pytest.mark.parametrize("concurrency", [8, 32, 100])
@pytest.mark.parametrize(("accept", "reject"), [(0.001, 0.001), (0.5, 0.01), (1, 1)])
@pytest.mark.parametrize("names_wait", [True, False])
@pytest.mark.parametrize("limit", LIMITS)
def test_a_limit_per_second_is_used_to_at_least_three_quarters(
    limit, names_wait, accept, reject, concurrency
):
    seconds, rejected = run_client(
        LIMITS[limit](10, 1), concurrency, names_wait=names_wait, accept=accept, reject=reject
    )

    by_concurrency = REQUESTS / concurrency * accept
    assert seconds <= 1.3 * max((REQUESTS - 10) / 10, by_concurrency) + accept
    assert rejected < REQUESTS


@pytest.mark.parametrize("concurrency", [8, 100])
@pytest.mark.parametrize("names_wait", [True, False])
@pytest.mark.parametrize("limit", LIMITS)
def test_a_limit_per_minute_is_used_to_at_least_three_quarters(limit, names_wait, concurrency):
    seconds, rejected = run_client(LIMITS[limit](60, 60), concurrency, names_wait=names_wait)

    assert seconds <= 1.3 * 180
    assert rejected < 2 * REQUESTS


@pytest.mark.parametrize("concurrency", [32, 100])
@pytest.mark.parametrize("seconds_per_window", [1, 60])
def test_rejected_requests_that_count_in_sliding_windows_do_not_block_the_run(
    seconds_per_window, concurrency
):
    limit = SlidingWindow(10, seconds_per_window, counts_rejected=True)
    seconds, _ = run_client(limit, concurrency, names_wait=True)

    assert seconds <= 1.3 * 20 * seconds_per_window


def test_no_attempt_starts_before_the_wait_that_the_server_names_is_over():
    async def start():
        clock = LoopClock()
        pacer = Pacer(clock)
        window, sent_at = await pacer.enter()
        pacer.rejected(window, sent_at, 30.0)
        await pacer.enter()
        return clock.time()

    assert run_in_virtual_time(start(), has_sockets=False) >= 30


def test_without_a_rejection_no_attempt_waits():
    async def start():
        pacer = Pacer(LoopClock())
        for _ in range(1000):
            pacer.accepted((await pacer.enter())[0])
        return asyncio.get_running_loop().time()

    assert run_in_virtual_time(start(), has_sockets=False) == 0


def test_a_cancelled_attempt_gives_its_turn_to_the_next_one():
    async def start():
        pacer = Pacer(LoopClock())
        window, sent_at = await pacer.enter()
        pacer.rejected(window, sent_at, 10.0)
        first = asyncio.ensure_future(pacer.enter())
        second = asyncio.ensure_future(pacer.enter())
        await asyncio.sleep(1)
        first.cancel()
        await second
        return asyncio.get_running_loop().time()

    assert 10 <= run_in_virtual_time(start(), has_sockets=False) < 10.1

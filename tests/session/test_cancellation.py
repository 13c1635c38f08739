"""A call may be cancelled at any point, and leaves nothing behind."""

import asyncio
from collections.abc import Coroutine

import pytest
from delivery import HANG

from aimlchat import ChatSession, Limits, RetryPolicy, StreamInterruptedError


class Stepped(Coroutine):
    """A coroutine that calls ``count`` each time it suspends."""

    def __init__(self, coroutine, count) -> None:
        self._coroutine = coroutine
        self._count = count

    def send(self, value):
        awaited = self._coroutine.send(value)
        self._count()
        return awaited

    def throw(self, *error):
        awaited = self._coroutine.throw(*error)
        self._count()
        return awaited

    def close(self):
        self._coroutine.close()

    def __await__(self):
        raise NotImplementedError  # a task calls `send`


class Stepper:
    """Runs a call and cancels it at its n-th suspension; those of its inner tasks count, too."""

    def __init__(self, at, times) -> None:
        self._left = at
        self._times = times
        self._task = None
        self.is_done = False  # whether the call ended before that

    def _count(self) -> None:
        self._left -= 1
        if self._left <= 0 and self._times and self._task is not None and not self._task.done():
            self._times -= 1
            # In the next pass: the running task has not recorded yet what it waits for.
            asyncio.get_running_loop().call_soon(self._task.cancel)

    async def run(self, call):
        loop = asyncio.get_running_loop()
        loop.set_task_factory(
            lambda loop, coroutine, **options: asyncio.Task(
                Stepped(coroutine, self._count), loop=loop, **options
            )
        )
        try:
            self._task = asyncio.ensure_future(call)
            results = await asyncio.gather(self._task, return_exceptions=True)
        finally:
            loop.set_task_factory(None)
        self.is_done = self._left > 0
        return results


async def everything_closed(emulator):
    """Return when no connection is in use; one whose response was read may stay in the pool."""
    for request in emulator.requests:
        await request.finished()
    if not any(request.outcome == "done" for request in emulator.requests):
        await emulator.no_connections()


async def complete(session):
    return await session.complete("Hi")


async def collect(session):
    return await session.stream("Hi").collect()


async def collect_within(session):
    async with session.stream("Hi") as stream:
        return await stream.collect()


@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
@pytest.mark.parametrize("failures", [0, 1], ids=["at once", "after a retry"])
@pytest.mark.parametrize("call", [complete, collect, collect_within])
async def test_a_call_may_be_cancelled_at_every_await(aimlchat_emulator, call, failures, times):
    emulator = aimlchat_emulator  # in a thread of its own, so that its awaits do not count
    outcomes = []
    while outcomes[-1:] != ["complete"]:
        records = []
        emulator.requests.clear()
        for _ in range(failures):
            emulator.fail(status=503)
        emulator.reply("One two three.", pace=0.001)
        async with ChatSession(
            "test-key",
            base_url=emulator.base_url,
            limits=Limits(concurrency=1),
            retry=RetryPolicy(base_delay=0.001),
            on_finish=records.append,
        ) as session:
            stepper = Stepper(len(outcomes) + 1, times)
            (result,) = await stepper.run(call(session))
            await asyncio.sleep(0)  # run the inner tasks that were cancelled

            assert asyncio.all_tasks() == {asyncio.current_task()}
            if isinstance(result, asyncio.CancelledError):
                await asyncio.wait_for(everything_closed(emulator), HANG)
                assert [record.outcome for record in records] in (["cancelled"], [])
            else:
                assert result.text == "One two three."
                assert [record.outcome for record in records] == ["complete"]
            outcomes.append("cancelled" if not stepper.is_done else "complete")
            # Its slot is free again. This call also uses up the rest of the script.
            assert (await session.complete("Hi")).text

    assert len(outcomes) > 3


async def test_a_stream_may_be_cancelled_in_any_pass_of_the_loop(pinging_server):
    limits = Limits(concurrency=1)
    async with ChatSession("test-key", base_url=pinging_server.base_url, limits=limits) as session:
        for passes in range(1, 40):
            entering = asyncio.ensure_future(session.stream("Hi").__aenter__())
            for _ in range(passes):
                await asyncio.sleep(0)
            entering.cancel()
            (stream,) = await asyncio.gather(entering, return_exceptions=True)
            if not isinstance(stream, BaseException):
                await stream.aclose()
                break
            await asyncio.sleep(0)
            slot = await asyncio.wait_for(session._context.limiter.acquire("m"), HANG)
            slot.release()

    assert passes > 3


async def test_cancelling_the_reader_closes_the_connection(stalling_session, stalling_server):
    stream = stalling_session.stream("Count")
    await anext(stream)
    reader = asyncio.create_task(stream.collect())
    await asyncio.sleep(0)
    reader.cancel()

    with pytest.raises(asyncio.CancelledError):
        await reader
    await stalling_server.gone.wait()
    with pytest.raises(StreamInterruptedError) as caught:
        await anext(stream)
    assert caught.value.partial.text == "One"


async def test_cancelling_before_the_response_headers_closes_the_connection(silent_server):
    async with ChatSession("k", base_url=silent_server.base_url) as session:
        opening = asyncio.create_task(session.stream("Why?").collect())
        await silent_server.requested.wait()
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        await silent_server.gone.wait()

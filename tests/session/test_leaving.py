"""Leaving means leaving: whenever a call is cancelled, nothing of it is left."""

import asyncio
import contextlib
import gc
import weakref
from collections.abc import Coroutine

import pytest
from raw_server import CHUNKED, http_chunk, serving

from aimlchat import ChatSession, Limits, RetryPolicy, ServerError

SOON = 0.1  # seconds until the server has to see that its client has left


class Stepped(Coroutine):
    """A coroutine whose suspensions are counted, and which can be cancelled at one of them."""

    def __init__(self, coroutine, count) -> None:
        self._coroutine = coroutine
        self._count = count

    def send(self, value):
        waited_for = self._coroutine.send(value)
        self._count()
        return waited_for

    def throw(self, *error):
        waited_for = self._coroutine.throw(*error)
        self._count()
        return waited_for

    def close(self):
        self._coroutine.close()

    def __await__(self):
        raise NotImplementedError  # a task drives it


class Stepper:
    """Runs a call and cancels it at its n-th suspension; those of the tasks within it count too."""

    def __init__(self, at, times) -> None:
        self._left = at
        self._times = times
        self._task = None
        self.is_done = False  # whether the call was done before that

    def _count(self) -> None:
        self._left -= 1
        if self._left <= 0 and self._times and self._task is not None and not self._task.done():
            self._times -= 1
            # Not at once: the task that runs has not noted yet what it waits for.
            asyncio.get_running_loop().call_soon(self._task.cancel)

    async def run(self, call):
        loop = asyncio.get_running_loop()
        loop.set_task_factory(
            lambda loop, coroutine, **rest: asyncio.Task(
                Stepped(coroutine, self._count), loop=loop, **rest
            )
        )
        try:
            self._task = asyncio.ensure_future(call)
            results = await asyncio.gather(self._task, return_exceptions=True)
        finally:
            loop.set_task_factory(None)
        self.is_done = self._left > 0
        return results


async def left(emulator):
    """Return once nothing is in use; a connection whose answer was sent may stay in the pool."""
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
    emulator = aimlchat_emulator  # in a thread of its own, so that none of its awaits is counted
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
            await asyncio.sleep(0)  # whatever was cancelled within has its turn

            assert asyncio.all_tasks() == {asyncio.current_task()}
            if isinstance(result, asyncio.CancelledError):
                await asyncio.wait_for(left(emulator), SOON)
                assert [record.outcome for record in records] in (["cancelled"], [])
            else:
                assert result.text == "One two three."
                assert [record.outcome for record in records] == ["complete"]
            outcomes.append("cancelled" if not stepper.is_done else "complete")
            # Its place is free again. (What is left of the script is used up here as well.)
            assert (await session.complete("Hi")).text

    assert len(outcomes) > 3


# --- the ways out of a stream ---------------------------------------------------------------------


async def by_break(session):
    async for _ in session.stream("Hi"):
        break


async def by_an_exception(session):
    with contextlib.suppress(KeyError):
        async with session.stream("Hi") as stream:
            await anext(stream)
            raise KeyError


async def by_aclose(session):
    stream = session.stream("Hi")
    await anext(stream)
    await stream.aclose()


async def by_cancelling(session):
    async def read():
        async with session.stream("Hi") as stream:
            read_one.set_result(await anext(stream))
            await anext(stream)

    read_one = asyncio.get_running_loop().create_future()
    task = asyncio.ensure_future(read())
    await read_one
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def by_dropping_it(session):
    stream = session.stream("Hi")
    await anext(stream)
    del stream


async def by_dropping_a_view(session):
    view = session.stream("Hi").answer_text()
    await anext(view)
    del view


async def by_a_deadline_of_the_caller(session):
    stream = session.stream("Hi")
    await anext(stream)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await anext(stream)


@pytest.mark.parametrize(
    ("leave", "outcome"),
    [
        (by_break, "abandoned"),
        (by_an_exception, "abandoned"),
        (by_aclose, "abandoned"),
        (by_cancelling, "cancelled"),
        (by_dropping_it, "abandoned"),
        (by_dropping_a_view, "abandoned"),
        (by_a_deadline_of_the_caller, "cancelled"),
    ],
)
async def test_leaving_closes_the_connection_at_once_and_is_reported(thinker, leave, outcome):
    records = []
    gc.collect()
    gc.disable()  # reference counts alone have to do
    try:
        async with ChatSession(
            "test-key", base_url=thinker.base_url, on_finish=records.append
        ) as session:
            await leave(session)

            await asyncio.wait_for(thinker.gone.wait(), SOON)
            (record,) = records
            assert (record.outcome, record.deltas, record.error) == (outcome, 1, None)
    finally:
        gc.enable()


async def test_leaving_before_the_first_token_closes_the_connection_at_once():
    async def think(reader, writer):
        writer.write(CHUNKED + http_chunk(b": thinking\n\n"))
        await reader.read()
        raise ConnectionResetError

    async with (
        serving(think) as server,
        ChatSession("test-key", base_url=server.base_url) as session,
    ):
        async with session.stream("Hi"):
            pass

        await asyncio.wait_for(server.gone.wait(), SOON)


async def test_a_stream_that_was_tried_again_is_freed_by_reference_counts_alone(
    aimlchat_emulator,
):
    emulator = aimlchat_emulator
    emulator.reply(events=[{"choices": [{"delta": {}}]}], done=False)
    policy = RetryPolicy(base_delay=0.001)
    async with ChatSession("test-key", base_url=emulator.base_url, retry=policy) as session:
        gc.collect()
        gc.disable()
        try:
            stream = session.stream("Hi")
            await stream.collect()
            freed = weakref.ref(stream)
            del stream

            assert freed() is None
        finally:
            gc.enable()


@pytest.mark.parametrize("call", [complete, collect])
async def test_a_call_that_failed_leaves_no_garbage(aimlchat_emulator, call):
    emulator = aimlchat_emulator
    policy = RetryPolicy(attempts=2, base_delay=0.001)
    async with ChatSession("test-key", base_url=emulator.base_url, retry=policy) as session:
        await session.complete("Hi")
        emulator.fail(status=503)
        emulator.fail(status=503)
        gc.collect()
        gc.disable()
        try:
            try:
                await call(session)
            except ServerError as error:
                freed = weakref.ref(error)

            assert freed() is None
        finally:
            gc.enable()


async def test_closing_the_session_leaves_no_task_and_no_connection(aimlchat_emulator):
    emulator = aimlchat_emulator
    session = ChatSession("test-key", base_url=emulator.base_url)
    for _ in range(3):
        emulator.reply("One two three.", pace=0.01)
    streams = [session.stream("Hi") for _ in range(3)]
    await asyncio.gather(*(anext(stream) for stream in streams))
    await session.close()

    await asyncio.wait_for(emulator.no_connections(), SOON)
    assert asyncio.all_tasks() == {asyncio.current_task()}

"""Which event loop a session belongs to, and for how long."""

import asyncio
import gc
import warnings

import pytest

from aimlchat import ChatSession, ConfigurationError, DeltaStream, Limits


async def _ask(session: ChatSession) -> str:
    return (await session.complete("Hi")).text


async def _ask_and_close(session: ChatSession) -> str:
    async with session:
        return await _ask(session)


def test_a_session_is_made_outside_a_loop_and_opened_inside_one(emulator_url):
    session = ChatSession("test-key", base_url=emulator_url)

    assert asyncio.run(_ask_and_close(session))


def test_a_session_outlives_the_loop_that_it_was_used_in(emulator_url):
    session = ChatSession("test-key", base_url=emulator_url)

    assert asyncio.run(_ask(session))
    assert asyncio.run(_ask_and_close(session))


async def _leave_a_stream(session: ChatSession) -> DeltaStream:
    stream = session.stream("Hi")
    await anext(stream)
    return stream


@pytest.mark.parametrize("use", [_ask, _leave_a_stream])
def test_what_a_closed_loop_leaves_behind_closes_its_sockets_without_a_warning(
    aimlchat_emulator, use
):
    aimlchat_emulator.reply(chunks=["One", "two"], pace=0.2)
    session = ChatSession("test-key", base_url=aimlchat_emulator.base_url)
    asyncio.run(use(session))
    gc.collect()  # what other tests have left behind

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del session
        gc.collect()

    assert [str(warning.message) for warning in caught] == []


async def test_a_session_in_use_by_one_loop_refuses_another(session):
    await session.complete("Hi")

    with pytest.raises(ConfigurationError, match="event loop"):
        await asyncio.to_thread(lambda: asyncio.run(_ask(session)))


async def test_a_call_from_another_loop_is_refused_and_disturbs_no_other_call(emulator):
    limits = Limits(concurrency=1)
    async with ChatSession("test-key", base_url=emulator.base_url, limits=limits) as session:
        emulator.reply("One", pace=0.01)
        first = asyncio.ensure_future(session.stream("Hi").collect())
        second = asyncio.ensure_future(session.complete("Hi"))
        await asyncio.sleep(0)
        with pytest.raises(ConfigurationError, match="another event loop"):
            await asyncio.to_thread(asyncio.run, session.complete("Hi"))

        assert all(await asyncio.wait_for(asyncio.gather(first, second), 60))

"""Which event loop a session belongs to, and for how long."""

import asyncio
import gc

import pytest

from aimlchat import ChatSession, ConfigurationError, Limits


async def _ask(session: ChatSession) -> str:
    return (await session.complete("Hi")).text


async def _ask_and_close(session: ChatSession) -> str:
    async with session:
        return await _ask(session)


def test_a_session_is_made_outside_a_loop_and_opened_inside_one(emulator_url):
    session = ChatSession("test-key", base_url=emulator_url)

    assert asyncio.run(_ask_and_close(session))


# asyncio warns of the sockets that were open when their loop was closed.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_session_outlives_the_loop_that_it_was_used_in(emulator_url):
    session = ChatSession("test-key", base_url=emulator_url)

    assert asyncio.run(_ask(session))
    assert asyncio.run(_ask_and_close(session))
    gc.collect()


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

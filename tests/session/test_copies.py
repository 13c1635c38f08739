"""Copies and pickles of sessions and of what belongs to their connections."""

import asyncio
import copy
import pickle
import ssl
import threading

import aiohttp
import pytest

from aimlchat import ChatSession, Limits, RetryPolicy, Timeouts

COPIES = [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))]
by_any_way = pytest.mark.parametrize("duplicate", COPIES, ids=["copy", "deepcopy", "pickle"])


class Labeled(ChatSession):
    def __init__(self, label, **settings):
        super().__init__("k", **settings)
        self.label = label


class Counter:
    """A hook that neither a deep copy nor a pickle can reproduce."""

    def __init__(self):
        self.lock = threading.Lock()
        self.records = []

    def __call__(self, record):
        self.records.append(record)


@by_any_way
async def test_an_unused_session_is_copied_with_all_its_settings(emulator, duplicate):
    original = ChatSession(
        "the-key",
        base_url=emulator.base_url,
        model="gpt-4o",
        headers={"X-A": "1"},
        timeouts=Timeouts(deadline=20),
        retry=RetryPolicy(attempts=1),
        limits=Limits(concurrency=1),
    )
    async with duplicate(original) as session:
        first = await session.complete("Hi")
    second = await original.complete("Hi")
    await original.close()

    assert [request.headers["Authorization"] for request in emulator.requests] == [
        "Bearer the-key"
    ] * 2
    assert [request.headers["X-A"] for request in emulator.requests] == ["1", "1"]
    assert [request.body["model"] for request in emulator.requests] == ["gpt-4o", "gpt-4o"]
    assert first.client_request_id != second.client_request_id
    assert vars(session)["_timeouts"] == Timeouts(deadline=20)
    assert vars(session)["_retry"] == RetryPolicy(attempts=1)


@by_any_way
def test_a_copy_has_the_class_and_the_attributes_of_the_original(duplicate):
    session = duplicate(Labeled("a", model="gpt-4o"))

    assert (type(session), session.label, session.model) == (Labeled, "a", "gpt-4o")


@pytest.mark.parametrize("duplicate", COPIES[:2], ids=["copy", "deepcopy"])
async def test_a_copy_shares_the_hook_and_the_borrowed_session(emulator, duplicate):
    hook = Counter()
    async with aiohttp.ClientSession() as http:
        session = duplicate(ChatSession("k", base_url=emulator.base_url, http=http, on_finish=hook))
        await session.complete("Hi")

    assert len(hook.records) == 1


async def test_the_pickle_of_a_session_that_borrows_is_refused_with_the_way_out():
    async with aiohttp.ClientSession() as http:
        for settings in ({"http": http}, {"ssl": ssl.create_default_context()}):
            with pytest.raises(TypeError, match="in the process that uses it"):
                pickle.dumps(ChatSession("k", **settings))


@by_any_way
async def test_a_session_that_was_used_or_closed_is_not_copied(emulator, duplicate):
    used = ChatSession("k", base_url=emulator.base_url)
    await used.complete("Hi")
    closed = ChatSession("k")
    await closed.close()

    for session in (used, closed):
        with pytest.raises(TypeError, match="make a new one with the same arguments"):
            duplicate(session)
    assert await used.complete("Hi")
    await used.close()


@by_any_way
async def test_a_stream_or_an_iterator_is_not_copied(session, duplicate):
    for iterator in (
        session.stream("Hi"),
        session.stream("Hi").answer_text(),
        session.complete_many(["Hi"]),
        session.stream_many(["Hi"]),
    ):
        if duplicate is copy.copy and "View" in type(iterator).__name__:
            continue  # a second view of the same stream
        with pytest.raises(TypeError, match="cannot be copied or pickled"):
            duplicate(iterator)


async def test_what_a_stream_has_received_is_copied(session):
    async with session.stream("Hi") as stream:
        await anext(stream)
        partial = stream.partial

        assert copy.deepcopy(partial) == pickle.loads(pickle.dumps(partial)) == partial
        assert (await stream.collect()).text
        await asyncio.sleep(0)

"""Many tasks at once, and how they end."""

import asyncio
import weakref

import pytest
from delivery import run_pending

from aimlchat import AIMLChatError
from aimlchat._client.concurrency import FixedConcurrency
from aimlchat._client.pool import TaskPool


class Workshop:
    """Work that lasts until the test lets it end."""

    def __init__(self) -> None:
        self.begun = []
        self.cancelled = []
        self.most = 0
        self._ends = {}

    async def work(self, index, item):
        self.begun.append((index, item))
        self._ends[index] = asyncio.get_running_loop().create_future()
        self.most = max(self.most, len(self._ends))
        try:
            await self._ends[index]
        except asyncio.CancelledError:
            self.cancelled.append(index)
            raise
        finally:
            del self._ends[index]

    async def end(self, *indexes):
        for index in indexes or tuple(self._ends):
            self._ends[index].set_result(None)
        await run_pending()

    async def fail(self, index, error):
        self._ends[index].set_exception(error)
        await run_pending()


@pytest.fixture
def shop():
    return Workshop()


def pool_of(items, limit=2):
    return TaskPool(items, FixedConcurrency(limit))


async def all_of(pool):
    """Wait until a pool whose work ends at once is over, and consume each result."""
    while not pool.is_over:
        pool.mark_consumed()
        await asyncio.sleep(0)


# --- the items ------------------------------------------------------------------------------------


@pytest.mark.parametrize("items", ["text", b"bytes", {"a": "b"}, 1, None])
def test_items_that_are_no_iterable_of_requests_are_a_type_error(items):
    with pytest.raises(TypeError, match=type(items).__name__):
        pool_of(items)


async def test_each_item_is_worked_on_with_its_index():
    seen = []

    async def work(index, item):
        seen.append((index, item))

    pool = pool_of(["a", "b", "c"])
    pool.start(work)
    await all_of(pool)

    assert seen == [(0, "a"), (1, "b"), (2, "c")]


async def test_the_items_may_come_from_an_async_iterator():
    seen = []

    async def generate():
        for item in "abc":
            await asyncio.sleep(0)
            yield item

    async def work(index, item):
        seen.append((index, item))

    pool = pool_of(generate())
    pool.start(work)
    await all_of(pool)

    assert seen == [(0, "a"), (1, "b"), (2, "c")]


async def test_no_item_is_taken_before_the_start():
    items = iter("abc")
    pool = pool_of(items)
    await run_pending()

    assert not pool.has_begun
    assert next(items) == "a"


async def test_without_items_it_is_over_at_once(shop):
    pool = pool_of([])
    pool.start(shop.work)
    await run_pending()

    assert pool.is_over
    assert pool.failure is None


async def test_a_second_start_does_nothing(shop):
    pool = pool_of(["a"])
    pool.start(shop.work)
    pool.start(shop.work)
    await run_pending()

    assert shop.begun == [(0, "a")]
    await shop.end()


# --- how many at once -----------------------------------------------------------------------------


async def test_no_more_tasks_run_than_the_limit_allows(shop):
    pool = pool_of(range(20), limit=3)
    pool.start(shop.work)
    for _ in range(20):
        await run_pending()
        await shop.end()
        for _ in range(3):
            pool.mark_consumed()

    assert len(shop.begun) == 20
    assert shop.most == 3


async def test_the_end_of_one_task_admits_the_next_item(shop):
    pool = pool_of([*"abcd"])
    pool.start(shop.work)
    await run_pending()
    assert pool.in_flight == 2

    await shop.end(1)
    assert shop.begun[2:] == [(2, "c")]
    await shop.end(0)
    await shop.end()


async def test_at_most_twice_the_limit_is_taken_and_not_consumed(shop):
    pool = pool_of(iter(range(100)))
    pool.start(shop.work)
    for _ in range(10):
        await run_pending()
        await shop.end()
    assert len(shop.begun) == 4

    pool.mark_consumed()
    await run_pending()
    assert len(shop.begun) == 5
    pool.stop()
    await run_pending()


async def test_a_limit_that_grows_admits_more(shop):
    concurrency = FixedConcurrency(1)
    pool = TaskPool(range(9), concurrency)
    pool.start(shop.work)
    await run_pending()
    concurrency.limit = 3
    await shop.end()

    assert pool.in_flight == 3
    pool.stop()
    await run_pending()


# --- failures -------------------------------------------------------------------------------------


async def test_what_the_iterator_raises_is_kept_while_the_tasks_in_flight_go_on(shop):
    def generate():
        yield "a"
        raise KeyError

    pool = pool_of(generate())
    pool.start(shop.work)
    await run_pending()

    assert isinstance(pool.failure, KeyError)
    assert pool.in_flight == 1
    await shop.end()
    assert shop.cancelled == []
    assert pool.is_over


async def test_what_an_async_iterator_raises_is_kept_too(shop):
    async def generate():
        yield "a"
        raise KeyError

    pool = pool_of(generate())
    pool.start(shop.work)
    await run_pending()

    assert isinstance(pool.failure, KeyError)
    await shop.end()
    assert shop.cancelled == []


async def test_what_the_work_raises_cancels_the_other_tasks(shop):
    pool = pool_of([*"abc"], limit=3)
    pool.start(shop.work)
    await run_pending()
    await shop.fail(1, KeyError())

    assert isinstance(pool.failure, KeyError)
    assert sorted(shop.cancelled) == [0, 2]
    assert pool.is_over


async def test_the_first_failure_is_kept(shop):
    pool = pool_of([*"ab"])
    pool.start(shop.work)
    await run_pending()
    first = KeyError()
    pool.stop(first)
    pool.stop(ValueError())
    await run_pending()

    assert pool.failure is first


async def test_an_error_of_the_package_is_kept_without_its_frames(shop):
    pool = pool_of([*"a"])
    pool.start(shop.work)
    await run_pending()
    await shop.fail(0, AIMLChatError("No."))

    assert str(pool.failure) == "No."
    assert pool.failure.__traceback__ is None


# --- stopping -------------------------------------------------------------------------------------


async def test_stopping_cancels_what_is_in_flight_and_takes_no_more_items(shop):
    items = iter("abcdef")
    pool = pool_of(items)
    pool.start(shop.work)
    await run_pending()
    pool.stop()
    pool.stop()
    await run_pending()

    assert sorted(shop.cancelled) == [0, 1]
    assert pool.is_over
    assert pool.failure is None
    assert next(items) == "c"


async def test_closing_the_intake_lets_the_tasks_in_flight_end(shop):
    pool = pool_of([*"abcdef"])
    pool.start(shop.work)
    await run_pending()
    pool.close_intake()
    await run_pending()
    assert pool.in_flight == 2

    await shop.end()
    assert (len(shop.begun), shop.cancelled, pool.is_over) == (2, [], True)


async def test_a_pool_that_is_stopped_while_its_iterator_waits_is_over(shop):
    async def wait_forever():
        yield "a"
        await asyncio.get_running_loop().create_future()

    pool = pool_of(wait_forever())
    pool.start(shop.work)
    await run_pending()
    pool.stop()
    await run_pending()

    assert pool.is_over


# --- waiting --------------------------------------------------------------------------------------


async def test_the_end_of_a_task_is_a_change(shop):
    pool = pool_of([*"ab"])
    pool.start(shop.work)
    await run_pending()
    waiting = asyncio.ensure_future(pool.wait_for_change())
    await run_pending()
    assert not waiting.done()

    await shop.end(0)
    assert waiting.done()
    await shop.end()


async def test_a_wait_for_a_change_can_be_cancelled_and_repeated(shop):
    pool = pool_of([*"a"])
    pool.start(shop.work)
    await run_pending()
    waiting = asyncio.ensure_future(pool.wait_for_change())
    await run_pending()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    again = asyncio.ensure_future(pool.wait_for_change())
    await run_pending()
    pool.notify()
    await again
    await shop.end()


# --- references -----------------------------------------------------------------------------------


class Owner:
    """What starts a pool, and keeps it, its work and its items."""

    def __init__(self, items) -> None:
        self.items = items
        self.pool = pool_of(items)

    async def work(self, *_):
        await asyncio.sleep(0)


async def test_reference_counts_free_the_owner_of_a_pool_that_is_over(gc_disabled):
    owner = Owner(["a", "b", "c"])
    owner.pool.start(owner.work)
    await all_of(owner.pool)
    freed = weakref.ref(owner)
    del owner

    assert freed() is None


async def test_reference_counts_free_the_owner_of_a_pool_that_was_stopped(gc_disabled):
    owner = Owner(iter(int, 1))
    owner.pool.start(owner.work)
    await run_pending()
    owner.pool.stop()
    while not owner.pool.is_over:
        await owner.pool.wait_for_change()
    await run_pending()
    freed = weakref.ref(owner)
    del owner

    assert freed() is None


async def test_a_pool_that_is_over_refers_to_no_item(gc_disabled):
    class Item:
        pass

    async def work(index, item):
        pass

    item = Item()
    freed = weakref.ref(item)
    pool = pool_of([item])
    del item
    pool.start(work)
    await all_of(pool)

    assert freed() is None

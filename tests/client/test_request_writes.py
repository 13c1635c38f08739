"""Requests that start together are written together, by one callback of the loop."""

import asyncio

from aimlchat._client.aiohttp_hooks import ConnectionUse
from aimlchat._client.request_writes import WrittenNext


class Connection:
    """A connection that is its own protocol and transport, and may raise when it is written to."""

    def __init__(self, written, error=None):
        self.protocol = self.transport = self
        self.should_close = False
        self.written = written
        self.error = error

    def is_closing(self):
        return False

    def write(self, data):
        self.written.append(data)
        if self.error is not None:
            raise self.error


def test_requests_are_written_together_and_one_that_raises_stops_no_other():
    written, passes, errors = [], [], []
    writes = WrittenNext()
    uses = [ConnectionUse() for _ in range(3)]

    async def begin():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: errors.append(context["exception"]))
        error = ValueError("a transport has failed")
        for use, failure in zip(uses, (None, error, None), strict=True):
            writes.add(loop, (Connection(written, failure), use, b"request"))
        assert written == []
        for _ in range(2):
            await asyncio.sleep(0)
            passes.append(len(written))
        assert errors == [error]

    asyncio.run(begin())

    assert passes == [2, 3]
    assert [use.written_at is None for use in uses] == [False, True, False]


def test_what_a_loop_has_not_written_keeps_no_later_loop_from_writing():
    written = []
    writes = WrittenNext()
    ended = asyncio.new_event_loop()
    writes.add(ended, (Connection(written), ConnectionUse(), b"late"))
    ended.close()

    async def begin():
        loop = asyncio.get_running_loop()
        writes.add(loop, (Connection(written), ConnectionUse(), b"request"))
        await asyncio.sleep(0)

    asyncio.run(begin())

    assert written == [b"request"]

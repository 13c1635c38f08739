"""One stream for several pages."""

import asyncio
import json
import logging

import aiohttp
import pytest
from starlette.responses import StreamingResponse

from aimlchat import ServerError
from aimlchat.relay import SSE_HEADERS, Broadcast, PageTooSlowError


def text_of(frames):
    return "".join(frame["delta"] for frame in frames if frame["type"] == "text-delta")


class Reader:
    """A page as a callable; it can be held up, and can go."""

    def __init__(self, *, goes_at=None) -> None:
        self.frames = []
        self._goes_at = goes_at
        self._more = asyncio.Event()

    async def __call__(self, text):
        if self._goes_at is not None and len(self.frames) == self._goes_at:
            raise ConnectionResetError
        self.frames.append(json.loads(text))
        self._more.set()

    async def saw(self, text):
        async with asyncio.timeout(2):
            while text not in text_of(self.frames):
                self._more.clear()
                await self._more.wait()


async def test_all_who_follow_get_the_same_from_one_call(hall, emulator, session):
    emulator.reply(chunks=["One ", "two ", "three"], reasoning="Hm.", pace=0.01)
    broadcast = Broadcast(session.stream("Go"))

    async with hall.open(broadcast.relay) as page, page() as one, page() as two:
        frames = await asyncio.gather(one.frames(), two.frames())

    assert [text_of(row) for row in frames] == ["One two three"] * 2
    assert [(await hall.result()).text for _ in range(2)] == ["One two three"] * 2
    assert len(emulator.requests) == 1
    await broadcast.aclose()


async def test_who_comes_late_gets_the_text_so_far_in_one_frame_then_what_comes(emulator, session):
    emulator.reply(chunks=["One ", "two ", "three"], pace=0.02)
    broadcast, early, late = Broadcast(session.stream("Go")), Reader(), Reader()

    first = asyncio.create_task(broadcast.relay(early))
    await early.saw("One two")
    await broadcast.relay(late)
    await first

    assert [frame["type"] for frame in late.frames[:3]] == ["start", "text-start", "text-delta"]
    assert late.frames[2]["delta"].startswith("One two ")
    assert text_of(late.frames) == text_of(early.frames) == "One two three"
    await broadcast.aclose()


async def test_the_numbers_are_those_of_the_last_frame_within(emulator, session):
    emulator.reply(chunks=["One ", "two ", "three"], pace=0.01)
    broadcast, live, late = Broadcast(session.stream("Go")), Reader(), Reader()

    await broadcast.relay(live)
    await broadcast.relay(late)

    assert [frame["number"] for frame in live.frames] == list(range(1, len(live.frames) + 1))
    assert [frame["number"] for frame in late.frames] == [1, 2, 5, 6, 7]
    await broadcast.aclose()


@pytest.mark.parametrize("seen", range(8))
async def test_who_comes_again_misses_nothing_and_gets_nothing_twice(emulator, session, seen):
    emulator.reply(chunks=["One ", "two ", "three"], pace=0.005)
    broadcast, page, again = Broadcast(session.stream("Go")), Reader(goes_at=seen), Reader()

    await broadcast.relay(page)
    await broadcast.relay(again, after=page.frames[-1]["number"] if page.frames else 0)

    both = page.frames + again.frames
    assert text_of(both) == "One two three"
    assert [frame["type"] for frame in both].count("start") == 1
    assert both[-1]["type"] == "finish"
    assert len(emulator.requests) == 1
    await broadcast.aclose()


async def test_a_page_that_goes_leaves_the_call_to_the_others(emulator, session):
    emulator.reply(chunks=["One ", "two"], pace=0.03)
    broadcast, stays = Broadcast(session.stream("Go"), grace=0), Reader()

    staying = asyncio.create_task(broadcast.relay(stays))
    gone = await broadcast.relay(Reader(goes_at=2))

    assert (gone.text, gone.finish_reason) == ("One ", None)
    assert (await staying).text == "One two"


async def test_when_all_have_gone_the_call_ends_after_the_grace(thoughtful, soon):
    session, upstream = thoughtful
    forgotten = asyncio.Event()
    broadcast = Broadcast(session.stream("Go"), grace=0.05, on_over=forgotten.set)

    await broadcast.relay(Reader(goes_at=2))
    assert not upstream.gone.is_set()
    assert broadcast.is_live
    async with asyncio.timeout(0.05 + 0.1):
        await upstream.gone.wait()

    assert broadcast.is_over
    assert forgotten.is_set()
    with pytest.raises(RuntimeError, match="is over"):
        await broadcast.relay(Reader())
    with pytest.raises(RuntimeError, match="is over"):
        broadcast.sse_events()


async def test_who_comes_within_the_grace_keeps_it(thoughtful):
    session, upstream = thoughtful
    broadcast, page = Broadcast(session.stream("Go"), grace=0.05), Reader()

    await broadcast.relay(Reader(goes_at=2))
    following = asyncio.create_task(broadcast.relay(page))
    await asyncio.sleep(0.1)

    assert not upstream.gone.is_set()
    assert not broadcast.is_over
    await broadcast.aclose()
    assert (await following).text == "One"
    assert page.frames[-1]["type"] == "abort"


async def test_the_grace_after_the_end_begins_at_the_end(emulator, session, answered):
    emulator.reply(chunks=["One ", "two"], pace=0.02)
    over = asyncio.Event()
    broadcast, page = Broadcast(session.stream("Go"), grace=0.3, on_over=over.set), Reader()

    broadcast.start()
    await answered()
    ended = asyncio.get_running_loop().time()
    assert not over.is_set()
    async with asyncio.timeout(1):
        await over.wait()

    assert asyncio.get_running_loop().time() - ended > 0.29
    with pytest.raises(RuntimeError, match="is over"):
        await broadcast.relay(page)


async def test_pages_come_again_after_the_end(emulator, session):
    emulator.reply("One two")
    broadcast, page = Broadcast(session.stream("Go")), Reader()

    await broadcast.relay(Reader())
    assert not broadcast.is_live
    completion = await broadcast.relay(page)

    assert text_of(page.frames) == completion.text == "One two"
    await broadcast.aclose()


async def test_stop_of_one_page_is_stop_for_all(one_hall, thoughtful, soon):
    session, upstream = thoughtful
    broadcast = Broadcast(session.stream("Go"))

    async with one_hall.open(broadcast.relay) as page, page() as one, page() as two:
        await asyncio.gather(one.until("text-delta"), two.until("text-delta"))
        async with soon():
            await one.say(type="stop")
            await upstream.gone.wait()
        frames = await asyncio.gather(one.frames(), two.frames())

    assert [row[-1]["type"] for row in frames] == ["abort", "abort"]
    assert broadcast.partial.text == "One"
    await broadcast.aclose()


async def test_all_are_told_of_an_error(emulator, session):
    emulator.fail(status=500)
    broadcast, pages = Broadcast(session.stream("Go")), [Reader(), Reader()]

    errors = await asyncio.gather(*map(broadcast.relay, pages), return_exceptions=True)

    assert [type(error) for error in errors] == [ServerError, ServerError]
    assert [page.frames[-1]["type"] for page in pages] == ["error", "error"]
    await broadcast.aclose()


async def test_a_stuck_page_runs_out_of_patience_and_harms_nobody(emulator, session):
    emulator.reply(chunks=["One ", "two"], pace=0.01)
    broadcast, page = Broadcast(session.stream("Go")), Reader()

    async def stuck(_):
        await asyncio.Event().wait()

    error, completion = await asyncio.gather(
        broadcast.relay(stuck, patience=0.05), broadcast.relay(page), return_exceptions=True
    )

    assert isinstance(error, PageTooSlowError)
    assert completion.text == text_of(page.frames) == "One two"
    await broadcast.aclose()


async def test_cancelling_a_page_leaves_the_call(emulator, session):
    emulator.reply(chunks=["One ", "two"], pace=0.02)
    broadcast, page, other = Broadcast(session.stream("Go")), Reader(), Reader()

    following = asyncio.create_task(broadcast.relay(page))
    await page.saw("One")
    following.cancel()
    completion = await broadcast.relay(other)

    assert following.cancelled()
    assert completion.text == "One two"
    await broadcast.aclose()


async def test_closing_without_a_start_is_quiet(session, emulator):
    over = []
    broadcast = Broadcast(session.stream("Go"), on_over=lambda: over.append(1))

    await broadcast.aclose()
    await broadcast.aclose()

    assert (over, emulator.requests) == ([1], [])


async def test_a_hook_that_fails_is_logged(session, caplog):
    broadcast = Broadcast(session.stream("Go"), on_over={}.popitem)

    await broadcast.aclose()

    assert [record.levelno for record in caplog.records] == [logging.ERROR]


async def test_a_browsers_event_source_comes_again_by_itself(aiohttp_server, emulator, session):
    emulator.reply(chunks=["One ", "two ", "three"], pace=0.01)
    broadcast = Broadcast(session.stream("Go"))

    async with (
        aiohttp_server({"/": broadcast.sse_response}) as host,
        aiohttp.ClientSession() as client,
    ):
        async with client.get(f"http://{host}/") as response:
            await response.content.readuntil(b'"delta":"One "')
        last = {"Last-Event-ID": "3"}
        async with client.get(f"http://{host}/", headers=last) as response:
            events = (await response.text()).split("\n\n")
        nonsense = {"Last-Event-ID": "x"}
        async with client.get(f"http://{host}/", headers=nonsense) as response:
            whole = await response.text()

    assert events[0].startswith("id: ")
    said = [json.loads(event.split("data: ")[1]) for event in events[:-2]]
    assert text_of(said) == "two three"
    assert "number" not in said[0]
    assert events[-2:] == ["data: [DONE]", ""]
    assert whole.startswith('id: 1\ndata: {"type":"start"}\n\n')
    await broadcast.aclose()


async def test_starlette_follows_by_events(starlette_server, emulator, session):
    emulator.reply(chunks=["One ", "two"], pace=0.01)
    broadcast = Broadcast(session.stream("Go"), grace=0.05)

    async def answer(request):
        after = int(request.query_params.get("after", 0))
        return StreamingResponse(broadcast.sse_events(after=after), headers=SSE_HEADERS)

    async with starlette_server(answer) as host, aiohttp.ClientSession() as client:
        async with client.get(f"http://{host}/") as response:
            whole = await response.text()
        async with client.get(f"http://{host}/?after=3") as response:
            rest = await response.text()

    assert '"delta":"One "' in whole
    assert '"delta":"One "' not in rest
    assert '"delta":"two"' in rest
    await broadcast.aclose()


class Remote:
    """A store as one of another process would be: JSON, and answers that take their time."""

    def __init__(self) -> None:
        self._lines = []
        self._ended = False

    async def append(self, frames):
        await asyncio.sleep(0)
        self._lines += map(json.dumps, frames)

    async def end(self, frames):
        await self.append(frames)
        self._ended = True

    async def read(self, after):
        while len(self._lines) <= after and not self._ended:  # noqa: ASYNC110 - it is elsewhere
            await asyncio.sleep(0.001)
        return [json.loads(line) for line in self._lines[after:]]


async def test_the_store_is_the_users_choice(emulator, session):
    emulator.reply(chunks=["One ", "two"], pace=0.01)
    broadcast, page = Broadcast(session.stream("Go"), store=Remote()), Reader()

    completion = await broadcast.relay(page)

    assert text_of(page.frames) == completion.text == "One two"
    await broadcast.aclose()


async def test_a_stop_while_the_store_hears_of_an_error_leaves_it_an_error(emulator, session):
    emulator.fail(status=500)
    ending = asyncio.Event()

    class Hesitant(Remote):
        async def end(self, frames):
            if not ending.is_set():
                ending.set()
                await asyncio.Event().wait()
            await super().end(frames)

    broadcast, page = Broadcast(session.stream("Go"), store=Hesitant()), Reader()

    broadcast.start()
    await ending.wait()
    await broadcast.stop()
    with pytest.raises(ServerError):
        await broadcast.relay(page)

    assert page.frames[-1]["type"] == "error"
    await broadcast.aclose()


async def test_a_store_that_fails_ends_the_call_and_the_pages(thoughtful, soon):
    session, upstream = thoughtful

    class Broken(Remote):
        async def read(self, after):
            if after:
                raise LookupError
            return await super().read(after)

    broadcast = Broadcast(session.stream("Go"), store=Broken(), grace=0)

    with pytest.raises(LookupError):
        await broadcast.relay(Reader())
    async with soon():
        await upstream.gone.wait()

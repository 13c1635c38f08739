"""How answers end or continue when a page stops them, closes, reloads or loses its connection."""

import asyncio

import pytest
from raw_server import CHUNKED, content, http_chunk, serving


def join_text(frames, kind="text"):
    return "".join(frame["delta"] for frame in frames if frame["type"] == f"{kind}-delta")


# --- stopping and closing ------------------------------------------------------------------------

# What the emulator sends before it hangs, and the type of the last frame that a page gets of it.
STAGES = {
    "before a token": ((), "start"),
    "thinking": ((("reasoning_content", "Hm."),), "reasoning-delta"),
    "answering": ((("content", "One"),), "text-delta"),
}
stages = pytest.mark.parametrize("stage", STAGES)


@stages
async def test_stop_closes_the_upstream_connection(
    browser, emulator, reply_and_hang, ask_and_wait, stage
):
    deltas, frame = STAGES[stage]
    reply_and_hang(*deltas)

    async with browser.open_page() as page:
        await ask_and_wait(page, frame)
        await page.send(type="stop")
        assert (await page.read_to_end())[-1]["type"] == "abort"
        await emulator.requests[0].finished()

        await page.send(type="stop")  # has no effect
        await page.ask("And now?")
        assert (await page.read_to_end())[-1]["type"] == "finish"

    assert emulator.requests[0].outcome == "left"


@stages
async def test_closing_a_page_closes_the_upstream_connection(
    browser, emulator, reply_and_hang, ask_and_wait, stage
):
    deltas, frame = STAGES[stage]
    reply_and_hang(*deltas)
    async with browser.get():
        pass

    async with browser.open_page() as page:
        await ask_and_wait(page, frame)
        await page.close()
        await emulator.requests[0].finished()

    assert emulator.requests[0].outcome == "left"


async def test_a_reloaded_page_gets_the_whole_answer_again(
    browser, emulator, reply_and_hang, ask_and_wait
):
    reply_and_hang(("reasoning_content", "Hm."), ("content", "One"))

    async with browser.open_page() as page:
        answer_id = await ask_and_wait(page)
        async with browser.get():  # a browser loads the new page before it closes the old one
            pass
        await page.close()

    async with browser.open_page() as page:
        await page.send(type="follow", answer_id=answer_id, after=0)
        await page.read_until("start-step")
        frames = [await page.read(), await page.read()]
        assert join_text(frames, "reasoning") == "Hm."
        await page.read_until("text-delta")
        await page.send(type="stop")
        await page.read_until("abort")

    assert len(emulator.requests) == 1


async def test_closing_one_of_two_pages_keeps_their_answer(
    browser, emulator, reply_and_hang, ask_and_wait
):
    reply_and_hang(("content", "One"))

    async with browser.open_page() as first, browser.open_page() as second:
        answer_id = await ask_and_wait(first)
        await second.send(type="follow", answer_id=answer_id)
        await second.read_until("text-delta")
        await first.close()
        assert emulator.requests[0].outcome is None
        await second.send(type="stop")
        await second.read_until("abort")


# --- a lost connection ---------------------------------------------------------------------------


async def test_after_a_lost_connection_the_page_gets_the_frames_that_it_missed(open_browser):
    is_page_gone = asyncio.Event()

    async def respond(reader, writer):
        writer.write(CHUNKED + http_chunk(content("One")))
        await is_page_gone.wait()
        writer.write(http_chunk(content(" two", '"stop"') + b"data: [DONE]\n\n") + b"0\r\n\r\n")
        await writer.drain()
        await reader.read()

    async with serving(respond) as upstream, open_browser(upstream.base_url) as browser:
        async with browser.open_page() as page:
            answer_id = await page.ask("Why?")
            last = await page.read_until("text-delta")
            page.lose_connection()
        is_page_gone.set()
        async with browser.open_page() as page:
            await page.send(type="follow", answer_id=answer_id, after=last["number"])
            frames = await page.read_to_end()

    assert join_text(frames) == " two"
    assert [frames[0]["type"], frames[-1]["type"]] == ["text-delta", "finish"]
    assert upstream.connections == 1


async def test_asking_again_with_the_same_id_sends_no_second_request(
    browser, emulator, reply_and_hang, ask_and_wait
):
    reply_and_hang(("content", "One"))

    async with browser.open_page() as page:
        answer_id = await ask_and_wait(page)
        page.lose_connection()
    async with browser.open_page() as page:
        await page.ask("Why?", answer_id=answer_id)
        assert (await page.read_until("text-delta"))["delta"] == "One"
        await page.send(type="stop")
        await page.read_until("abort")

    assert len(emulator.requests) == 1


async def test_the_upstream_connection_is_closed_after_the_grace_period(
    open_browser, emulator, reply_and_hang, ask_and_wait
):
    reply_and_hang(("content", "One"))

    async with open_browser(grace=0.05) as browser:
        async with browser.open_page() as page:
            answer_id = await ask_and_wait(page)
            page.lose_connection()
        await emulator.requests[0].finished()
        async with browser.open_page() as page:
            await page.send(type="follow", answer_id=answer_id)
            assert (await page.read())["data"]["code"] == "gone"
            assert (await page.read())["type"] == "error"

    assert emulator.requests[0].outcome == "left"


async def test_following_an_unknown_answer_is_an_error(browser):
    async with browser.open_page() as page:
        await page.send(type="follow", answer_id="unknown", after=3)
        assert (await page.read())["data"]["code"] == "gone"


async def test_closing_the_server_ends_the_answers_and_closes_the_pages(
    open_browser, emulator, reply_and_hang, ask_and_wait
):
    reply_and_hang(("content", "One"))

    async with open_browser() as browser, browser.open_page() as page:
        await ask_and_wait(page)
        closing = asyncio.create_task(browser.server.close())
        await page.socket.receive()
        assert page.socket.close_code == 1001
        await closing
    await emulator.requests[0].finished()
    assert emulator.requests[0].outcome == "left"

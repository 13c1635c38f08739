"""A closed tab ends its answer at once, a reload keeps it, whatever other tabs do meanwhile."""

import asyncio

import pytest


@pytest.fixture
async def answering(browser, ask_and_wait, reply_and_hang):
    """A page whose answer streams, the id of the page and that of the answer."""
    reply_and_hang(("content", "One"))
    page_id = await browser.load()
    async with browser.open_page() as page:
        await page.say_hello(page_id)
        yield page, page_id, await ask_and_wait(page)


async def wait_until_left(emulator):
    async with asyncio.timeout(1):
        await emulator.requests[0].finished()
    assert emulator.requests[0].outcome == "left"


async def leave(page, how):
    """Close a tab as a browser does, which does not always fire `beforeunload` and `pagehide`."""
    if how == "by its button":
        await page.send(type="leaving")
    if how != "crashed":
        await page.send(type="left")
    await page.close()


@pytest.mark.parametrize("how", ["by its button", "by a program", "crashed"])
@pytest.mark.parametrize("other", ["loaded", "loading"])
async def test_a_closed_tab_ends_its_answer_although_another_tab_is_loaded(
    browser, emulator, answering, how, other
):
    page, _, _ = answering
    other_id = await browser.load()
    async with browser.open_page() as other_page:
        if other == "loaded":
            await other_page.say_hello(other_id)
            await other_page.ask("Why?", model="")  # refused, so the hello has been read
            await other_page.read_until("error")
        await leave(page, how)
        if other == "loading" and how != "by a program":
            # Only now is it clear that the other tab is not this one, reloaded.
            await other_page.say_hello(other_id)
        await wait_until_left(emulator)


async def test_a_tab_that_is_loaded_while_another_closes_delays_its_end_until_it_says_hello(
    browser, emulator, answering
):
    page, _, _ = answering
    await page.send(type="leaving")
    other_id = await browser.load()
    await page.send(type="left")
    await page.close()
    async with browser.open_page() as other_page:
        await other_page.say_hello(other_id, "another answer")
        await wait_until_left(emulator)


async def test_a_reload_keeps_the_answer(browser, emulator, answering):
    page, _, answer_id = answering
    await page.send(type="leaving")
    new_id = await browser.load()
    await page.send(type="left")
    await page.close()
    async with browser.open_page() as page:
        await page.say_hello(new_id, answer_id)
        await page.send(type="follow", answer_id=answer_id)
        assert (await page.read_until("text-delta"))["delta"] == "One"
        assert emulator.requests[0].outcome is None
        await page.send(type="stop")
        await page.read_until("abort")


async def test_a_closed_page_gets_no_answer_to_a_question_that_waits(browser, emulator, answering):
    page, _, _ = answering
    await page.ask("And now?")
    await page.close()
    await wait_until_left(emulator)
    assert len(emulator.requests) == 1


async def test_a_page_that_comes_back_to_an_answer_that_it_left_is_told_so(
    browser, emulator, answering
):
    page, _, answer_id = answering
    await leave(page, "by its button")
    await wait_until_left(emulator)
    async with browser.open_page() as page:
        await page.send(type="follow", answer_id=answer_id)
        assert await page.read() == {"type": "abort", "reason": "left"}


async def test_a_duplicated_tab_keeps_the_answer_until_it_is_closed_too(
    browser, emulator, answering
):
    page, _, answer_id = answering
    other_id = await browser.load()
    async with browser.open_page() as duplicate:
        await duplicate.say_hello(other_id, answer_id)
        await duplicate.send(type="follow", answer_id=answer_id)
        await duplicate.read_until("text-delta")
        await leave(page, "by a program")
        assert emulator.requests[0].outcome is None
        await leave(duplicate, "by a program")
        await wait_until_left(emulator)


async def test_a_dead_connection_of_the_same_page_does_not_keep_its_answer(
    browser, emulator, answering
):
    _, page_id, answer_id = answering
    async with browser.open_page() as page:  # it reconnected
        await page.say_hello(page_id, answer_id)
        await page.send(type="follow", answer_id=answer_id)
        await page.read_until("text-delta")
        await leave(page, "by its button")
        await wait_until_left(emulator)


async def test_a_reloaded_page_that_is_closed_at_once_ends_the_answer(browser, emulator, answering):
    page, _, answer_id = answering
    await page.send(type="leaving")
    new_id = await browser.load()
    await page.send(type="left")
    await page.close()
    async with browser.open_page() as page:
        await page.say_hello(new_id, answer_id)
        await leave(page, "by its button")
        await wait_until_left(emulator)

"""What a page is told while it waits for an answer."""

import pytest

from aimlchat import RetryPolicy


@pytest.fixture
def patient_browser(open_browser):
    """A server whose session makes three attempts, with delays that no test waits for."""
    return lambda **policy: open_browser(
        retry=RetryPolicy(**{"attempts": 3, "base_delay": 600, "max_delay": 600} | policy)
    )


async def test_a_retry_is_told_while_it_happens(patient_browser, emulator):
    emulator.fail(status=429, retry_after=60, message="Slow down.")

    async with patient_browser() as browser, browser.open_page() as page:
        await page.ask("Why?")
        retry = (await page.read_until("data-retry"))["data"]
        assert (retry["attempt"], retry["attempts"]) == (2, 3)
        assert retry["asked_to_wait"] == 60
        assert 59 < retry["seconds"] <= 660
        assert retry["error"]["message"] == "Slow down."

        await page.send(type="stop")
        assert (await page.read_to_end())[-1]["type"] == "abort"


async def test_a_failed_attempt_that_asked_for_no_wait_is_told_too(patient_browser, emulator):
    emulator.fail(status=503, message="Overloaded.")

    async with patient_browser(base_delay=0.001) as browser, browser.open_page() as page:
        await page.ask("Why?")
        retry = await page.read_until("data-retry")
        assert (await page.read_to_end())[-1]["type"] == "finish"

    assert retry["transient"] is True
    assert "number" not in retry
    assert retry["data"]["asked_to_wait"] is None
    assert retry["data"]["error"]["message"] == "Overloaded."


async def test_a_page_that_reconnects_is_told_of_the_retry_with_the_seconds_left(
    patient_browser, emulator
):
    emulator.fail(status=429, retry_after=60)

    async with patient_browser() as browser:
        async with browser.open_page() as page:
            answer_id = await page.ask("Why?")
            first = await page.read_until("data-retry")
            page.lose_connection()
        async with browser.open_page() as page:
            await page.send(type="follow", answer_id=answer_id, after=2)
            second = await page.read_until("data-retry")
            await page.send(type="stop")
            await page.read_until("abort")

    assert second["data"]["seconds"] < first["data"]["seconds"]
    assert second["data"]["attempt"] == 2


async def test_a_page_that_joins_after_the_answer_began_is_told_of_no_retry(
    patient_browser, emulator, reply_and_hang
):
    emulator.fail(status=503)
    reply_and_hang(("content", "One"))

    async with patient_browser(base_delay=0.001) as browser:
        async with browser.open_page() as page:
            answer_id = await page.ask("Why?")
            await page.read_until("text-delta")
            page.lose_connection()
        async with browser.open_page() as page:
            await page.send(type="follow", answer_id=answer_id)
            types = [(await page.read())["type"] for _ in range(4)]
            await page.send(type="stop")
            await page.read_until("abort")

    assert types == ["start", "start-step", "text-start", "text-delta"]


async def test_only_the_page_whose_question_it_is_is_told_of_a_retry(
    patient_browser, emulator, reply_and_hang
):
    reply_and_hang(("content", "One"))
    emulator.fail(status=503)

    async with (
        patient_browser() as browser,
        browser.open_page() as other,
        browser.open_page() as page,
    ):
        await other.ask("Why?")
        await other.read_until("text-delta")
        await page.ask("Why not?")
        await page.read_until("data-retry")
        for one in (other, page):
            await one.send(type="stop")
        assert [frame["type"] for frame in await other.read_to_end()] == ["text-end", "abort"]


async def test_a_question_that_is_held_back_by_the_rate_limit_of_another_is_told_so(
    patient_browser, emulator
):
    emulator.fail(status=429, retry_after=60)

    async with (
        patient_browser() as browser,
        browser.open_page() as limited,
        browser.open_page() as page,
    ):
        await limited.ask("Why?")
        await limited.read_until("data-retry")
        await page.ask("Why not?")
        frame = await page.read()
        assert (frame["type"], frame["transient"]) == ("data-queue", True)
        assert 50 < frame["data"]["seconds"] <= 60
        await page.ask("Why not?", model="openai/gpt-4o")
        for one in (limited, page):
            await one.send(type="stop")
            await one.read_until("abort")
        await page.read_until("finish")  # another model is not held back


async def test_a_retry_of_a_call_that_no_page_asked_for_is_told_to_none(patient_browser, emulator):
    emulator.fail(status=503)

    async with patient_browser(base_delay=0.001) as browser, browser.get("models") as response:
        assert (await response.json())["models"]

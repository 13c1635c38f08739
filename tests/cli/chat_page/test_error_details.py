"""What the page shows of an error: the server's own words, and never a secret."""

import json

import pytest
from raw_server import CHUNKED, content, http_chunk, serving

from aimlchat import RetryPolicy
from aimlchat.errors import AuthenticationError


async def test_the_page_gets_the_words_of_the_server_and_what_to_do(open_browser, emulator):
    errors = []
    emulator.fail(status=401, message="This key was revoked\non Monday.")

    async with open_browser(on_error=errors.append) as browser, browser.open_page() as page:
        await page.ask("Why?")
        frames = await page.read_to_end()

    assert [frame["type"] for frame in frames[-3:]] == ["data-error-detail", "data-error", "error"]
    detail = frames[-3]["data"]
    assert detail["message"] == "This key was revoked on Monday."
    assert detail["facts"][0] == "status 401"
    assert any(fact.startswith("request ") for fact in detail["facts"])
    assert "AIMLAPI_API_KEY" in detail["advice"]
    assert frames[-1]["errorText"] == "This service cannot sign in to the model's provider."
    assert isinstance(errors[0], AuthenticationError)


async def test_the_details_contain_no_key(browser, emulator, key):
    emulator.fail(status=401, message=f"Your key {key} is wrong.")

    async with browser.open_page() as page:
        await page.ask("Why?")
        frames = await page.read_to_end()

    assert "is wrong" in frames[-3]["data"]["message"]
    assert key not in json.dumps(frames)


async def test_a_page_that_reconnects_gets_the_details(browser, emulator):
    emulator.fail(status=400, message="Too many tokens.")

    async with browser.open_page() as page:
        answer_id = await page.ask("Why?")
        await page.read_until("error")
    async with browser.open_page() as page:
        await page.send(type="follow", answer_id=answer_id)
        frames = await page.read_to_end()

    assert frames[-3]["data"]["message"] == "Too many tokens."


async def test_the_number_of_attempts_and_the_wait_that_the_server_asked_for_are_facts(
    open_browser, emulator
):
    for _ in range(2):
        emulator.fail(status=429, retry_after=0, message="Slow down.")

    async with (
        open_browser(retry=RetryPolicy(attempts=2, base_delay=0.001)) as browser,
        browser.open_page() as page,
    ):
        await page.ask("Why?")
        detail = (await page.read_until("data-error-detail"))["data"]

    assert detail["message"] == "Slow down."
    assert "the server asked to wait 0 s" in detail["facts"]
    assert "2 attempts" in detail["facts"]


@pytest.mark.parametrize(
    ("ending", "message", "fact"),
    [
        ("cut", "The answer was cut off before its end. Try again.", "the response was cut off"),
        (
            "ended",
            "The answer was cut off before its end. Try again.",
            "the stream ended before [DONE] or its last finish reason",
        ),
        ("refused", "The model's provider cannot be reached.", "127.0.0.1:9"),
    ],
)
async def test_failures_without_a_word_of_the_server_are_described(
    open_browser, ending, message, fact
):
    async def cut(reader, writer):
        writer.write(CHUNKED + http_chunk(content("One")))
        if ending == "ended":
            writer.write(http_chunk(b""))
        await writer.drain()
        writer.close()

    async with serving(cut) as upstream:
        base_url = "http://127.0.0.1:9/v1" if ending == "refused" else upstream.base_url
        async with open_browser(base_url) as browser, browser.open_page() as page:
            await page.ask("Why?")
            detail = (await page.read_until("data-error-detail"))["data"]

    assert detail["message"] == message
    assert fact in detail["facts"][0]
    assert ".partial" not in detail["facts"][0]  # which only programmers have
    assert ("network" in detail["advice"]) == (ending == "refused")


async def test_an_answer_that_was_stopped_has_no_details(browser, reply_and_hang):
    reply_and_hang(("content", "One"))

    async with browser.open_page() as page:
        await page.ask("Why?")
        await page.read_until("text-delta")
        await page.send(type="stop")
        frames = await page.read_to_end()

    assert [frame["type"] for frame in frames] == ["text-end", "abort"]

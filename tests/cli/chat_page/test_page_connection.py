"""What the page asks over its web socket, and the frames that it gets."""

import json

import pytest
from aiohttp import WSCloseCode, WSMsgType

from aimlchat._payload.models import DEFAULT_MODEL


def join_text(frames, kind="text"):
    return "".join(frame["delta"] for frame in frames if frame["type"] == f"{kind}-delta")


async def test_an_answer_has_reasoning_usage_and_cost(browser, emulator):
    emulator.reply("Blue.", reasoning="Light scatters.", cost=0.25)

    async with browser.open_page() as page:
        await page.ask("Why?")
        frames = await page.read_to_end()

    assert join_text(frames, "reasoning") == "Light scatters."
    assert join_text(frames) == "Blue."
    assert [frame["number"] for frame in frames] == sorted(frame["number"] for frame in frames)
    metadata = frames[-1]["messageMetadata"]
    assert metadata["usage"]["outputTokens"] > 0
    assert metadata["cost"]["usd"] == 0.25


async def test_earlier_turns_with_an_answer_are_sent_upstream_as_messages(browser, emulator):
    turns = [("My name is Ada.", "Hello Ada."), ("And now?", ""), ("What is it?", "It is Ada.")]

    async with browser.open_page() as page:
        await page.ask("Are you sure?", turns=turns, model="openai/gpt-4o")
        await page.read_to_end()

    assert emulator.requests[0].body["messages"] == [
        {"role": "user", "content": "My name is Ada."},
        {"role": "assistant", "content": "Hello Ada."},
        {"role": "user", "content": "What is it?"},
        {"role": "assistant", "content": "It is Ada."},
        {"role": "user", "content": "Are you sure?"},
    ]


@pytest.mark.parametrize("thinking", [None, 2048])
async def test_the_rest_of_a_cut_answer_is_asked_for_in_a_message_behind_it(
    browser, emulator, thinking
):
    cut = {"answer": "Because light scat", "last_words": "light scat"}

    async with browser.open_page() as page:
        await page.ask("Why?", turns=[("Hello", "Hi.")], cut=cut, thinking=thinking)
        await page.read_to_end()

    *earlier, question, answer, wish = emulator.requests[0].body["messages"]
    assert len(earlier) == 2
    assert (question["role"], answer["role"], wish["role"]) == ("user", "assistant", "user")
    assert "Because light scat" in json.dumps(answer["content"])
    assert "last words:\\n\\nlight scat" in json.dumps(wish["content"])


async def test_the_thinking_budget_is_sent_upstream(browser, emulator):
    async with browser.open_page() as page:
        await page.ask("Why?", thinking=4096)
        await page.read_to_end()
        await page.ask("Why?")
        await page.read_to_end()

    thinking, plain = (request.body for request in emulator.requests)
    assert thinking["thinking"] == {"type": "enabled", "budget_tokens": 4096}
    assert "thinking" not in plain


async def test_a_page_without_the_list_of_models_asks_the_default_model(browser, emulator):
    async with browser.open_page() as page:
        await page.ask("Why?", model=None)
        await page.read_to_end()

    assert emulator.requests[0].body["model"] == DEFAULT_MODEL


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"thinking": 10}, "1024"),
        ({"thinking": 2048, "model": "openai/gpt-4o"}, "no thinking parameter"),
    ],
)
async def test_after_an_invalid_request_the_page_can_ask_again(browser, emulator, fields, message):
    async with browser.open_page() as page:
        await page.ask("Why?", **fields)
        code, error = await page.read_to_end()
        assert code["data"]["code"] == "bad_request"
        assert message in error["errorText"]
        assert emulator.requests == []

        await page.ask("Why?")
        assert (await page.read_to_end())[-1]["type"] == "finish"


@pytest.mark.parametrize(
    "data",
    [
        "",
        "{",
        "[]",
        '{"type":"sing"}',
        '{"type":"ask"}',
        '{"type":"follow","answer_id":"a","after":-1}',
        b'{"type":"\xff"}',
        '{"type":"stop","x":' + "[" * 100_000,
    ],
)
async def test_after_an_invalid_message_the_page_can_ask_again(browser, data):
    async with browser.open_page() as page:
        send = page.socket.send_str if isinstance(data, str) else page.socket.send_bytes
        await send(data)
        assert (await page.read())["data"]["code"] == "unreadable"
        assert "Reload" in (await page.read())["errorText"]

        await page.ask("Why?")
        assert (await page.read_to_end())[-1]["type"] == "finish"


async def test_a_question_during_an_answer_is_answered_after_it(browser, emulator):
    emulator.reply("One.")
    emulator.reply("Two.")

    async with browser.open_page() as page:
        await page.ask("First?")
        await page.ask("Second?")
        assert join_text(await page.read_to_end()) == "One."
        assert join_text(await page.read_to_end()) == "Two."


async def test_a_page_that_sends_too_much_during_an_answer_is_disconnected(browser, reply_and_hang):
    reply_and_hang(("content", "Slow"))

    async with browser.open_page() as page:
        await page.ask("First?")
        await page.read_until("text-delta")
        for _ in range(5):
            await page.ask("x" * 1000)
        message = await page.socket.receive()

    assert (message.type, message.data) == (WSMsgType.CLOSE, WSCloseCode.POLICY_VIOLATION)


async def test_pages_have_separate_conversations(browser, reply_and_hang):
    reply_and_hang(("content", "Slow"))

    async with browser.open_page() as slow, browser.open_page() as quick:
        await slow.ask("Why?")
        await slow.read_until("text-delta")
        await quick.ask("Hello!", turns=[("Hi", "Hi.")])
        assert (await quick.read_to_end())[-1]["type"] == "finish"

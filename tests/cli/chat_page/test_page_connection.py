"""What a page asks over its web socket, and what it is shown."""

import asyncio
import json

import pytest
from raw_server import CHUNKED, content, http_chunk, serving

from aimlchat._payload.models import DEFAULT_MODEL
from aimlchat.errors import AuthenticationError


def text_of(frames, kind="text"):
    return "".join(frame["delta"] for frame in frames if frame["type"] == f"{kind}-delta")


# --- asking --------------------------------------------------------------------------------------


async def test_an_answer_comes_with_reasoning_usage_and_cost(visitor, emulator):
    emulator.reply("Blue.", reasoning="Light scatters.", cost=0.25)

    async with visitor.page() as page:
        await page.ask("Why?")
        frames = await page.rest()

    assert text_of(frames, "reasoning") == "Light scatters."
    assert text_of(frames) == "Blue."
    assert [frame["number"] for frame in frames] == sorted(frame["number"] for frame in frames)
    told = frames[-1]["messageMetadata"]
    assert told["usage"]["completionTokens"] > 0
    assert told["cost"]["usd"] == 0.25


async def test_the_turns_before_go_upstream_as_messages(visitor, emulator):
    turns = [("My name is Ada.", "Hello Ada."), ("And now?", ""), ("What is it?", "It is Ada.")]

    async with visitor.page() as page:
        await page.ask("Are you sure?", turns=turns, model="openai/gpt-4o")
        await page.rest()

    assert emulator.requests[0].body["messages"] == [
        {"role": "user", "content": "My name is Ada."},
        {"role": "assistant", "content": "Hello Ada."},
        {"role": "user", "content": "What is it?"},
        {"role": "assistant", "content": "It is Ada."},
        {"role": "user", "content": "Are you sure?"},
    ]


async def test_the_thinking_budget_goes_upstream(visitor, emulator):
    async with visitor.page() as page:
        await page.ask("Why?", thinking=4096)
        await page.rest()
        await page.ask("Why?")
        await page.rest()

    thoughtful, plain = (request.body for request in emulator.requests)
    assert thoughtful["thinking"] == {"type": "enabled", "budget_tokens": 4096}
    assert "thinking" not in plain


async def test_a_page_that_does_not_know_the_models_yet_asks_the_usual_one(visitor, emulator):
    async with visitor.page() as page:
        await page.ask("Why?", model=None)
        await page.rest()

    assert emulator.requests[0].body["model"] == DEFAULT_MODEL


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"thinking": 10}, "1024"),
        ({"thinking": 2048, "model": "openai/gpt-4o"}, "takes no thinking parameter"),
    ],
)
async def test_what_cannot_be_sent_is_said_and_the_page_can_go_on(visitor, emulator, wrong, said):
    async with visitor.page() as page:
        await page.ask("Why?", **wrong)
        code, error = await page.rest()
        assert code["data"]["code"] == "bad_request"
        assert said in error["errorText"]
        assert emulator.requests == []

        await page.ask("Why?")
        assert (await page.rest())[-1]["type"] == "finish"


@pytest.mark.parametrize(
    "nonsense",
    ["", "{", "[]", '{"type":"sing"}', '{"type":"ask"}', '{"type":"follow","name":"a","after":-1}'],
)
async def test_nonsense_is_an_error_and_the_page_can_go_on(visitor, nonsense):
    async with visitor.page() as page:
        await page.socket.send_str(nonsense)
        assert (await page.frame())["data"]["code"] == "unreadable"
        assert "Reload" in (await page.frame())["errorText"]

        await page.ask("Why?")
        assert (await page.rest())[-1]["type"] == "finish"


async def test_a_question_in_the_middle_of_an_answer_has_its_turn(visitor, emulator):
    emulator.reply("One.")
    emulator.reply("Two.")

    async with visitor.page() as page:
        await page.ask("First?")
        await page.ask("Second?")
        assert text_of(await page.rest()) == "One."
        assert text_of(await page.rest()) == "Two."


async def test_several_pages_have_each_their_conversation(visitor, stuck):
    stuck(("content", "Slow"))

    async with visitor.page() as slow, visitor.page() as quick:
        await slow.ask("Why?")
        await slow.until("text-delta")
        await quick.ask("Hello!", turns=[("Hi", "Hi.")])
        assert (await quick.rest())[-1]["type"] == "finish"


async def test_upstream_errors_reach_the_page_in_general_and_the_server_in_detail(visit, emulator):
    failures = []
    emulator.fail(status=401, message="Bad key.")

    async with visit(on_failure=failures.append) as visitor, visitor.page() as page:
        await page.ask("Why?")
        frames = await page.rest()

    assert frames[-2]["data"]["code"] == "authentication"
    assert "Bad key" not in json.dumps(frames)
    assert isinstance(failures[0], AuthenticationError)


# --- stopping and leaving ------------------------------------------------------------------------

# What the emulator says before it falls silent, and the frame by which a page knows that it did.
STAGES = {
    "before a token": ((), "start"),
    "thinking": ((("reasoning_content", "Hm."),), "reasoning-delta"),
    "answering": ((("content", "One"),), "text-delta"),
}
stages = pytest.mark.parametrize("stage", STAGES)


async def begun(page, emulator, frame="text-delta"):
    """Ask, and return the name of the answer once the emulator works on it and said a frame."""
    name = await page.ask("Why?")
    await page.until(frame)
    while not emulator.requests:  # noqa: ASYNC110 - the emulator offers no event for it
        await asyncio.sleep(0)
    return name


@stages
async def test_stop_closes_the_upstream_at_once(visitor, emulator, stuck, soon, stage):
    said, frame = STAGES[stage]
    stuck(*said)

    async with visitor.page() as page:
        await begun(page, emulator, frame)
        async with soon():
            await page.say(type="stop")
            assert (await page.rest())[-1]["type"] == "abort"
            await emulator.requests[0].finished()

        await page.say(type="stop")  # too late, for nothing
        await page.ask("And now?")
        assert (await page.rest())[-1]["type"] == "finish"

    assert emulator.requests[0].outcome == "left"


@stages
async def test_a_page_that_is_closed_closes_the_upstream_at_once(
    visitor, emulator, stuck, soon, stage
):
    said, frame = STAGES[stage]
    stuck(*said)
    async with visitor.get():
        pass

    async with visitor.page() as page:
        await begun(page, emulator, frame)
        async with soon():
            await page.leave()
            await emulator.requests[0].finished()

    assert emulator.requests[0].outcome == "left"


async def test_a_page_that_is_loaded_again_gets_all_of_its_answer(visitor, emulator, stuck):
    stuck(("reasoning_content", "Hm."), ("content", "One"))

    async with visitor.page() as page:
        name = await begun(page, emulator)
        async with visitor.get():  # a browser gets the new page before it gives up the old one
            pass
        await page.leave()

    async with visitor.page() as page:
        await page.say(type="follow", name=name, after=0)
        frames = [await page.until("start"), await page.frame(), await page.frame()]
        assert text_of(frames, "reasoning") == "Hm."
        await page.until("text-delta")
        await page.say(type="stop")
        await page.until("abort")

    assert len(emulator.requests) == 1


async def test_a_second_tab_of_the_same_answer_keeps_it(visitor, emulator, stuck):
    stuck(("content", "One"))

    async with visitor.page() as first, visitor.page() as second:
        name = await begun(first, emulator)
        await second.say(type="follow", name=name)
        await second.until("text-delta")
        await first.leave()
        assert emulator.requests[0].outcome is None
        await second.say(type="stop")
        await second.until("abort")


# --- a lost connection ---------------------------------------------------------------------------


async def test_a_page_that_lost_its_connection_goes_on_where_it_was(visit):
    more = asyncio.Event()

    async def think(reader, writer):
        writer.write(CHUNKED + http_chunk(content("One")))
        await more.wait()
        writer.write(http_chunk(content(" two", '"stop"') + b"data: [DONE]\n\n") + b"0\r\n\r\n")
        await writer.drain()
        await reader.read()

    async with serving(think) as upstream, visit(upstream.base_url) as visitor:
        async with visitor.page() as page:
            name = await page.ask("Why?")
            seen = await page.until("text-delta")
            page.lose()
        more.set()
        async with visitor.page() as page:
            await page.say(type="follow", name=name, after=seen["number"])
            frames = await page.rest()

    assert text_of(frames) == " two"
    assert [frames[0]["type"], frames[-1]["type"]] == ["text-delta", "finish"]
    assert upstream.connections == 1


async def test_asking_again_by_the_same_name_begins_nothing_new(visitor, emulator, stuck):
    stuck(("content", "One"))

    async with visitor.page() as page:
        name = await begun(page, emulator)
        page.lose()
    async with visitor.page() as page:
        await page.ask("Why?", name=name)
        assert (await page.until("text-delta"))["delta"] == "One"
        await page.say(type="stop")
        await page.until("abort")

    assert len(emulator.requests) == 1


async def test_after_the_time_of_grace_the_upstream_is_closed(visit, emulator, stuck, soon):
    stuck(("content", "One"))

    async with visit(grace=0.05) as visitor:
        async with visitor.page() as page:
            name = await begun(page, emulator)
            page.lose()
        async with soon():
            await emulator.requests[0].finished()
        async with visitor.page() as page:
            await page.say(type="follow", name=name)
            assert (await page.frame())["data"]["code"] == "gone"
            assert (await page.frame())["type"] == "error"

    assert emulator.requests[0].outcome == "left"


async def test_an_answer_that_nobody_knows_is_gone(visitor):
    async with visitor.page() as page:
        await page.say(type="follow", name="never-asked", after=3)
        assert (await page.frame())["data"]["code"] == "gone"


async def test_the_end_of_the_server_ends_the_answers_and_says_goodbye(visit, emulator, stuck):
    stuck(("content", "One"))

    async with visit() as visitor, visitor.page() as page:
        await begun(page, emulator)
        closing = asyncio.create_task(visitor.site.close())
        await page.socket.receive()
        assert page.socket.close_code == 1001
        await closing
    await emulator.requests[0].finished()
    assert emulator.requests[0].outcome == "left"


# --- the models, and the key ---------------------------------------------------------------------


async def test_the_models_for_chat_are_offered_and_whether_they_think(visitor):
    async with visitor.get("models") as response:
        offer = await response.json()

    thinks = {model["id"]: model["thinks"] for model in offer["models"]}
    assert thinks["anthropic/claude-3.7-sonnet"] is True
    assert thinks["openai/gpt-4o"] is False
    assert offer["usual"] == DEFAULT_MODEL
    assert offer["problem"] is None
    assert offer["emulator"] is False


async def test_the_list_is_asked_for_once_and_after_a_failure_again(visit, emulator):
    failures = []
    emulator.fail(status=500)

    async with visit(on_failure=failures.append, emulator=True) as visitor:
        async with visitor.get("models") as response:
            offer = await response.json()
            assert (offer["models"], offer["emulator"]) == ([], True)
            assert "cannot be had" in offer["problem"]
        for _ in range(2):
            async with visitor.get("models") as response:
                assert (await response.json())["models"]

    assert len(failures) == 1
    assert len(emulator.requests) == 2


async def test_the_key_is_in_nothing_that_the_page_gets(visitor, emulator, key):
    said = []
    for path in ("", "models", "nothing-here"):
        async with visitor.get(path) as response:
            said += [await response.text(), repr(response.headers)]
    emulator.fail(status=401, message=f"Your key {key} is wrong.")
    async with visitor.page() as page:
        for question in ("Why?", "Why not?"):
            await page.ask(question)
            said.append(repr(await page.rest()))

    assert emulator.requests[-1].headers["Authorization"] == f"Bearer {key}"
    assert not [text for text in said if key in text]

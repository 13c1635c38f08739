"""The calls of tools of earlier turns, as the page sends them back."""

import pytest

from aimlchat import Tool

MODEL = "openai/gpt-4o"


def get_time() -> str:
    """Tell the time."""
    return "noon"


def build_call(name="get_time", **fields):
    part = {"type": "dynamic-tool", "toolName": name, "toolCallId": "a-call", "input": {}}
    return part | {"state": "output-available", "output": "noon"} | fields


def build_turn(*parts, answer="It is noon."):
    steps = [part for content in parts for part in ({"type": "step-start"}, content)]
    return {"question": "When?", "answer": answer, "message": {"parts": steps}}


ANSWERED = build_turn(build_call(), {"type": "text", "text": "It is noon."})


@pytest.fixture
def ask(open_browser, emulator):
    """Ask with earlier turns, and return the last frame and the messages of the request."""

    async def ask(*turns, tools=(get_time,), **fields):
        tools = [Tool.from_function(tool) for tool in tools]
        message = {"type": "ask", "answer_id": "a", "model": MODEL, "question": "Why?"}
        async with open_browser(tools=tools) as browser, browser.open_page() as page:
            await page.send(**message, turns=turns, **fields)
            last_frame = (await page.read_to_end())[-1]
        return last_frame, emulator.requests[-1].body["messages"] if emulator.requests else []

    return ask


def roles_of(messages):
    return [message["role"] for message in messages]


async def test_a_turn_goes_back_with_its_calls_and_results(ask):
    _, messages = await ask(ANSWERED)

    assert roles_of(messages) == ["user", "assistant", "tool", "assistant", "user"]
    _, calling, result, answer, _ = messages
    assert calling["tool_calls"][0]["function"] == {"name": "get_time", "arguments": "{}"}
    assert (result["tool_call_id"], result["content"]) == ("a-call", "noon")
    assert answer["content"] == "It is noon."


async def test_a_turn_without_a_text_goes_back_if_it_has_a_result(ask):
    no_result = build_turn(build_call(state="input-available"), answer="")

    _, messages = await ask(build_turn(build_call(), answer=""), no_result)

    assert roles_of(messages) == ["user", "assistant", "tool", "user"]


async def test_the_calls_of_all_turns_have_ids_of_their_own(ask):
    _, messages = await ask(ANSWERED, ANSWERED)

    ids = [message["tool_call_id"] for message in messages if message["role"] == "tool"]
    assert len(set(ids)) == 2


async def test_the_calls_of_a_cut_answer_go_back(ask):
    cut = {"answer": "It is", "last_words": "is"} | {
        "message": build_turn(build_call(), {"type": "text", "text": "It is"})["message"]
    }

    _, messages = await ask(cut=cut)

    assert roles_of(messages) == ["user", "assistant", "tool", "assistant", "user"]
    assert messages[-2]["content"] == "It is"


async def test_without_tools_only_the_texts_go_back(ask):
    _, messages = await ask(ANSWERED, tools=())

    assert roles_of(messages) == ["user", "assistant", "user"]
    assert messages[1]["content"] == "It is noon."


@pytest.mark.parametrize(
    "message",
    [{}, {"parts": 5}, {"parts": [{"type": "dynamic-tool"} | {"state": "output-available"}]}],
)
async def test_a_message_that_is_none_is_refused_with_its_place(ask, message):
    turn = {"question": "When?", "answer": "", "message": message}

    last_frame, messages = await ask(turn)

    assert last_frame["type"] == "error"
    assert "cannot be sent" in last_frame["errorText"]
    assert messages == []

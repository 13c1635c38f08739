"""Calls of tools on the page, and their results."""

import base64
import json
import threading

import pytest

from aimlchat import Image, Tool

# Of one pixel.
PICTURE = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


def get_weather(city: str) -> dict:
    """Return the weather of a city."""
    return {"city": city, "celsius": 21}


def find_map(city: str) -> dict:
    """Find the map of a city."""
    msg = f"no map of {city}"
    raise LookupError(msg)


def draw() -> Image:
    """Draw a picture."""
    return Image.from_bytes(PICTURE)


gate = threading.Event()


def now() -> str:
    """Tell the time, once the test says so."""
    gate.wait(60)
    return "noon"


@pytest.fixture
def chat(open_chat, serve_api, aimlchat_emulator):
    gate.clear()
    tools = [Tool.from_function(function) for function in (get_weather, find_map, draw, now)]
    return open_chat(serve_api(aimlchat_emulator.base_url, tools=tools))


@pytest.fixture
def answered(chat, aimlchat_emulator):
    """The page with an answer that took one call that succeeded, and one that failed."""
    calls = [("get_weather", {"city": "Ulm"}), ("find_map", {"city": "Ulm"})]
    aimlchat_emulator.reply("Let me see.", reasoning="Hm.", tool_calls=calls, cost=0.001)
    aimlchat_emulator.reply("It is warm.", cost=0.002)
    chat.ask("Ulm?")
    chat.wait_for_state("done")
    return chat


def test_each_call_is_shown_with_its_arguments_and_its_result(answered):
    assert answered.texts(".call > summary") == ["get_weather is done", "find_map has failed"]
    answered.run_script("for (const call of document.querySelectorAll('.call')) call.open = true")
    weather, found = answered.texts(".call-output")
    assert json.loads(answered.texts(".call-input")[0]) == {"city": "Ulm"}
    assert json.loads(weather) == {"city": "Ulm", "celsius": 21}
    assert found == "LookupError: no map of Ulm"


def test_the_texts_of_both_rounds_are_one_answer(answered):
    assert answered.texts(".answer p") == ["Let me see.", "It is warm."]


def test_the_summary_counts_all_rounds(answered):
    assert "$0.003 " in answered.texts(".turn-summary")[0]


def test_the_calls_are_there_after_a_reload(answered):
    answered.open()
    assert answered.texts(".call > summary") == ["get_weather is done", "find_map has failed"]


def test_a_picture_in_a_result_is_shown(chat, aimlchat_emulator):
    aimlchat_emulator.reply(reasoning="Hm.", tool_calls=[("draw", {})])
    aimlchat_emulator.reply("Here it is.")
    chat.ask("A picture?")
    chat.wait_for_state("done")
    chat.find(".call > summary").click()

    picture = chat.find(".call-pictures img")
    chat.wait_until(lambda: picture.get_property("naturalWidth") == 1)
    assert picture.is_displayed()
    assert picture.get_property("alt") == "Picture in the result of draw"
    assert chat.console_messages() == []


def test_a_summary_does_not_mention_that_there_was_no_reasoning(answered):
    assert (
        answered.run_script(
            "return formatUsage({ outputTokens: 5, outputTokenDetails: { reasoningTokens: 0 } })"
        )
        == "5 out"
    )


@pytest.fixture
def ask_next(chat, aimlchat_emulator):
    """Ask another question, and return the messages of its request."""

    def ask_next():
        aimlchat_emulator.reply("Yes.")
        chat.ask("Really?")
        chat.wait_for_answer("Yes.")
        chat.wait_for_state("done")
        return aimlchat_emulator.requests[-1].body["messages"]

    return ask_next


@pytest.fixture
def with_gpt(chat):
    """The page with a model whose requests have OpenAI's form."""
    chat.choose_model("openai/gpt-4o")
    return chat


def test_what_claude_has_signed_goes_back_with_its_calls(answered, ask_next):
    answered.open()

    messages = ask_next()

    assert [message["role"] for message in messages] == ["user", "assistant"] * 2 + ["user"]
    thinking, text, *calls = messages[1]["content"]
    assert (thinking["thinking"], text["text"]) == ("Hm.", "Let me see.")
    assert thinking["signature"]
    results = messages[2]["content"]
    assert [result["tool_use_id"] for result in results] == [call["id"] for call in calls]
    assert "It is warm." in str(messages[3]["content"])


def test_a_turn_of_claude_that_was_stopped_behind_its_calls_can_be_gone_on_with(
    chat, ask_next, aimlchat_emulator
):
    aimlchat_emulator.reply(reasoning="Hm.", tool_calls=[("get_weather", {"city": "Ulm"})])
    aimlchat_emulator.reply("It is warm.", pace=3600)
    chat.ask("Ulm?")
    chat.wait_until(lambda: chat.texts(".call > summary") == ["get_weather is done"])
    chat.find("#stop").click()
    chat.wait_for_state("stopped")

    assert "21" in str(ask_next())


@pytest.mark.parametrize("is_reloaded", [False, True])
def test_the_next_question_goes_with_the_calls_and_their_results(
    with_gpt, answered, ask_next, is_reloaded
):
    if is_reloaded:
        answered.open()

    question, calling, *results, answer, last = ask_next()

    assert (question["content"], last["content"]) == ("Ulm?", "Really?")
    assert calling["content"] == "Let me see."
    calls = [(call["id"], call["function"]) for call in calling["tool_calls"]]
    assert [function["name"] for _, function in calls] == ["get_weather", "find_map"]
    assert [json.loads(function["arguments"]) for _, function in calls] == [{"city": "Ulm"}] * 2
    assert [result["tool_call_id"] for result in results] == [call_id for call_id, _ in calls]
    assert json.loads(results[0]["content"]) == {"city": "Ulm", "celsius": 21}
    assert results[1]["content"].endswith("LookupError: no map of Ulm")
    assert answer == {"role": "assistant", "content": "It is warm."}


def test_a_call_that_is_stopped_while_it_runs_goes_back_with_an_error(
    with_gpt, chat, ask_next, aimlchat_emulator
):
    aimlchat_emulator.reply("Let me see.", tool_calls=[("now", {})])
    chat.ask("When?")
    chat.wait_until(lambda: chat.texts(".call > summary") == ["now runs"])
    chat.find("#stop").click()
    chat.wait_for_state("stopped")
    gate.set()

    messages = ask_next()

    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "user"]
    assert messages[1]["tool_calls"][0]["function"]["name"] == "now"
    assert "stopped" in messages[2]["content"]


def test_a_call_without_arguments_is_shown_while_it_runs(with_gpt, chat, aimlchat_emulator):
    aimlchat_emulator.reply(tool_calls=[("now", {})])
    aimlchat_emulator.reply("It is noon.")
    chat.ask("When?")
    chat.wait_until(lambda: chat.texts(".call > summary") == ["now runs"])

    gate.set()

    chat.wait_for_answer("It is noon.")
    assert chat.texts(".call > summary") == ["now is done"]


def test_the_rest_of_an_answer_with_calls_is_asked_for_with_them(
    with_gpt, chat, aimlchat_emulator, ask_next
):
    aimlchat_emulator.reply("One.", tool_calls=[("get_weather", {"city": "Ulm"})])
    aimlchat_emulator.reply("It is very", finish_reason="length")
    aimlchat_emulator.reply("It is very warm.", tool_calls=[("get_weather", {"city": "Jena"})])
    aimlchat_emulator.reply("Jena is too.")
    chat.ask("Ulm?")
    chat.wait_for_state("done")

    chat.find(".continue").click()
    chat.wait_for_answer("One.\nIt is very warm.\nJena is too.")
    chat.wait_for_state("done")

    def outline(messages):
        return [
            (message["role"][:4], message["content"], len(message.get("tool_calls") or ()))
            for message in messages
            if message["role"] != "tool"
        ]

    rest = aimlchat_emulator.requests[-2].body["messages"]
    assert outline(rest)[:3] == [
        ("user", "Ulm?", 0),
        ("assi", "One.", 1),
        ("assi", "It is very", 0),
    ]
    assert outline(ask_next())[:4] == [
        ("user", "Ulm?", 0),
        ("assi", "One.", 1),
        ("assi", "It is very warm.", 1),
        ("assi", "Jena is too.", 0),
    ]


def test_the_saved_chat_has_the_calls(answered):
    markdown = answered.run_script("return exportMarkdown(turns.map(t => t.data), new Date())")
    saved = json.loads(answered.run_script("return exportJson(turns.map(t => t.data), new Date())"))
    assert "LookupError: no map of Ulm" in markdown
    assert [call["name"] for call in saved["turns"][0]["calls"]] == ["get_weather", "find_map"]

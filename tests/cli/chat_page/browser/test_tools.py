"""Calls of tools on the page, and their results."""

import json

import pytest

from aimlchat import Tool


def get_weather(city: str) -> dict:
    """Return the weather of a city."""
    return {"city": city, "celsius": 21}


def find_map(city: str) -> dict:
    """Find the map of a city."""
    msg = f"no map of {city}"
    raise LookupError(msg)


@pytest.fixture
def chat(open_chat, serve_api, aimlchat_emulator):
    tools = [Tool.from_function(get_weather), Tool.from_function(find_map)]
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


def test_the_next_question_goes_without_the_calls(answered, aimlchat_emulator):
    aimlchat_emulator.reply("Yes.")
    answered.ask("Really?")
    answered.wait_until(lambda: answered.states()[-1:] == ["done"])
    messages = aimlchat_emulator.requests[-1].body["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "user"]


def test_the_saved_chat_has_the_calls(answered):
    markdown = answered.run_script("return exportMarkdown(turns.map(t => t.data), new Date())")
    saved = json.loads(answered.run_script("return exportJson(turns.map(t => t.data), new Date())"))
    assert "LookupError: no map of Ulm" in markdown
    assert [call["name"] for call in saved["turns"][0]["calls"]] == ["get_weather", "find_map"]

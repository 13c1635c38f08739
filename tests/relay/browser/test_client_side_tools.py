"""A tool that the page executes: `onToolCall`, `addToolOutput`, `sendAutomaticallyWhen`."""

import json

import pytest


@pytest.fixture
def chat(page):
    page.open(api="/plain", id="c")
    return page


def stay_quiet(chat, posts):
    """Wait long enough for one more post, which would be the beginning of an endless loop."""
    chat.driver.execute_async_script("setTimeout(arguments[0], 300)")
    return len(posts)


def test_one_call_makes_two_posts_and_one_turn(chat, service, aimlchat_emulator):
    aimlchat_emulator.reply("Let me look.", tool_calls=[("weather", {"city": "Ulm"})])
    aimlchat_emulator.reply("It is 21 degrees.")

    chat.send("Ulm?")
    chat.wait_for_end(2)

    assert stay_quiet(chat, service.posts) == 2
    assert [message["role"] for message in chat.messages()] == ["user", "assistant"]
    before, call, after = chat.parts()
    assert (before["text"], after["text"]) == ("Let me look.", "It is 21 degrees.")
    assert call["type"] == "tool-weather"
    assert (call["state"], call["output"]) == ("output-available", {"city": "Ulm", "celsius": 21})
    assert chat.texts("assistant") == ["".join(chat.texts("assistant"))]  # one article
    _, turn, result = aimlchat_emulator.requests[-1].body["messages"]
    assert turn["content"] == "Let me look."
    assert turn["tool_calls"][0]["id"] == result["tool_call_id"] == call["toolCallId"]
    assert json.loads(result["content"]) == {"city": "Ulm", "celsius": 21}


def test_two_calls_of_one_round_are_answered_together(chat, service, aimlchat_emulator):
    calls = [("weather", {"city": "Ulm"}), ("weather", {"city": "Jena"})]
    aimlchat_emulator.reply(tool_calls=calls)
    aimlchat_emulator.reply("Both are warm.")

    chat.send("Where?")
    chat.wait_for_end(2)

    assert stay_quiet(chat, service.posts) == 2
    assert [part["type"] for part in chat.parts()] == ["tool-weather", "tool-weather", "text"]
    assert [part["output"]["city"] for part in chat.parts()[:2]] == ["Ulm", "Jena"]


def test_a_second_round_of_calls_makes_a_third_post(chat, service, aimlchat_emulator):
    aimlchat_emulator.reply(tool_calls=[("weather", {"city": "Ulm"})])
    aimlchat_emulator.reply(tool_calls=[("weather", {"city": "Jena"})])
    aimlchat_emulator.reply("Both are warm.")

    chat.send("Where?")
    chat.wait_for_end(3)

    assert stay_quiet(chat, service.posts) == 3
    assert [part["type"] for part in chat.parts()] == ["tool-weather", "tool-weather", "text"]
    assert len(aimlchat_emulator.requests[-1].body["messages"]) == 5


# Some servers give a call no id, others give the first call of every response the same one.
@pytest.mark.parametrize("wire_id", [None, "call_0"])
def test_calls_of_several_turns_are_told_apart(chat, service, aimlchat_emulator, wire_id):
    for city in ("Ulm", "Jena"):
        aimlchat_emulator.reply(events=call_with_id(wire_id, city))
        aimlchat_emulator.reply(f"{city} is warm.")

    chat.send("Ulm?")
    chat.wait_for_end(2)
    chat.send("Jena?")
    chat.wait_for_end(4)

    assert stay_quiet(chat, service.posts) == 4
    assert chat.texts() == ["Ulm?", "Ulm is warm.", "Jena?", "Jena is warm."]
    assert [chat.parts(index)[0]["output"]["city"] for index in (1, 3)] == ["Ulm", "Jena"]


def test_a_call_whose_arguments_were_cut_is_not_executed(chat, service, aimlchat_emulator):
    aimlchat_emulator.reply(tool_calls=[("weather", '{"city": "Ul')], finish_reason="length")

    chat.ask("Ulm?")

    assert chat.get("log.calls") == []
    assert chat.parts()[0]["state"] == "output-error"


def call_with_id(wire_id, city):
    call = {"index": 0, "function": {"name": "weather", "arguments": json.dumps({"city": city})}}
    if wire_id:
        call["id"] = wire_id
    choices = [
        {"index": 0, "delta": {"tool_calls": [call]}},
        {"index": 0, "delta": {}, "finish_reason": "tool_calls"},
    ]
    return [*({"id": "c", "choices": [choice]} for choice in choices), "[DONE]"]

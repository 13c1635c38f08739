"""`request_from_ui`: parts that only some pages post, and texts that no model could be sent."""

import json

import pytest
from posted_messages import assistant, call, messages_of, text, user

from aimlchat import InvalidRequestError
from aimlchat.relay import request_from_ui


def test_what_the_user_said_while_a_turn_ran_stays_where_it_was_said():
    said = {"type": "steering-message", "id": "s", "parts": [text("In German, please.")]}
    turn = assistant(
        {"type": "step-start"},
        text("Let me see."),
        call("output-available", output="Found."),
        said,
        {"type": "step-start"},
        text("Gefunden."),
    )
    _, called, result, steering, answer = messages_of(user(text("Find")), turn)

    assert called["tool_calls"][0]["id"] == result["tool_call_id"] == "c1"
    assert steering == {"role": "user", "content": "In German, please."}
    assert answer == {"role": "assistant", "content": "Gefunden."}


def test_a_malformed_part_of_what_was_said_is_named():
    said = {"type": "steering-message", "id": "s", "parts": [text("a"), "b"]}
    with pytest.raises(InvalidRequestError) as caught:
        request_from_ui([assistant(text("Hm."), said)])
    assert caught.value.field == "messages[0].parts[1].parts[1]"


@pytest.mark.parametrize("state", ["approval-responded", "output-denied"])
def test_the_reason_for_which_a_call_was_refused_goes_back(state):
    part = call(state, approval={"id": "a", "approved": False, "reason": "Too costly."})
    assert "Too costly." in messages_of(user(text("Find")), assistant(part))[-1]["content"]


@pytest.mark.parametrize("reason", [None, "", " ", 5])
def test_a_call_that_was_refused_without_a_reason_is_told_to_be_denied(reason):
    part = call("output-denied", approval={"id": "a", "approved": False, "reason": reason})
    content = messages_of(user(text("Find")), assistant(part))[-1]["content"]
    assert content.endswith("The user has denied this call.")


def test_half_an_emoji_is_replaced_wherever_it_is_posted():
    half = "\ud83d"
    system = {"id": "s", "role": "system", "parts": [text(half)]}
    turn = assistant(
        text(half),
        call("output-available", output=half),
        call("output-available", toolCallId="c2", output={half: half}, input={half: half}),
        call("output-error", toolCallId="c3" + half, errorText=half),
        call("output-available", toolCallId="c4", output=[text(half)], input=half),
    )
    payload = messages_of(system, user(text("cut " + half)), turn)

    sent = json.dumps(payload, ensure_ascii=False)
    sent.encode()
    assert payload[1]["content"] == "cut \ufffd"
    assert sent.count("\ufffd") == 13


@pytest.mark.parametrize("media_type", ["application/pdf", "audio/mpeg", "text/plain"])
def test_a_file_that_no_model_downloads_is_refused_with_its_place(media_type):
    part = {"type": "file", "mediaType": media_type, "url": "https://a.example/file"}
    with pytest.raises(InvalidRequestError, match="as a data: URL") as caught:
        request_from_ui([user(text("Read this"), part)])
    assert caught.value.field == "messages[0].parts[1].url"

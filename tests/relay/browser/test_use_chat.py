"""`useChat` of both versions of the AI SDK shows what the relay sends."""

import base64
import json
import time

import pytest


@pytest.fixture
def chat(page):
    page.open(api="/plain", id="c")
    return page


def test_an_answer_is_shown_as_it_was_sent(chat, aimlchat_emulator):
    aimlchat_emulator.reply("Light\nscatters. \N{SUNRISE} <b>")

    chat.ask("Why?")

    assert [message["role"] for message in chat.messages()] == ["user", "assistant"]
    assert chat.texts() == ["Why?", "Light\nscatters. \N{SUNRISE} <b>"]
    assert chat.parts()[0]["state"] == "done"
    assert chat.get("log.errors") == []


def test_reasoning_is_a_part_of_its_own(chat, aimlchat_emulator):
    aimlchat_emulator.reply("It scatters.", reasoning="Think of light.")

    chat.ask("Why?")

    assert [(part["type"], part["text"]) for part in chat.parts()] == [
        ("reasoning", "Think of light."),
        ("text", "It scatters."),
    ]


def test_usage_and_cost_are_metadata_of_the_message(chat, aimlchat_emulator):
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    aimlchat_emulator.reply("One", usage=usage, cost=0.004)

    chat.ask("Go")

    metadata = chat.messages()[-1]["metadata"]
    assert metadata["finishReason"] == "stop"
    assert metadata["usage"]["inputTokens"] == 3
    assert metadata["usage"]["outputTokens"] == 4
    assert metadata["cost"]["usd"] == 0.004
    assert chat.get("log.ends")[0]["finishReason"] == "stop"


def test_the_status_of_a_refused_post_is_an_error(chat, service):
    chat.ask("", files=[{"type": "file", "mediaType": "video/mp4", "url": "data:video/mp4,x"}])

    assert chat.get("chat.status") == "error"
    assert "video/mp4" in chat.get("chat.error.message")


def test_an_error_before_the_first_delta_is_a_sentence_and_a_code(chat, aimlchat_emulator):
    aimlchat_emulator.fail(status=429, retry_after=3)

    chat.ask("Go")

    sentence = "There are too many requests right now. Try again in a while."
    assert chat.get("chat.error.message") == sentence
    assert chat.get("log.data")[0]["data"] == {"code": "rate_limit", "retryAfter": 3}
    assert chat.get("chat.status") == "error"


def test_an_error_in_the_middle_leaves_the_text_and_the_chat_can_go_on(chat, aimlchat_emulator):
    aimlchat_emulator.reply(events=[event("One"), event(" two")])
    aimlchat_emulator.reply("Again")

    chat.ask("Go")
    shown = chat.texts()
    error = chat.get("chat.error.message")
    chat.call("chat.regenerate()")
    chat.wait_for_end(2)

    assert shown == ["Go", "One two"]
    assert error == "The answer was cut off before its end. Try again."
    assert chat.texts() == ["Go", "Again"]
    assert chat.get("chat.error ?? null") is None


def test_stop_closes_the_upstream_connection(chat, aimlchat_emulator):
    aimlchat_emulator.reply(events=[event("One"), "never"], pace=3600)
    chat.send("Go")
    chat.wait_for_text("One")

    chat.call("chat.stop()")
    chat.wait_for_end()
    started = time.monotonic()
    chat.wait_until(lambda: aimlchat_emulator.requests[-1].outcome)

    assert aimlchat_emulator.requests[-1].outcome == "left"
    assert time.monotonic() - started < 2
    assert chat.texts() == ["Go", "One"]
    assert chat.get("log.ends")[0]["isAbort"] is True


def test_a_page_that_is_closed_closes_the_upstream_connection(page, aimlchat_emulator):
    page.driver.switch_to.new_window("tab")
    page.open(api="/plain", id="c")
    aimlchat_emulator.reply(events=[event("One"), "never"], pace=3600)
    page.send("Go")
    page.wait_for_text("One")

    # Not by going to another page: the browser keeps this one running for a while, to go back.
    page.driver.close()
    page.driver.switch_to.window(page.driver.window_handles[0])
    page.wait_until(lambda: aimlchat_emulator.requests[-1].outcome)

    assert aimlchat_emulator.requests[-1].outcome == "left"


def test_a_picture_is_sent_to_the_model(chat, aimlchat_emulator, png):
    aimlchat_emulator.reply("A pixel")
    url = f"data:image/png;base64,{base64.b64encode(png).decode()}"

    chat.ask("What is it?", files=[{"type": "file", "mediaType": "image/png", "url": url}])

    picture, text = aimlchat_emulator.requests[0].body["messages"][-1]["content"]
    assert picture["image_url"]["url"] == url
    assert text["text"] == "What is it?"
    assert chat.texts() == ["What is it?", "A pixel"]


def test_regenerate_replaces_the_answer(chat, service, aimlchat_emulator):
    aimlchat_emulator.reply("One")
    aimlchat_emulator.reply("Two")

    chat.ask("Go")
    chat.call("chat.regenerate()")
    chat.wait_for_end(2)

    assert chat.texts() == ["Go", "Two"]
    sent = [request.body["messages"] for request in aimlchat_emulator.requests]
    assert sent[0] == sent[1]
    assert service.posts[1]["trigger"] == "regenerate-message"


def test_the_message_has_the_id_that_the_service_gives(chat, service, aimlchat_emulator):
    service.options["message_id"] = "our-id"
    aimlchat_emulator.reply("One")

    chat.ask("Go")

    assert chat.messages()[-1]["id"] == "our-id"
    assert chat.texts() == ["Go", "One"]


def test_several_turns_are_sent_back_without_their_reasoning(chat, aimlchat_emulator):
    for answer in ("One", "Two", "Three"):
        aimlchat_emulator.reply(answer, reasoning="Hm.")

    for count, question in enumerate("abc", 1):
        chat.send(question)
        chat.wait_for_end(count)

    assert chat.texts() == ["a", "One", "b", "Two", "c", "Three"]
    assert [turn["content"] for turn in aimlchat_emulator.requests[-1].body["messages"]] == [
        *["a", "One", "b", "Two", "c"]
    ]
    assert len({message["id"] for message in chat.messages()}) == 6


def test_data_parts_of_the_service_are_parts_of_the_message(chat, service, aimlchat_emulator):
    async def progress():
        yield {"type": "data-progress", "id": "p", "data": {"done": 1}}
        yield {"type": "data-note", "data": "hidden", "transient": True}
        yield {"type": "data-progress", "id": "p", "data": {"done": 2}}
        yield {"type": "source-url", "sourceId": "s", "url": "https://example.com", "title": "T"}
        yield {"type": "message-metadata", "messageMetadata": {"createdAt": 5}}

    service.options["extra"] = progress()
    aimlchat_emulator.reply("One", pace=0.05)

    chat.ask("Go")

    data, source, text = chat.parts()
    assert data == {"type": "data-progress", "id": "p", "data": {"done": 2}}
    assert source["url"] == "https://example.com"
    assert text["text"] == "One"
    assert [part["type"] for part in chat.get("log.data")] == [
        *["data-progress", "data-note", "data-progress"]
    ]
    metadata = chat.messages()[-1]["metadata"]
    assert (metadata["createdAt"], metadata["finishReason"]) == (5, "stop")


def event(text):
    return (
        b"data: %b\n\n"
        % json.dumps({"id": "c", "choices": [{"index": 0, "delta": {"content": text}}]}).encode()
    )

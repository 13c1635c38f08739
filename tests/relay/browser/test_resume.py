"""Answers that go on without their page: `resume: true` after a reload, and the stop route."""

import pytest

CHUNKS = ["One ", "two ", "three ", "four"]


@pytest.fixture
def chat(page):
    page.open(api="/chat", id="c", resume="")
    return page


def test_a_page_that_is_reloaded_resumes_the_answer(chat, service, aimlchat_emulator):
    aimlchat_emulator.reply(chunks=CHUNKS, reasoning="Hm.", pace=0.08)
    chat.send("Count")
    chat.wait_until(lambda: chat.texts()[-1].startswith("One"))

    chat.reload()
    chat.wait_for_end()

    assert service.resumed
    assert chat.texts() == ["Count", "One two three four"]
    assert [part["type"] for part in chat.parts()] == ["reasoning", "text"]
    assert chat.messages()[-1]["metadata"]["finishReason"] == "stop"
    assert len(aimlchat_emulator.requests) == len(service.posts) == 1
    assert aimlchat_emulator.requests[0].outcome == "done"


def test_a_page_that_is_shown_again_resumes_an_answer_whose_connection_was_lost(
    chat, service, aimlchat_emulator
):
    service.cut_at = b"two"
    aimlchat_emulator.reply(chunks=CHUNKS, pace=0.05)
    chat.send("Count")
    chat.wait_for_end()
    assert chat.get("log.ends")[0]["isDisconnect"] is True
    assert chat.texts()[-1].startswith("One two")

    chat.call("document.dispatchEvent(new Event('visibilitychange'))")
    chat.wait_for_text("One two three four")
    chat.wait_for_end(2)

    assert chat.texts() == ["Count", "One two three four"]
    assert service.resumed == 1
    assert len(aimlchat_emulator.requests) == 1


def test_an_answer_that_ended_during_the_reload_is_shown(chat, service, aimlchat_emulator):
    aimlchat_emulator.reply(chunks=CHUNKS, pace=0.05)
    chat.send("Count")
    chat.wait_until(lambda: chat.texts()[-1].startswith("One"))
    url = chat.driver.current_url

    chat.driver.get("data:text/html,elsewhere")
    chat.wait_until(lambda: aimlchat_emulator.requests[-1].outcome == "done")
    chat.driver.get(url)
    chat.wait_for_text("One two three four")

    assert chat.texts() == ["Count", "One two three four"]


def test_an_answer_that_is_over_leaves_the_page_ready(chat, service, aimlchat_emulator):
    chat.driver.execute_script(
        "sessionStorage.setItem('c', JSON.stringify({ messages: [{ id: 'q', role: 'user',"
        " parts: [{ type: 'text', text: 'Count' }] }], isOpen: true }))"
    )

    chat.reload()
    chat.wait_until(lambda: service.resumed)
    chat.wait_until(lambda: chat.get("chat.status") == "ready")

    assert chat.texts() == ["Count"]
    assert chat.get("log.errors") == []


def test_the_stop_route_stops_the_answer_that_stop_alone_does_not(chat, aimlchat_emulator):
    aimlchat_emulator.reply(chunks=["One", *" two" * 1000], pace=0.05)
    chat.send("Count")
    chat.wait_until(lambda: chat.texts()[-1].startswith("One"))
    (request,) = aimlchat_emulator.requests

    chat.call("chat.stop()")
    chat.wait_for_end()
    assert request.outcome is None
    chat.call("fetch('/chat/c/stop', { method: 'POST' })")
    chat.wait_until(lambda: request.outcome)

    assert request.outcome == "left"


def test_a_page_that_resumed_an_answer_can_stop_it(chat, aimlchat_emulator):
    aimlchat_emulator.reply(chunks=["One", *" two" * 1000], pace=0.05)
    chat.send("Count")
    chat.wait_until(lambda: chat.texts()[-1].startswith("One"))
    chat.reload()
    chat.wait_until(lambda: chat.texts()[-1].startswith("One"))

    chat.call("fetch('/chat/c/stop', { method: 'POST' })")
    chat.wait_for_end()
    chat.wait_until(lambda: aimlchat_emulator.requests[0].outcome)

    assert aimlchat_emulator.requests[0].outcome == "left"
    assert len(chat.messages()) == 2
    assert chat.get("chat.status") == "ready"


def test_a_new_question_after_a_stop_gets_its_own_answer(chat, aimlchat_emulator):
    aimlchat_emulator.reply(chunks=["One", *" two" * 1000], pace=0.05)
    aimlchat_emulator.reply("Three")
    chat.send("Count")
    chat.wait_until(lambda: chat.texts()[-1].startswith("One"))
    chat.call("chat.stop()")
    chat.wait_for_end()

    chat.send("And?")
    chat.wait_for_end(2)

    assert chat.texts()[-2:] == ["And?", "Three"]
    assert aimlchat_emulator.requests[0].outcome == "left"

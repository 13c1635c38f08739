"""A page that is loaded again, leaves, or loses its connection."""

import signal

import pytest
from selenium.webdriver.common.keys import Keys


def test_a_reload_keeps_the_conversation_and_the_draft(chat, aimlchat_emulator):
    aimlchat_emulator.reply("It **scatters**.", reasoning="Light.")
    aimlchat_emulator.reply("Red.")
    chat.ask("Why?")
    chat.is_("done")
    before = chat.one(".turn").text
    chat.type("And at sun")

    chat.driver.refresh()

    chat.until(lambda: chat.texts(".turn") == [before])
    chat.type("set?", Keys.ENTER)
    chat.answers("Red.")
    assert chat.texts(".question") == ["Why?", "And at sunset?"]
    assert len(aimlchat_emulator.requests[-1].body["messages"]) == 3


def test_a_reload_in_the_middle_of_an_answer_goes_on_with_it(chat, aimlchat_emulator, think):
    think("One two", "Let me think.")
    chat.ask("Why?")
    chat.is_("answering")
    before = chat.until(lambda: chat.one(".answer").text)

    chat.driver.refresh()

    chat.is_("answering")
    chat.answers(before)
    assert chat.one("summary").text.startswith("Thought")
    posts = [request for request in aimlchat_emulator.requests if request.method == "POST"]
    assert [request.outcome for request in posts] == [None]
    chat.type(Keys.ESCAPE)
    chat.is_("stopped")


@pytest.mark.parametrize("how", ["closed", "sent elsewhere"])
def test_a_tab_that_leaves_closes_the_upstream(chat, outcome, think, how):
    think()
    home = chat.driver.current_window_handle
    chat.driver.switch_to.new_window("tab")
    try:
        chat.open()
        chat.ask("Why?")
        chat.is_("answering")
        chat.driver.close() if how == "closed" else chat.driver.get("about:blank")
        assert outcome() == "left"
    finally:
        if how != "closed":
            chat.driver.close()
        chat.driver.switch_to.window(home)


def test_a_lost_connection_loses_no_text(open_chat, cable, start, aimlchat_emulator):
    start()
    chat = open_chat(cable.url)
    whole = " ".join(str(number) for number in range(300))
    aimlchat_emulator.reply(whole, pace=0.01)

    chat.ask("Count.")
    chat.until(lambda: "20" in chat.one(".answer").text.split())
    cable.cut()
    chat.until(lambda: chat.one("#line").is_displayed())
    assert chat.states() == ["answering"]
    cable.mend()
    chat.until(lambda: not chat.one("#line").is_displayed())
    chat.answers(whole)

    assert len([one for one in aimlchat_emulator.requests if one.method == "POST"]) == 1


def test_a_server_that_was_started_anew_leaves_the_page_with_what_it_had(
    open_chat, cable, start, think
):
    think()
    command = start()
    chat = open_chat(cable.url)
    chat.ask("Why?")
    chat.is_("answering")
    before = chat.until(lambda: chat.one(".answer").text)
    command.end(signal.SIGTERM)
    start()

    chat.is_("failed")
    assert "started anew" in chat.one(".problem").text
    assert chat.one(".answer").text == before
    chat.ask("And now?")
    chat.is_("done")

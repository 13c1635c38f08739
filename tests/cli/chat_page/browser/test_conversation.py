"""Questions and answers, by mouse and keyboard."""

import pytest
from selenium.webdriver.common.keys import Keys

# Records what the page shows at each change of its elements.
RECORD_CHANGES = """
window.changes = [];
new MutationObserver(() => changes.push({
  open: document.querySelector('.reasoning').open,
  reasoning: document.querySelector('.reasoning .prose').textContent.length,
  answer: document.querySelector('.answer').textContent.length,
})).observe(document.getElementById('turns'), {subtree: true, childList: true, attributes: true});
"""


def test_an_answer_of_the_emulator_is_shown_with_its_reasoning_and_its_summary(open_chat, serve):
    chat = open_chat(serve("--emulator").url)
    assert chat.find("#emulator").is_displayed()

    chat.ask("Why is the sky blue?")
    chat.wait_for_state("done")

    assert "Rayleigh scattering" in chat.texts(".answer strong")
    assert chat.texts(".answer li")
    assert chat.find("summary").text.startswith("Thought")
    chat.find("summary").click()
    assert "scatters light" in chat.find(".reasoning .prose").text
    summary = chat.find(".turn-summary").text
    assert all(word in summary for word in ("claude", "tokens in", "out", "$0.00", " s"))
    assert chat.console_messages() == []


def test_the_reasoning_is_open_while_it_grows_and_closed_while_the_answer_grows(
    open_chat, serve_api, stepwise_upstream
):
    chat = open_chat(serve_api(stepwise_upstream.base_url))
    chat.run_script(RECORD_CHANGES)
    chat.ask("Why?")

    for kind, selector in (("reasoning_content", ".reasoning .prose"), ("content", ".answer")):
        for count in range(1, 7):
            stepwise_upstream.send(kind, "word ")
            text = "word " * count
            chat.wait_until(
                lambda selector=selector, text=text: (
                    chat.find(selector).get_attribute("textContent").strip() == text.strip()
                )
            )
    stepwise_upstream.finish()
    chat.wait_for_state("done")

    changes = chat.run_script("return changes")
    thinking = [change for change in changes if change["reasoning"] and not change["answer"]]
    answering = [change for change in changes if change["answer"]]
    assert len({change["reasoning"] for change in thinking if change["open"]}) == 6
    assert len({change["answer"] for change in answering if not change["open"]}) == 6
    assert not [change for change in answering if change["open"]]


def test_earlier_turns_are_sent_with_each_question(chat, aimlchat_emulator):
    for answer in ("Hello Ada.", "You are Ada."):
        aimlchat_emulator.reply(answer)

    chat.ask("I am Ada.")
    chat.wait_for_state("done")
    chat.ask("Who am I?")
    chat.wait_for_answer("You are Ada.")

    assert chat.texts(".question") == ["I am Ada.", "Who am I?"]
    messages = [
        (message["role"], message["content"])
        for message in aimlchat_emulator.requests[-1].body["messages"]
    ]
    assert [role for role, _ in messages] == ["user", "assistant", "user"]
    assert "Hello Ada." in str(messages[1])


def test_the_page_follows_the_answer_until_the_user_scrolls_up(chat, reply_and_hang):
    def distance_to_end():
        return chat.run_script(
            "return document.documentElement.scrollHeight - innerHeight - scrollY"
        )

    reply_and_hang("A paragraph.\n\n" * 80)
    chat.ask("Why?")
    chat.wait_until(lambda: "A paragraph." in chat.find(".answer").text)
    chat.wait_until(lambda: distance_to_end() < 1)
    assert not chat.find("#latest").is_displayed()

    chat.run_script("scrollBy(0, -500)")
    chat.wait_until(lambda: chat.find("#latest").is_displayed())
    assert distance_to_end() > 400
    chat.find("#latest").click()
    chat.wait_until(lambda: distance_to_end() < 1)
    assert chat.focused_id() == "question"
    assert not chat.find("#latest").is_displayed()


def test_enter_sends_and_shift_enter_starts_a_new_line(chat, aimlchat_emulator):
    aimlchat_emulator.reply("Yes.")

    chat.type("One", Keys.SHIFT + Keys.ENTER, Keys.NULL, "two")
    assert chat.states() == []
    height = chat.find("#question").size["height"]
    chat.type(Keys.ENTER)
    chat.wait_for_answer("Yes.")

    assert chat.texts(".question") == ["One\ntwo"]
    assert chat.find("#question").get_attribute("value") == ""
    assert chat.find("#question").size["height"] < height
    assert chat.focused_id() == "question"


@pytest.mark.parametrize("how", ["Escape", "button"])
@pytest.mark.parametrize("reasoning", ["", "Let me think."], ids=["answering", "thinking"])
def test_stop_keeps_the_text_and_closes_the_upstream_connection(
    chat, wait_for_outcome, reply_and_hang, how, reasoning
):
    reply_and_hang("" if reasoning else "One two", reasoning)
    chat.ask("Why?")
    chat.wait_for_state("thinking" if reasoning else "answering")

    if how == "Escape":
        chat.type(Keys.ESCAPE)
    else:
        chat.find("#stop").click()
    chat.wait_for_state("stopped")

    assert wait_for_outcome() == "left"
    assert chat.find("footer").text.startswith("Stopped.")
    assert chat.focused_id() == "question"
    assert chat.find("#send").is_displayed()
    # Reasoning without an answer stays open.
    assert chat.find(".reasoning .prose").is_displayed() == bool(reasoning)


def test_a_new_chat_during_an_answer_closes_the_upstream_connection(
    chat, wait_for_outcome, aimlchat_emulator, reply_and_hang
):
    reply_and_hang()
    aimlchat_emulator.reply("Afresh.")
    chat.ask("Why?")
    chat.wait_for_state("answering")

    chat.find("#new").click()
    assert chat.states() == []
    assert wait_for_outcome() == "left"
    chat.ask("And now?")
    chat.wait_for_answer("Afresh.")

    assert len(aimlchat_emulator.requests[-1].body["messages"]) == 1

"""Asking and being answered, by mouse and keyboard."""

import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

WATCH = """
window.seen = [];
new MutationObserver(() => seen.push({
  open: document.querySelector('.reasoning').open,
  reasoning: document.querySelector('.reasoning .prose').textContent.length,
  answer: document.querySelector('.answer').textContent.length,
})).observe(document.getElementById('turns'), {subtree: true, childList: true, attributes: true});
"""


def test_reasoning_grows_in_an_open_fold_which_closes_when_the_answer_grows(open_chat, serve):
    chat = open_chat(serve("--emulator").url)
    assert chat.one("#emulator").is_displayed()
    chat.js(WATCH)

    chat.ask("Why is the sky blue?")
    chat.is_("done")

    seen = chat.js("return seen")
    thinking = [moment for moment in seen if moment["reasoning"] and not moment["answer"]]
    answering = [moment for moment in seen if moment["answer"]]
    assert len({moment["reasoning"] for moment in thinking if moment["open"]}) > 5
    assert len({moment["answer"] for moment in answering if not moment["open"]}) > 5
    assert not [moment for moment in answering if moment["open"]]
    assert "Rayleigh scattering" in chat.texts(".answer strong")
    assert chat.texts(".answer li")
    assert chat.one("summary").text.startswith("Thought")
    chat.one("summary").click()
    assert "scatters light" in chat.one(".reasoning .prose").text
    facts = chat.one(".facts").text
    assert all(word in facts for word in ("claude", "tokens in", "out", "$0.00", " s"))
    assert chat.complaints() == []


def test_several_turns_go_upstream_as_one_conversation(chat, aimlchat_emulator):
    for answer in ("Hello Ada.", "You are Ada."):
        aimlchat_emulator.reply(answer)

    chat.ask("I am Ada.")
    chat.is_("done")
    chat.ask("Who am I?")
    chat.answers("You are Ada.")

    assert chat.texts(".question") == ["I am Ada.", "Who am I?"]
    said = [
        (message["role"], message["content"])
        for message in aimlchat_emulator.requests[-1].body["messages"]
    ]
    assert [role for role, _ in said] == ["user", "assistant", "user"]
    assert "Hello Ada." in str(said[1])


def test_the_page_follows_the_answer_until_its_reader_scrolls_up(chat, think):
    def below():
        return chat.js("return document.documentElement.scrollHeight - innerHeight - scrollY")

    think("A paragraph.\n\n" * 80)
    chat.ask("Why?")
    chat.until(lambda: "A paragraph." in chat.one(".answer").text)
    chat.until(lambda: below() < 1)
    assert not chat.one("#latest").is_displayed()

    chat.js("scrollBy(0, -500)")
    chat.until(lambda: chat.one("#latest").is_displayed())
    assert below() > 400
    chat.one("#latest").click()
    chat.until(lambda: below() < 1)
    assert chat.focus() == "question"
    assert not chat.one("#latest").is_displayed()


def test_model_and_thinking_budget_are_chosen_and_stay_chosen(chat, aimlchat_emulator):
    model, thinking = Select(chat.one("#model")), Select(chat.one("#thinking"))
    assert "deepseek/deepseek-r1" in [option.text for option in model.options]
    assert thinking.first_selected_option.text == "Think 2k tokens"
    thinking.select_by_value("4096")
    chat.ask("Why?")
    chat.is_("done")
    model.select_by_visible_text("openai/gpt-4o")
    assert not chat.one("#thinking").is_enabled()
    chat.ask("Why?")
    chat.until(lambda: chat.states() == ["done", "done"])

    posts = [request.body for request in aimlchat_emulator.requests if request.method == "POST"]
    assert posts[0]["thinking"]["budget_tokens"] == 4096
    assert posts[1]["model"] == "openai/gpt-4o"
    assert "thinking" not in posts[1]

    chat.driver.refresh()
    chat.until(lambda: chat.one("#model").get_attribute("value") == "openai/gpt-4o")
    assert chat.one("#thinking").get_attribute("value") == "4096"


def test_a_failure_is_said_and_can_be_tried_again(chat, aimlchat_emulator):
    aimlchat_emulator.fail(status=401, message="Something with a key.")
    aimlchat_emulator.reply("Now it works.")

    chat.ask("Why?")
    chat.is_("failed")
    assert "cannot sign in" in chat.one(".problem").text
    assert "Something with a key" not in chat.driver.page_source
    chat.one(".again").click()
    chat.answers("Now it works.")

    assert chat.texts(".question") == ["Why?"]
    assert chat.focus() == "question"


def test_enter_sends_shift_enter_does_not_and_the_focus_stays(chat, aimlchat_emulator):
    aimlchat_emulator.reply("Yes.")

    chat.type("One", Keys.SHIFT + Keys.ENTER, Keys.NULL, "two")
    assert chat.states() == []
    height = chat.one("#question").size["height"]
    chat.type(Keys.ENTER)
    chat.answers("Yes.")

    assert chat.texts(".question") == ["One\ntwo"]
    assert chat.one("#question").get_attribute("value") == ""
    assert chat.one("#question").size["height"] < height
    assert chat.focus() == "question"


@pytest.mark.parametrize("how", ["Escape", "the button"])
@pytest.mark.parametrize("reasoning", ["", "Let me think."], ids=["answering", "thinking"])
def test_stop_keeps_what_came_and_closes_the_upstream(chat, outcome, think, how, reasoning):
    think("" if reasoning else "One two", reasoning)
    chat.ask("Why?")
    chat.is_("thinking" if reasoning else "answering")

    if how == "Escape":
        chat.type(Keys.ESCAPE)
    else:
        chat.one("#stop").click()
    chat.is_("stopped")

    assert outcome() == "left"
    assert chat.one("footer").text.startswith("Stopped.")
    assert chat.focus() == "question"
    assert chat.one("#send").is_displayed()
    # Thoughts that led to no answer are all there is: they stay in view.
    assert chat.one(".reasoning .prose").is_displayed() == bool(reasoning)


def test_a_new_chat_in_the_middle_of_an_answer_closes_the_upstream(
    chat, outcome, aimlchat_emulator, think
):
    think()
    aimlchat_emulator.reply("Afresh.")
    chat.ask("Why?")
    chat.is_("answering")

    chat.one("#new").click()
    assert chat.states() == []
    assert outcome() == "left"
    chat.ask("And now?")
    chat.answers("Afresh.")

    assert len(aimlchat_emulator.requests[-1].body["messages"]) == 1

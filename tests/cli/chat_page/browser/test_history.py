"""Other questions and other answers: edit, regenerate, continue, and undo."""

import json

import pytest
from selenium.webdriver.common.keys import Keys


@pytest.fixture
def ask(chat, aimlchat_emulator):
    """Ask a question, and wait for an answer that the emulator gives to it."""

    def ask(question, answer, **reply):
        aimlchat_emulator.reply(answer, **reply)
        chat.ask(question)
        chat.wait_for_state("done")
        chat.wait_for_answer(answer)

    return ask


@pytest.fixture
def messages(aimlchat_emulator):
    """Return the texts of the messages of the last request."""

    def messages():
        sent = aimlchat_emulator.requests[-1].body["messages"]
        contents = [message["content"] for message in sent]
        return [c if isinstance(c, str) else "".join(part["text"] for part in c) for c in contents]

    return messages


def edit(chat, index, text):
    button = chat.find_all(".edit")[index]
    chat.run_script("arguments[0].click()", button)
    chat.find(".edit-form textarea").send_keys(Keys.CONTROL, "a", Keys.NULL, text)


def test_an_edited_question_replaces_its_turn_and_those_behind_it(
    chat, ask, messages, aimlchat_emulator
):
    for number in ("One", "Two", "Three"):
        ask(f"{number}?", f"{number}.")
    aimlchat_emulator.reply("Zwei.")

    edit(chat, 1, ["Auf", Keys.SHIFT + Keys.ENTER, Keys.NULL, "Deutsch?", Keys.ENTER])
    chat.wait_for_answer("Zwei.")
    chat.wait_for_state("done")

    assert chat.texts(".question") == ["One?", "Auf\nDeutsch?"]
    assert messages() == ["One?", "One.", "Auf\nDeutsch?"]
    assert "The turn after it is gone" in chat.find("#undo-notice").text
    chat.find("#undo-notice .action").click()
    assert chat.texts(".answer") == ["One.", "Two.", "Three."]
    assert chat.find("#undo-notice .action").is_displayed()
    chat.find("#undo-notice .action").click()
    assert chat.texts(".answer") == ["One.", "Zwei."]


def test_a_canceled_edit_changes_nothing(chat, ask, messages, aimlchat_emulator):
    ask("One?", "One.")

    edit(chat, 0, "Other?")
    chat.find(".edit-form textarea").send_keys(Keys.ESCAPE)

    assert chat.texts(".question") == ["One?"]
    assert not chat.find_all(".edit-form")
    assert chat.run_script("return document.activeElement.className") == "secondary edit"
    edit(chat, 0, "Other?")
    chat.find(".edit-form .cancel").click()
    assert chat.texts(".question") == ["One?"]
    assert len([r for r in aimlchat_emulator.requests if r.method == "POST"]) == 1


def test_the_old_answer_stays_within_reach_of_a_regenerated_one(
    chat, ask, messages, aimlchat_emulator
):
    ask("Hello?", "Hello.")
    ask("Why?", "First.", reasoning="Hm.")
    aimlchat_emulator.reply("Second.")

    chat.find_all(".regenerate")[1].click()
    chat.wait_for_answer("Second.")
    chat.wait_for_state("done")

    assert chat.texts(".question") == ["Hello?", "Why?"]
    assert messages() == ["Hello?", "Hello.", "Why?"]
    assert chat.texts(".version")[1] == "2/2"
    assert not chat.find_all(".reasoning")[1].is_displayed()
    chat.find_all(".earlier")[1].click()
    assert chat.texts(".answer")[1] == "First."
    assert chat.texts(".version")[1] == "1/2"
    assert chat.find_all(".reasoning")[1].is_displayed()

    chat.driver.refresh()
    chat.wait_until(lambda: chat.texts(".answer")[1:] == ["First."])
    assert chat.texts(".version")[1] == "1/2"
    ask("And?", "Third.")
    assert messages() == ["Hello?", "Hello.", "Why?", "First.", "And?"]
    chat.find_all(".later")[1].click()
    assert chat.texts(".answer") == ["Hello.", "Second.", "Third."]
    assert not chat.find_all(".regenerate")[1].is_displayed()


def test_an_answer_that_was_cut_by_its_token_limit_goes_on_in_its_turn(
    chat, ask, messages, aimlchat_emulator
):
    ask("Why?", "Because light scat", finish_reason="length", reasoning="Hm.")
    assert "cut off" in chat.find("footer").text
    before = chat.find(".turn-summary").text
    aimlchat_emulator.reply("Because light scatters in the air.", reasoning="Right.")

    chat.find(".continue").click()
    chat.wait_for_answer("Because light scatters in the air.")
    chat.wait_for_state("done")

    assert len(chat.states()) == 1
    question, answer, wish = messages()
    assert (question, answer) == ("Why?", "Because light scat")
    assert wish.endswith("\n\nBecause light scat")
    assert not chat.find(".continue").is_displayed()
    assert chat.find(".turn-summary").text != before
    chat.find("summary").click()
    assert chat.texts(".reasoning .blocks > div") == ["Hm.", "Right."]
    ask("And?", "So.")
    assert messages() == ["Why?", "Because light scatters in the air.", "And?"]


def test_a_stopped_answer_goes_on_even_after_a_reload(
    chat, reply_and_hang, aimlchat_emulator, messages
):
    reply_and_hang("One two")
    chat.ask("Count.")
    chat.wait_for_state("answering")
    chat.wait_for_answer("One two")
    chat.type(Keys.ESCAPE)
    chat.wait_for_state("stopped")
    reply_and_hang("One two three")
    chat.find(".continue").click()
    chat.wait_for_answer("One two three")

    chat.driver.refresh()
    chat.wait_for_answer("One two three")
    chat.type(Keys.ESCAPE)
    chat.wait_for_state("stopped")
    aimlchat_emulator.reply(" four")
    chat.find(".continue").click()
    chat.wait_for_state("done")

    assert chat.texts(".answer") == ["One two three four"]
    assert messages()[1] == "One two three"


def test_an_answer_goes_on_after_an_error(chat, aimlchat_emulator):
    chunk = {"id": "c", "choices": [{"index": 0, "delta": {"content": "One two three"}}]}
    aimlchat_emulator.reply(events=[b"data: %b\n\n" % json.dumps(chunk).encode()])
    chat.ask("Count.")
    chat.wait_for_state("failed")
    assert chat.texts(".answer") == ["One two three"]
    aimlchat_emulator.reply("One two three four.")

    chat.find(".continue").click()

    chat.wait_for_answer("One two three four.")


def test_the_box_of_an_edited_question_looks_like_that_of_a_new_one(chat, ask):
    ask("One?", "One.")
    chat.find(".edit").click()

    styles = chat.run_script("""
        return [...document.querySelectorAll('.box textarea')].map(box => {
          const {borderStyle, backgroundColor, resize} = getComputedStyle(box);
          const space = box.parentElement.clientWidth - box.offsetWidth;
          return [borderStyle, backgroundColor, resize, space];
        });
    """)

    assert styles[0] == styles[1] == ["none", "rgba(0, 0, 0, 0)", "none", 0]


JOINS = [
    ("One two", "One two three", "One two three"),
    ("One two ", "One two three", "One two three"),
    ("One two", " three", "One two three"),
    ("One two", "One", "One two"),
    ("One two three", "two three four", "One two three four"),
    ("The light scat", "scatters", "The light scatters"),
    ("One two", "\n\nOne two three", "One two three"),
    ("a\n\nIt is x", "It is xylophone", "a\n\nIt is xylophone"),
    ("It is " + "y" * 50, "y" * 40 + "z", "It is " + "y" * 50 + "z"),
    ("A " * 50 + "end", ("A " * 50)[-36:] + "end. So", "A " * 50 + "end. So"),
    ("def f():\n", "def f():\n    pass", "def f():\n    pass"),
]


def test_both_parts_of_an_answer_are_joined_without_a_seam(chat):
    join = "return joinRest(arguments[0], arguments[1])"

    for before, addition, whole in JOINS:
        assert chat.run_script(join, before, addition) == whole


def test_undo_brings_a_chat_back_with_the_text_of_its_running_answer(
    chat, ask, wait_for_outcome, reply_and_hang
):
    ask("One?", "One.")
    reply_and_hang("Two and")
    chat.ask("Two?")
    chat.wait_for_answer("Two and")

    chat.find("#new").click()
    assert chat.states() == []
    assert wait_for_outcome() == "left"
    chat.driver.refresh()
    chat.wait_until(lambda: chat.find("#undo-notice .action").is_displayed())
    chat.find("#undo-notice .action").click()

    assert chat.states() == ["done", "stopped"]
    assert chat.texts(".answer") == ["One.", "Two and"]
    assert chat.find_all(".continue")[1].is_displayed()
    assert not chat.find("#undo-notice").is_displayed()
    assert chat.focused_id() == "question"


def test_the_next_question_ends_the_offer_to_undo(chat, ask):
    ask("One?", "One.")
    chat.find("#new").click()
    assert chat.find("#undo-notice").is_displayed()

    ask("Two?", "Two.")

    assert not chat.find("#undo-notice").is_displayed()

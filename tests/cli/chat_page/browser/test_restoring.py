"""What a reload brings back, and a storage that is damaged, full or denied."""

import json

import pytest

KEY = "aimlchat.conversation"
DENY = """
for (const name of ['localStorage', 'sessionStorage']) {
  Object.defineProperty(window, name, {
    get() { throw new DOMException('Denied.', 'SecurityError'); },
  });
}
"""
NO_ROOM = """
Storage.prototype.setItem = () => { throw new DOMException('No room.', 'QuotaExceededError'); };
"""
FILL = """
let filler = '';
for (let size = 2 ** 23; size >= 1; size /= 2) {
  try {
    sessionStorage.setItem('filler', filler + 'x'.repeat(size));
    filler += 'x'.repeat(size);
  } catch { /* it is too much */ }
}
"""


@pytest.fixture
def run_first(driver):
    """Run a script in each page before the page's own."""
    ids = []

    def run_first(source):
        command = "Page.addScriptToEvaluateOnNewDocument"
        ids.append(driver.execute_cdp_cmd(command, {"source": source})["identifier"])

    yield run_first
    for identifier in ids:
        command = "Page.removeScriptToEvaluateOnNewDocument"
        driver.execute_cdp_cmd(command, {"identifier": identifier})


@pytest.fixture
def three_turns(chat, aimlchat_emulator):
    """A chat with three answered questions."""
    for number in ("One", "Two", "Three"):
        aimlchat_emulator.reply(f"{number}.")
        chat.ask(f"{number}?")
        chat.wait_for_answer(f"{number}.")
        chat.wait_for_state("done")
    return chat


def read_stored(chat, key=KEY):
    return json.loads(chat.run_script("return sessionStorage.getItem(arguments[0])", key) or "null")


def damage(chat, change):
    """Reload the page with a stored conversation that a function has changed."""
    stored = read_stored(chat)
    change(stored)
    # The page would store its own conversation again when it is left.
    chat.driver.get("about:blank")
    chat.driver.get(chat.url + "models")
    chat.run_script("sessionStorage.setItem(arguments[0], arguments[1])", KEY, json.dumps(stored))
    chat.open()
    return stored


ANSWERED = {
    "question": "Two?",
    "answer": "Two.",
    "reasoning": "",
    "answerId": "a",
    "state": "done",
}
DAMAGES = {
    "null": None,
    "a text": "Two?",
    "no answer": {"question": "Two?"},
    "wrong types": {"question": "Two?", "answer": ["Two."], "reasoning": "", "answerId": "a"},
    "a state from the future": {
        "question": "Two?",
        "answer": "Two.",
        "reasoning": "",
        "answerId": "a",
        "state": "dreaming",
    },
    "another answer that is none": ANSWERED | {"otherAnswers": [None]},
    "other answers that are no list": ANSWERED | {"otherAnswers": 5},
    "calls that are none": ANSWERED | {"calls": [None]},
    "a time that is none": ANSWERED | {"startedAt": "now"},
}


def test_a_damaged_turn_takes_no_other_with_it_and_stays_stored(three_turns, aimlchat_emulator):
    chat = three_turns
    for turn in DAMAGES.values():
        stored = damage(chat, lambda stored, turn=turn: stored["turns"].__setitem__(1, turn))

        assert chat.states() == ["done", "failed", "done"]
        assert chat.texts(".answer")[::2] == ["One.", "Three."]
        assert "stays stored" in chat.find(".damaged .error").text
        assert read_stored(chat)["turns"] == stored["turns"]

    assert chat.texts(".answer")[1] == "Two."
    aimlchat_emulator.reply("Four.")
    chat.ask("Four?")
    chat.wait_for_answer("Four.")
    assert read_stored(chat)["turns"][:3] == stored["turns"]
    assert len(aimlchat_emulator.requests[-1].body["messages"]) == 7


@pytest.mark.parametrize(
    "change",
    [{"files": 5}, {"files": [None]}, {"undo": 5}, {"undo": {"turns": 5}}, {"draft": {}}],
    ids=str,
)
def test_a_damaged_draft_or_undo_takes_no_turn_with_it(three_turns, change, aimlchat_emulator):
    chat = three_turns
    damage(chat, lambda stored: stored.update(change))

    assert chat.texts(".answer") == ["One.", "Two.", "Three."]
    chat.run_script("document.getElementById('question').value = ''")
    aimlchat_emulator.reply("Four.")
    chat.ask("Four?")
    chat.wait_for_answer("Four.")
    chat.wait_until(lambda: len(read_stored(chat)["turns"]) == 4)


@pytest.mark.parametrize(
    "choices",
    [
        5,
        {"settings": None},
        {"settings": {"system": {}}},
        {"model": {}, "thinking": [1]},
    ],
    ids=str,
)
def test_damaged_choices_are_those_of_a_new_page(chat, choices, aimlchat_emulator):
    stored = json.dumps(choices)
    chat.run_script("localStorage.setItem('aimlchat.choices', arguments[0])", stored)
    try:
        chat.open()
        chat.ask("Why?")
        chat.wait_for_state("done")
    finally:
        chat.run_script("localStorage.clear()")

    body = aimlchat_emulator.requests[-1].body
    assert isinstance(body["model"], str)
    assert "object" not in json.dumps(body["messages"])


def test_a_turn_that_cannot_be_rendered_takes_no_other_with_it(three_turns, run_first):
    run_first(
        "Object.defineProperty(window, 'structuredClone', {value: data => {"
        "  if (data.answer === 'Two.') throw new RangeError('Too deep.');"
        "  return JSON.parse(JSON.stringify(data));"
        "}});"
    )
    before = read_stored(three_turns)["turns"]

    three_turns.open()

    assert three_turns.texts(".answer") == ["One.", "Two.", "Three."]
    assert three_turns.states() == ["done", "failed", "done"]
    assert read_stored(three_turns)["turns"] == before


def test_a_deeply_nested_answer_survives_a_reload_with_the_turns_behind_it(chat, aimlchat_emulator):
    aimlchat_emulator.reply("> " * 5000 + "deep")
    aimlchat_emulator.reply("Flat.")
    chat.ask("Deep?")
    chat.wait_for_state("done")
    chat.ask("Flat?")
    chat.wait_until(lambda: chat.states() == ["done", "done"])
    before = read_stored(chat)["turns"]
    assert len(before) == 2

    chat.open()

    assert "deep" in chat.find(".answer").get_attribute("textContent")
    assert chat.texts(".answer")[1] == "Flat."
    assert read_stored(chat)["turns"] == before


def test_a_conversation_that_is_no_json_is_set_aside(three_turns):
    chat = three_turns
    chat.driver.get(chat.url + "models")
    chat.run_script("sessionStorage.setItem(arguments[0], '{\"turns\": [')", KEY)

    chat.open()

    assert chat.states() == []
    assert "set aside" in chat.find("#storage-notice").text
    assert chat.run_script("return sessionStorage['aimlchat.unreadable']") == '{"turns": ['


def test_without_any_storage_the_page_works_and_says_so_once(chat, run_first, aimlchat_emulator):
    run_first(DENY)
    aimlchat_emulator.reply("Blue.")

    chat.open()

    assert chat.run_script("return models.length") > 1
    assert "store nothing" in chat.find("#storage-notice").text
    chat.find("#storage-notice .dismiss").click()
    chat.ask("Why?")
    chat.wait_for_answer("Blue.")
    chat.wait_for_state("done")
    assert not chat.find("#storage-notice").is_displayed()
    assert chat.console_messages() == []


def test_a_storage_without_room_counts_as_denied_when_it_is_empty(chat, run_first):
    chat.run_script(
        "sessionStorage.clear(); localStorage.clear(); Storage.prototype.setItem = null"
    )
    run_first(NO_ROOM)

    chat.open()

    assert "store nothing" in chat.find("#storage-notice").text


def test_a_full_storage_keeps_what_it_has_and_the_page_says_so(three_turns, aimlchat_emulator):
    chat = three_turns
    before = read_stored(chat)["turns"]
    assert not chat.find("#storage-notice").is_displayed()
    chat.run_script(FILL)
    aimlchat_emulator.reply("Four." * 1000)
    chat.ask("Four?")
    chat.wait_for_state("done")

    assert "too large" in chat.find("#storage-notice").text
    assert [turn["answer"] for turn in read_stored(chat)["turns"][:3]] == ["One.", "Two.", "Three."]
    assert read_stored(chat)["turns"][:3] == before
    chat.run_script("sessionStorage.removeItem('filler')")
    chat.find("#new").click()
    chat.find("#undo-notice .dismiss").click()
    assert not chat.find("#storage-notice").is_displayed()


def add_call(chat, size):
    """Let the answer that is shown last have a call with a result of some size."""
    chat.run_script(
        "turns.at(-1).data.calls = [{ id: 'c', name: 'draw', input: {}, state: 'done',"
        " output: [{ type: 'text', text: 'x'.repeat(arguments[0]) }] }]; saveConversation()",
        size,
    )


def test_large_results_of_tools_are_left_out_of_a_full_storage(three_turns, aimlchat_emulator):
    chat = three_turns
    add_call(chat, 3_000_000)
    assert not chat.find("#storage-notice").is_displayed()
    aimlchat_emulator.reply("Four.")
    chat.ask("Four?")
    chat.wait_for_state("done")
    add_call(chat, 3_000_000)

    assert "large results of tools" in chat.find("#storage-notice").text
    chat.open()
    assert chat.texts(".answer") == ["One.", "Two.", "Three.", "Four."]
    chat.run_script("for (const call of document.querySelectorAll('.call')) call.open = true")
    assert ["a reload has lost it" in text for text in chat.texts(".call-output")] == [True, True]
    assert not chat.find("#storage-notice").is_displayed()

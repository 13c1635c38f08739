"""The text field of a question: input methods, long texts, and both directions of writing."""

import pytest
from selenium.webdriver.common.keys import Keys

# Pastes into an element what is in the clipboard, and keeps the milliseconds until it is shown.
TIME_PASTE = """
const box = document.getElementById(arguments[0]);
box.value = '';
box.focus();
window.pasteTime = null;
let start;
box.addEventListener('beforeinput', () => { start = performance.now(); }, {once: true});
box.addEventListener('input', () => requestAnimationFrame(() => {
  const channel = new MessageChannel();
  channel.port1.onmessage = () => { window.pasteTime = performance.now() - start; };
  channel.port2.postMessage(0);
}), {once: true});
"""
COPY = """
const [text, count, done] = arguments;
navigator.clipboard.writeText(text.repeat(count)).then(() => done());
"""
ADD_BARE_FIELD = """
const bare = document.createElement('textarea');
bare.id = 'bare';
document.body.replaceChildren(bare);
"""
PASTE_KEY = {"type": "keyDown", "key": "v", "modifiers": 2, "commands": ["paste"]}


def time_paste(chat, element_id):
    chat.run_script(TIME_PASTE, element_id)
    chat.driver.execute_cdp_cmd("Input.dispatchKeyEvent", PASTE_KEY)
    return chat.wait_until(lambda: chat.run_script("return window.pasteTime"))


def test_pasting_a_megabyte_takes_at_most_twice_a_bare_text_field(chat):
    permissions = {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    chat.driver.execute_cdp_cmd("Browser.grantPermissions", permissions)
    chat.driver.execute_async_script(COPY, "word ", 200_000)

    page = min(time_paste(chat, "question") for _ in range(3))
    assert chat.run_script("return $('question').value.length") == 1_000_000
    chat.run_script(ADD_BARE_FIELD)
    bare = min(time_paste(chat, "bare") for _ in range(3))

    assert page < 2 * bare + 100  # it was 20 times as long


@pytest.mark.parametrize(
    "event",
    [
        {"key": "Enter", "isComposing": True},
        {"key": "Enter", "keyCode": 229},  # Safari, where the composition has ended by then
        {"key": "Process", "keyCode": 229},
    ],
)
def test_enter_in_an_input_method_sends_nothing(chat, event):
    chat.type("にほん")
    script = """
    const event = new KeyboardEvent('keydown', {...arguments[0], bubbles: true, cancelable: true});
    return $('question').dispatchEvent(event);
    """
    assert chat.run_script(script, event)  # and the input method gets the key
    assert chat.states() == []
    assert chat.find("#question").get_attribute("value") == "にほん"


@pytest.mark.parametrize(("text", "direction"), [("word ", "ltr"), ("שלום ", "rtl")])
def test_a_long_text_is_written_in_the_direction_of_its_first_letter(chat, text, direction):
    script = """
    $('question').value = arguments[0];
    $('question').dispatchEvent(new Event('input'));
    return $('question').dir;
    """
    assert chat.run_script(script, f"1. {text}" * 2000) == direction
    assert chat.run_script(script, text) == "auto"


def test_the_text_field_grows_with_the_text_up_to_a_limit(chat):
    heights = []
    for count in (1, 4, 500):
        chat.run_script("$('question').value = 'line\\n'.repeat(arguments[0])", count)
        heights.append(chat.find("#question").size["height"])
    assert heights[0] < heights[1] < heights[2] < 400
    chat.find("#question").clear()
    chat.type("x", Keys.BACKSPACE)
    assert chat.find("#question").size["height"] < heights[0]

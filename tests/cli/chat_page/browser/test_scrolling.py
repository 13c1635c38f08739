"""The page follows an answer to its end until the user scrolls up, by whatever means."""

import threading
import time

import pytest
from selenium.webdriver.common.keys import Keys

PHONE = {"width": 390, "height": 740, "deviceScaleFactor": 3, "mobile": True}
POSITION = """
const {scrollTop, scrollHeight} = document.scrollingElement;
return {top: scrollTop, distance: scrollHeight - scrollTop - innerHeight, length: scrollHeight};
"""

KEYS = [("ArrowUp", 38, 0), ("PageUp", 33, 0), ("Home", 36, 0), (" ", 32, 8)]
WAYS_UP = [
    "document.querySelector('.edit').focus()",  # as a screen reader does
    "find('Why?', true, true)",  # as "find in page" does
    "scrollBy(0, -4)",
]


class Typist:
    """Lets the upstream send a paragraph every few milliseconds, as a fast model does."""

    def __init__(self, upstream, kind="content") -> None:
        self.pause = 0.02
        self._upstream, self._kind = upstream, kind
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while not self._end.wait(self.pause):
            self._upstream.send(self._kind, "Some words of a paragraph.\n\n")

    def stop(self):
        self._end.set()
        self._thread.join()


@pytest.fixture
def growing(open_chat, serve_api, stepwise_upstream):
    """A page with an answer that grows and is longer than the window."""
    chat = open_chat(serve_api(stepwise_upstream.base_url))
    stepwise_upstream.send("content", "A first paragraph.\n\n" * 60)
    chat.ask("Why?")
    typist = chat.typist = Typist(stepwise_upstream)
    chat.wait_until(lambda: position(chat)["length"] > 3000 and is_at_end(chat))
    yield chat
    typist.stop()
    stepwise_upstream.finish()


@pytest.fixture
def phone(driver):
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    yield
    driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def position(chat):
    return chat.run_script(POSITION)


def is_at_end(chat):
    return position(chat)["distance"] < 2


def wait_for_growth(chat):
    length = position(chat)["length"]
    chat.wait_until(lambda: position(chat)["length"] > length + 100)


def find_resting_top(chat):
    """Return the position plus 1 once a smooth scroll has ended, else 0."""
    top = position(chat)["top"]
    time.sleep(0.1)
    return top + 1 if position(chat)["top"] == top else 0


def check_not_following(chat):
    """Check that the page stays where it is, however much the answer grows; return its top."""
    chat.wait_until(lambda: chat.find("#latest").is_displayed())
    wait_for_growth(chat)
    top = chat.wait_until(lambda: find_resting_top(chat)) - 1
    wait_for_growth(chat)
    assert position(chat)["top"] == top
    return top


def check_following(chat):
    chat.wait_until(lambda: not chat.find("#latest").is_displayed())
    wait_for_growth(chat)
    chat.wait_until(lambda: is_at_end(chat))


def dispatch(chat, kind, **event):
    chat.driver.execute_cdp_cmd(f"Input.dispatch{kind}Event", event)


def wheel(chat, *steps, y=300):
    for step in steps:
        dispatch(chat, "Mouse", type="mouseWheel", x=200, y=y, deltaX=0, deltaY=step)


def press_key(chat, key, code, modifiers=0):
    fields = {"key": key, "windowsVirtualKeyCode": code, "modifiers": modifiers}
    dispatch(chat, "Key", type="rawKeyDown", **fields)
    dispatch(chat, "Key", type="keyUp", **fields)


def drag(chat, step, count, x=150, y=300):
    """Drag a finger by `count` moves of `step` px each; positive steps scroll up."""
    dispatch(chat, "Touch", type="touchStart", touchPoints=[{"x": x, "y": y}])
    for number in range(1, count + 1):
        point = {"x": x, "y": y + number * step}
        dispatch(chat, "Touch", type="touchMove", touchPoints=[point])
        time.sleep(0.016)  # a finger is not faster than the frames of the screen
    dispatch(chat, "Touch", type="touchEnd", touchPoints=[])


def leave_focus(chat):
    chat.run_script("document.activeElement.blur()")


def follow_again(chat):
    chat.find("#latest").click()
    check_following(chat)


def test_a_drag_of_a_finger_ends_following(phone, growing):
    for step in (4, 9, 15):
        drag(growing, step, 12)
        check_not_following(growing)
        follow_again(growing)


def test_one_step_of_a_wheel_ends_following(growing):
    for step in (-1, -4, -40, -120):
        wheel(growing, step)
        check_not_following(growing)
        follow_again(growing)


def test_a_key_ends_following(growing):
    for name, code, modifiers in KEYS:
        leave_focus(growing)
        press_key(growing, name, code, modifiers)
        assert check_not_following(growing) < position(growing)["length"] - 800
        follow_again(growing)


def test_page_up_in_the_empty_composer_ends_following(growing):
    assert growing.focused_id() == "question"

    press_key(growing, "PageUp", 33)

    assert check_not_following(growing) < position(growing)["length"] - 1000


def test_a_jump_upward_without_an_input_event_ends_following(growing):
    growing.run_script("document.querySelector('.edit').disabled = false")
    for way in WAYS_UP:
        growing.run_script(way)
        check_not_following(growing)
        follow_again(growing)


def test_a_selection_that_is_dragged_beyond_the_top_ends_following(growing):
    mouse = {"x": 160, "button": "left"}

    def drag_upward():
        # Between two paragraphs no selection begins, and the text moves while it grows.
        dispatch(growing, "Mouse", type="mousePressed", y=300, clickCount=1, **mouse)
        for y in (200, 5, -20, -40, -41, -42):
            dispatch(growing, "Mouse", type="mouseMoved", y=y, buttons=1, **mouse)
        has_ended = growing.find("#latest").is_displayed()
        dispatch(growing, "Mouse", type="mouseReleased", y=-40, clickCount=1, **mouse)
        return has_ended

    growing.wait_until(drag_upward)
    check_not_following(growing)


def test_a_drag_beyond_the_end_changes_nothing_and_a_small_one_upward_counts(phone, growing):
    drag(growing, -20, 10, y=500)
    check_following(growing)

    drag(growing, 5, 5)

    check_not_following(growing)


def test_a_wheel_over_code_or_reasoning_scrolls_the_page_or_the_box(
    open_chat, serve_api, stepwise_upstream
):
    chat = open_chat(serve_api(stepwise_upstream.base_url))
    stepwise_upstream.send("reasoning_content", "A thought.\n\n" * 60)
    chat.ask("Why?")
    typist = Typist(stepwise_upstream, "reasoning_content")
    try:
        chat.wait_for_state("thinking")
        box = chat.find(".reasoning .prose")
        chat.wait_until(lambda: box.get_property("scrollTop") > 500)
        rectangle = box.rect
        dispatch(
            chat,
            "Mouse",
            type="mouseWheel",
            x=rectangle["x"] + 20,
            y=rectangle["y"] + 50,
            deltaX=0,
            deltaY=-4,
        )
        length = box.get_property("scrollHeight")
        chat.wait_until(lambda: box.get_property("scrollHeight") > length + 200)
        top = box.get_property("scrollTop")
        chat.wait_until(lambda: box.get_property("scrollHeight") > length + 400)
        assert box.get_property("scrollTop") == top
    finally:
        typist.stop()
        stepwise_upstream.finish()


def test_who_reaches_the_end_again_follows_again(growing):
    leave_focus(growing)
    growing.typist.pause = 0.1  # 50 paragraphs a second are faster than a wheel
    for way in ("wheel", "key", "button"):
        wheel(growing, -120)
        check_not_following(growing)
        if way == "wheel":
            growing.wait_until(lambda: wheel(growing, 100) or is_at_end(growing))
        elif way == "key":
            press_key(growing, "End", 35)
        else:
            growing.find("#latest").click()
        check_following(growing)


def test_a_finger_that_reaches_the_end_again_follows_again(phone, growing):
    drag(growing, 10, 6)
    check_not_following(growing)

    growing.typist.pause = 0.1  # 50 paragraphs a second are faster than a finger
    growing.wait_until(lambda: drag(growing, -60, 8, y=600) or is_at_end(growing))

    check_following(growing)


def test_a_composer_that_grows_and_shrinks_changes_nothing(growing):
    growing.type(*[Keys.SHIFT, Keys.ENTER] * 8, Keys.NULL)
    check_following(growing)
    wheel(growing, -20)
    top = check_not_following(growing)

    growing.run_script(
        "const box = document.getElementById('question');"
        "box.value = ''; box.dispatchEvent(new Event('input'))"
    )
    growing.type("x", *[Keys.SHIFT, Keys.ENTER] * 8, Keys.NULL)

    assert check_not_following(growing) == top


def test_a_page_that_is_zoomed_with_two_fingers_follows_and_can_be_scrolled(phone, growing):
    growing.driver.execute_cdp_cmd("Emulation.setPageScaleFactor", {"pageScaleFactor": 2})
    try:
        wait_for_growth(growing)
        assert not growing.find("#latest").is_displayed()

        drag(growing, 8, 12)

        check_not_following(growing)
    finally:
        growing.driver.execute_cdp_cmd("Emulation.setPageScaleFactor", {"pageScaleFactor": 1})


def test_an_answer_that_has_ended_can_be_scrolled_and_offers_no_button(chat, aimlchat_emulator):
    aimlchat_emulator.reply("A paragraph.\n\n" * 80)
    chat.ask("Why?")
    chat.wait_for_state("done")
    chat.wait_until(lambda: is_at_end(chat))

    wheel(chat, -200)

    chat.wait_until(lambda: not is_at_end(chat))
    assert not chat.find("#latest").is_displayed()

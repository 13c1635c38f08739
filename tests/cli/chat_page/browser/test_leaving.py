"""Tabs that are closed, reloaded, left or crash while an answer streams, and others that load."""

import contextlib
import threading
import time

import pytest
from selenium.common.exceptions import WebDriverException

# Seconds from the command that closes a tab to the end of its upstream connection. The server takes
# milliseconds, and a browser on a busy machine the rest. A page that the server would take for a
# reloaded one would cost five seconds, and one that has lost its connection a minute.
PROMPTLY = 2.0


@pytest.fixture
def open_answering_tab(chat, reply_and_hang):
    """Open another tab in which an answer streams; close all tabs but the first in the end."""
    first_tab = chat.driver.current_window_handle

    def open_answering_tab():
        reply_and_hang()
        chat.driver.switch_to.new_window("tab")
        chat.open()
        chat.ask("Why?")
        chat.wait_for_answer("One two")
        return chat.driver.current_window_handle

    yield open_answering_tab
    for tab in chat.driver.window_handles:
        if tab != first_tab:
            chat.driver.switch_to.window(tab)
            chat.driver.close()
    chat.driver.switch_to.window(first_tab)


def last_post(emulator):
    return [request for request in emulator.requests if request.method == "POST"][-1]


@pytest.fixture
def assert_left(chat, aimlchat_emulator):
    """Wait until the emulator's last answer was left, and check that it was left in time."""

    def assert_left(since):
        request = last_post(aimlchat_emulator)
        chat.wait_until(lambda: request.outcome)
        assert request.outcome == "left"
        assert time.monotonic() - since < PROMPTLY

    return assert_left


def crash(driver):
    # The driver reports the crash as an error of the command that causes it.
    with contextlib.suppress(WebDriverException):
        driver.execute_cdp_cmd("Page.crash", {})


@pytest.mark.parametrize(
    ("how", "other"),
    [
        ("by a program", "reloads"),
        ("by its button", "opens a third tab"),
        ("navigated away", "reloads"),
    ],
)
def test_a_closed_tab_ends_its_answer_while_another_tab(
    chat, open_answering_tab, assert_left, how, other
):
    driver = chat.driver
    first_tab = driver.current_window_handle
    tab = open_answering_tab()
    driver.switch_to.window(first_tab)
    load = "location.reload()" if other == "reloads" else "open(location.href)"
    chat.run_script(f"setTimeout(() => {load}, 30)")
    driver.switch_to.window(tab)

    since = time.monotonic()
    if how == "by a program":
        driver.close()
    elif how == "by its button":
        driver.execute_cdp_cmd("Page.close", {})
    else:
        driver.get("about:blank")
    assert_left(since)


def test_a_crash_of_its_tab_ends_the_answer(chat, open_answering_tab, assert_left):
    open_answering_tab()
    since = time.monotonic()
    crashing = threading.Thread(target=crash, args=[chat.driver])
    crashing.start()
    assert_left(since)
    crashing.join()


def test_a_reload_keeps_the_answer_while_other_tabs_close_and_load(
    chat, open_answering_tab, aimlchat_emulator
):
    driver = chat.driver
    first_tab = driver.current_window_handle
    tab = open_answering_tab()
    for _ in range(3):
        driver.switch_to.window(first_tab)
        chat.run_script("setTimeout(() => { open(location.href).close(); location.reload(); }, 20)")
        driver.switch_to.window(tab)
        driver.refresh()
        chat.wait_for_answer("One two")
    chat.open()  # the same address again is a reload, too
    chat.wait_for_answer("One two")

    assert last_post(aimlchat_emulator).outcome is None
    assert chat.states() == ["answering"]


def test_a_duplicated_tab_keeps_the_answer_until_it_is_closed_too(
    chat, open_answering_tab, assert_left, aimlchat_emulator
):
    driver = chat.driver
    tab = open_answering_tab()
    chat.run_script("open(location.href)")  # with a copy of the session storage
    driver.switch_to.window(next(reversed(driver.window_handles)))
    chat.wait_for_answer("One two")
    duplicate = driver.current_window_handle
    assert duplicate != tab

    driver.switch_to.window(tab)
    driver.close()
    driver.switch_to.window(duplicate)
    time.sleep(0.3)  # more than the server takes to end an answer
    assert last_post(aimlchat_emulator).outcome is None
    since = time.monotonic()
    driver.close()
    assert_left(since)


def test_a_page_that_is_visited_again_says_why_its_answer_is_stopped(
    chat, open_answering_tab, assert_left
):
    open_answering_tab()
    since = time.monotonic()
    chat.driver.get("about:blank")
    assert_left(since)
    chat.driver.back()

    chat.wait_for_state("stopped")
    assert chat.find(".answer").text == "One two"
    assert chat.find("footer").text.startswith("Stopped, because this page was left.")


def test_a_page_that_the_browser_keeps_for_the_back_button_ends_its_answer_meanwhile(
    chat, reply_and_hang, aimlchat_emulator, assert_left
):
    """Chromium keeps no page of `no-store`; other browsers send these events."""
    reply_and_hang()
    chat.ask("Why?")
    chat.wait_for_answer("One two")

    since = time.monotonic()
    chat.run_script("dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))")
    assert_left(since)
    assert chat.states() == ["answering"]
    chat.run_script("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    chat.wait_for_state("stopped")

    aimlchat_emulator.reply("Afresh.")
    chat.ask("And now?")
    chat.wait_for_answer("Afresh.")

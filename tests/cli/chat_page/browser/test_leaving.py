"""Tabs that are closed, reloaded, left or crash while an answer streams, and others that load."""

import contextlib
import threading
import time

import pytest
from selenium.common.exceptions import WebDriverException

# Seconds from the command that closes a tab to the end of its upstream connection. The server takes
# milliseconds; a browser on a busy machine takes the rest. A page that the server takes for a
# reloaded one costs five seconds.
PROMPTLY = 2.0
RELOAD_FOR_EVER = "setTimeout(() => location.reload(), 30)"


@pytest.fixture
def answering_tab(chat, reply_and_hang, aimlchat_emulator):
    """Open another tab in which an answer streams, and close what is open in the end."""
    first_tab = chat.driver.current_window_handle

    def answering_tab():
        reply_and_hang()
        chat.driver.switch_to.new_window("tab")
        chat.open()
        chat.ask("Why?")
        chat.wait_for_state("answering")
        return chat.driver.current_window_handle

    yield answering_tab
    for tab in chat.driver.window_handles:
        if tab != first_tab:
            chat.driver.switch_to.window(tab)
            chat.driver.close()
    chat.driver.switch_to.window(first_tab)


@pytest.fixture
def wait_until_left(chat, aimlchat_emulator):
    """Wait until the emulator's last response was left, and check that it was left in time."""

    def wait_until_left(since):
        request = aimlchat_emulator.requests[-1]
        chat.wait_until(lambda: request.outcome)
        assert request.outcome == "left"
        assert time.monotonic() - since < PROMPTLY

    return wait_until_left


def posts(emulator):
    return [request for request in emulator.requests if request.method == "POST"]


def crash(driver):
    # The driver reports the crash as an error of the command that causes it.
    with contextlib.suppress(WebDriverException):
        driver.execute_cdp_cmd("Page.crash", {})


@pytest.mark.parametrize("how", ["by a program", "by its button", "navigated away", "crashed"])
def test_a_closed_tab_ends_its_answer_while_another_tab_reloads(
    chat, answering_tab, wait_until_left, how
):
    driver = chat.driver
    first_tab = driver.current_window_handle
    tab = answering_tab()
    driver.switch_to.window(first_tab)
    driver.execute_script("setTimeout(() => location.reload(), 100)")
    driver.switch_to.window(tab)
    time.sleep(0.1)  # the other tab requests the page now, more or less

    since = time.monotonic()
    match how:
        case "by a program":
            driver.close()
        case "by its button":
            driver.execute_cdp_cmd("Page.close", {})
        case "navigated away":
            driver.get("about:blank")
        case "crashed":
            threading.Thread(target=crash, args=[driver], daemon=True).start()
    wait_until_left(since)

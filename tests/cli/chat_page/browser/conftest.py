"""The page in a real browser: Chromium, driven by Selenium, at a real ``aimlchat serve``."""

import contextlib
import os
import re
import shutil
import socket
import threading

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

PATIENCE = 30  # seconds; only a test that fails waits that long


def found(*names):
    """Return the path of a program; without it skip, but fail where nothing may be missing."""
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        reason = f"{names[0]} is not installed"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    return path


@pytest.fixture(scope="session")
def driver():
    options = webdriver.ChromeOptions()
    options.binary_location = found("chromium", "chromium-browser", "google-chrome")
    # In a container there is no sandbox to be had, nor much shared memory.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(found("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    driver.set_window_size(1000, 800)
    yield driver
    driver.quit()


class Chat:
    """The chat page, as somebody who sits in front of it."""

    def __init__(self, driver, url) -> None:
        self.driver = driver
        self.url = url
        self.open()

    def open(self):
        """Load the page in the tab that is in front."""
        self.driver.get(self.url)
        self.until(lambda: self.one("#model").get_attribute("value"))

    def until(self, condition):
        """Wait until a condition holds, and return what it gave."""
        wait = WebDriverWait(self.driver, PATIENCE, poll_frequency=0.02)
        return wait.until(lambda _: condition())

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def texts(self, selector):
        elements = self.driver.find_elements(By.CSS_SELECTOR, selector)
        return [element.text for element in elements]

    def js(self, code, *arguments):
        return self.driver.execute_script(code, *arguments)

    def type(self, *keys):
        self.one("#question").send_keys(*keys)

    def ask(self, question):
        self.type(question, Keys.ENTER)

    def states(self):
        return [
            turn.get_attribute("data-state")
            for turn in self.driver.find_elements(By.CSS_SELECTOR, ".turn")
        ]

    def is_(self, state):
        """Wait until the last turn is in a state."""
        self.until(lambda: self.states()[-1:] == [state])

    def answers(self, text):
        """Wait until the last answer is this text."""
        self.until(lambda: self.texts(".answer")[-1:] == [text])

    def focus(self):
        return self.driver.switch_to.active_element.get_attribute("id")

    def complaints(self):
        """Return what the browser's console says since the last time."""
        return [entry["message"] for entry in self.driver.get_log("browser")]


@pytest.fixture
def open_chat(driver):
    """Open the page of a server."""
    driver.get_log("browser")
    yield lambda url: Chat(driver, url)
    driver.get("about:blank")


@pytest.fixture
def chat(open_chat, serve, aimlchat_emulator, key):
    """The page with the emulator of the test behind it, which can be scripted."""
    command = serve("--base-url", aimlchat_emulator.base_url, AIMLAPI_API_KEY=key)
    return open_chat(command.url)


@pytest.fixture
def outcome(chat, aimlchat_emulator):
    """Wait until the emulator knows how the last request went."""
    requests = aimlchat_emulator.requests
    return lambda: chat.until(lambda: requests and requests[-1].outcome)


class Cable:
    """A connection to a server that can be cut, and mended, in between."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        self._target = 0
        self._is_cut = False
        self._sockets = []
        threading.Thread(target=self._accept, daemon=True).start()

    def lead_to(self, url):
        self._target = int(re.search(r":(\d+)/", url)[1])

    def cut(self):
        """Close all connections without a word, and take no new ones."""
        self._is_cut = True
        for end in self._sockets:
            with contextlib.suppress(OSError):  # it has ended already
                end.shutdown(socket.SHUT_RDWR)

    def mend(self):
        self._is_cut = False

    def close(self):
        self.cut()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):  # the end of the listener
            while True:
                here, _ = self._listener.accept()
                self._sockets.append(here)
                if self._is_cut:
                    here.close()
                else:
                    self._join(here)

    def _join(self, here):
        try:
            there = socket.create_connection(("127.0.0.1", self._target))
        except ConnectionRefusedError:
            here.close()
            return
        self._sockets.append(there)
        for ends in ((here, there), (there, here)):
            threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def cable():
    cable = Cable()
    yield cable
    cable.close()
    for end in cable._sockets:
        end.close()


@pytest.fixture
def start(cable, serve, aimlchat_emulator, key):
    """Start a server at the far end of the cable."""

    def start():
        command = serve("--base-url", aimlchat_emulator.base_url, AIMLAPI_API_KEY=key)
        cable.lead_to(command.url)
        return command

    return start

"""The page in a real browser: Chromium, driven by Selenium, with the server of the page."""

import asyncio
import functools
import json
import os
import queue
import re
import subprocess
import sys
import threading
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from chromium import forget_storage
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from aimlchat import ChatSession
from aimlchat.cli.chat_page import PageServer

SOURCES = str(Path(__file__).parents[4])
# Seconds; only a test that hangs waits so long.
PATIENCE = 60
# Seconds that a server of the standard library takes to notice that it is shut down.
POLL_INTERVAL = 0.01


class ServeProcess:
    """A running ``aimlchat serve``."""

    def __init__(self, *arguments, **environment) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "aimlchat.cli", "serve", "--port", "0", *arguments],
            env=os.environ | {"PYTHONPATH": SOURCES, "NO_COLOR": "1"} | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    @functools.cached_property
    def url(self):
        """The URL that the process prints."""
        guard = threading.Timer(PATIENCE, self.process.kill)  # would end the wait for the line
        guard.start()
        try:
            return re.search(r"http://\S+/", self.process.stdout.readline())[0]
        finally:
            guard.cancel()

    def end(self):
        self.process.terminate()
        try:
            self.process.communicate(timeout=PATIENCE)
        finally:
            self.process.kill()


@pytest.fixture
def serve():
    """Start ``aimlchat serve`` as a process."""
    processes = []

    def serve(*arguments, **environment):
        processes.append(ServeProcess(*arguments, **environment))
        return processes[-1]

    yield serve
    for process in processes:
        process.end()


class ServerThread:
    """The server of the page in a thread of the tests, which starts much faster than a process."""

    def __init__(self, base_url, key, tools) -> None:
        self._started = Future()
        self._thread = threading.Thread(target=asyncio.run, args=[self._run(base_url, key, tools)])
        self._thread.start()
        self.url, self._loop, self._end = self._started.result()

    async def _run(self, base_url, key, tools):
        def report_retry(record):
            server.report_retry(record)

        end = asyncio.Event()
        async with (
            ChatSession(key, base_url=base_url, on_retry=report_retry) as session,
            PageServer(session, tools=tools) as server,
        ):
            self._started.set_result((server.url, asyncio.get_running_loop(), end))
            await end.wait()

    def end(self):
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()


@pytest.fixture
def serve_api(key):
    """Start the server of the page with an API as upstream, and return the URL of the page."""
    threads = []

    def serve_api(base_url, tools=()):
        threads.append(ServerThread(base_url, key, tools))
        return threads[-1].url

    yield serve_api
    for thread in threads:
        thread.end()


class ChatPage:
    """The chat page in the browser, with what a user does and sees on it."""

    def __init__(self, driver, url) -> None:
        self.driver = driver
        self.url = url
        self.open()

    def open(self):
        """Load the page in the current tab."""
        self.driver.get(self.url)
        self.wait_until(lambda: self.find("#model").get_attribute("value"))

    def wait_until(self, condition):
        """Wait until a condition holds, and return its value."""
        wait = WebDriverWait(self.driver, PATIENCE, poll_frequency=0.02)
        return wait.until(lambda _: condition())

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def find_all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def texts(self, selector):
        return [element.text for element in self.find_all(selector)]

    def run_script(self, code, *arguments):
        return self.driver.execute_script(code, *arguments)

    def type(self, *keys):
        self.find("#question").send_keys(*keys)

    def ask(self, question):
        """Send a question, and wait until it is sent: the page checks it before."""
        self.type(question, Keys.ENTER)
        self.wait_until(lambda: not self.find("#question").get_attribute("value"))

    def choose_model(self, name):
        """Type the name of a model into the picker, and take the first that it shows."""
        self.find("#model").click()
        self.find("#model").send_keys(name, Keys.ENTER)
        return self.find("#model").get_attribute("value")

    def choose(self, selector, value):
        """Choose an option of a ``select`` element."""
        Select(self.find(selector)).select_by_value(value)

    def states(self):
        return [turn.get_attribute("data-state") for turn in self.find_all(".turn")]

    def wait_for_state(self, state):
        """Wait until the last turn is in a state."""
        self.wait_until(lambda: self.states()[-1:] == [state])

    def wait_for_answer(self, text):
        """Wait until the last answer is this text."""
        self.wait_until(lambda: self.texts(".answer")[-1:] == [text])

    def focused_id(self):
        return self.driver.switch_to.active_element.get_attribute("id")

    def console_messages(self):
        """Return what the browser's console has printed since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]


@pytest.fixture
def open_chat(driver):
    """Open the page of a server."""
    driver.get_log("browser")
    yield lambda url: ChatPage(driver, url)
    forget_storage(driver)
    driver.get("about:blank")


@pytest.fixture
def chat(open_chat, serve_api, aimlchat_emulator):
    """The page, with an emulator as upstream that the test can script."""
    return open_chat(serve_api(aimlchat_emulator.base_url))


@pytest.fixture
def wait_for_outcome(chat, aimlchat_emulator):
    """Wait until the emulator knows how its last response ended, and return that."""
    requests = aimlchat_emulator.requests
    return lambda: chat.wait_until(lambda: requests and requests[-1].outcome)


@pytest.fixture
def reply_and_hang(aimlchat_emulator):
    """Let the emulator send a text at once, and then nothing for an hour."""

    def reply_and_hang(text="One two", reasoning=""):
        deltas = [{"reasoning_content": reasoning}] if reasoning else []
        deltas += [{"content": text}] if text else []
        chunks = [{"id": "c", "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
        events = b"".join(b"data: %b\n\n" % json.dumps(chunk).encode() for chunk in chunks)
        aimlchat_emulator.reply(events=[events, "never sent"], pace=3600)

    return reply_and_hang


class StepwiseUpstream:
    """An API that streams one answer, each delta when the test says so."""

    def __init__(self) -> None:
        self.request_count = 0
        self._pieces = queue.SimpleQueue()
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_error(404)  # the page then offers only the default model

            def do_POST(self):
                upstream.request_count += 1
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                while (piece := upstream._pieces.get()) is not None:
                    self.wfile.write(piece)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(
            target=self._server.serve_forever, args=[POLL_INTERVAL], daemon=True
        ).start()

    def send(self, kind, text):
        """Send one delta, such as ("content", "Hello")."""
        self._send_choice({"index": 0, "delta": {kind: text}})

    def finish(self):
        self._send_choice({"index": 0, "delta": {}, "finish_reason": "stop"})
        self._pieces.put(b"data: [DONE]\n\n")
        self._pieces.put(None)

    def close(self):
        self._pieces.put(None)
        self._server.shutdown()
        self._server.server_close()

    def _send_choice(self, choice):
        chunk = {"id": "c", "model": "m", "choices": [choice]}
        self._pieces.put(b"data: %b\n\n" % json.dumps(chunk).encode())


@pytest.fixture
def stepwise_upstream():
    upstream = StepwiseUpstream()
    yield upstream
    upstream.close()

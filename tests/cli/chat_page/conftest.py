"""The server of the chat page with an emulator as upstream, and pages without a browser."""

import asyncio
import contextlib
import itertools
import json
import re
from socket import SHUT_RDWR

import aiohttp
import pytest

from aimlchat import ChatSession, RetryPolicy
from aimlchat.cli.chat_page import PageServer

KEY = "key-that-no-page-may-see"
MODEL = "anthropic/claude-3.7-sonnet"
# Seconds; no test runs so long, so the end of the grace period never closes an upstream connection.
LONG_GRACE = 3600
LAST_FRAMES = {"finish", "abort", "error"}


@pytest.fixture
def key():
    return KEY


class Page:
    """A page's end of a web socket."""

    _numbers = itertools.count(1)

    def __init__(self, socket) -> None:
        self.socket = socket

    async def ask(self, question, answer_id=None, turns=(), **fields):
        """Ask a question, and return the id of its answer."""
        answer_id = answer_id or f"answer-{next(self._numbers)}"
        message = {
            "type": "ask",
            "answer_id": answer_id,
            "model": MODEL,
            "question": question,
            "turns": [{"question": question, "answer": answer} for question, answer in turns],
        }
        await self.send(**message | fields)
        return answer_id

    async def send(self, **message):
        await self.socket.send_json(message)

    async def read(self):
        """Read one frame."""
        return json.loads(await self.socket.receive_str())

    async def read_until(self, kind):
        """Read to the first frame of a type, and return that frame."""
        while (frame := await self.read())["type"] != kind:
            pass
        return frame

    async def read_to_end(self):
        """Read to the end of the answer, and return all frames."""
        frames = [await self.read()]
        while frames[-1]["type"] not in LAST_FRAMES:
            frames.append(await self.read())
        return frames

    async def close(self):
        """Close the connection as a browser does when its tab is closed or reloaded."""
        await self.socket.close(code=aiohttp.WSCloseCode.GOING_AWAY)

    async def say_hello(self, page_id, answer_id=None):
        """Send what a page sends first: its own id, and the unfinished answer that it shows."""
        await self.send(type="hello", page_id=page_id, answer_id=answer_id)

    def lose_connection(self):
        """Drop the connection without a closing handshake."""
        self.socket.get_extra_info("socket").shutdown(SHUT_RDWR)


class Browser:
    """What a browser does for the page: load it, read the models, open its web socket."""

    def __init__(self, server, http) -> None:
        self.server = server
        self.http = http
        self.url = server.url
        self.origin = server.url.rstrip("/")

    def get(self, path="", **headers):
        return self.http.get(self.url + path, headers=headers)

    async def load(self):
        """Load the page, and return the id that the server gave to it."""
        async with self.get() as response:
            return re.search(r'name="page-id" content="(\w+)"', await response.text())[1]

    @contextlib.asynccontextmanager
    async def open_page(self):
        async with self.http.ws_connect(f"{self.url}chat", origin=self.origin) as socket:
            yield Page(socket)


@contextlib.asynccontextmanager
async def browsing(base_url, *, retry=RetryPolicy(attempts=1), **settings):  # noqa: B008
    def report_retry(record):
        server.report_retry(record)

    async with (
        ChatSession(KEY, base_url=base_url, retry=retry, on_retry=report_retry) as session,
        PageServer(session, **{"grace": LONG_GRACE} | settings) as server,
        aiohttp.ClientSession() as http,
    ):
        yield Browser(server, http)


@pytest.fixture
async def browser(emulator):
    async with browsing(emulator.base_url) as browser:
        yield browser


@pytest.fixture
def open_browser(emulator):
    """Start a server with other settings, or with another upstream."""
    return lambda base_url=emulator.base_url, **settings: browsing(base_url, **settings)


@pytest.fixture
def ask_and_wait(emulator):
    """Ask, and return the id of the answer once the emulator has sent a frame of a type."""

    async def ask_and_wait(page, frame="text-delta"):
        answer_id = await page.ask("Why?")
        await page.read_until(frame)
        while not emulator.requests:  # noqa: ASYNC110 - the emulator has no event for it
            await asyncio.sleep(0)
        return answer_id

    return ask_and_wait

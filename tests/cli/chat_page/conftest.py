"""The chat page's server with an emulator upstream, and pages that talk to it without a browser."""

import asyncio
import contextlib
import functools
import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from aimlchat import ChatSession, RetryPolicy
from aimlchat.cli.chat_page import Site
from aimlchat.emulator import Emulator

KEY = "key-that-no-page-may-see"
MODEL = "anthropic/claude-3.7-sonnet"
SOON = 0.1  # seconds until the upstream has to see that its page has left
SOURCES = str(Path(__file__).parents[3])
# Far more than any of it takes, on any machine; only a test that fails waits that long.
PATIENCE = 60
ENDS = {"finish", "abort", "error"}


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch):
    for name in os.environ:
        if re.match(r"AIML|.*_proxy$", name, re.IGNORECASE):
            monkeypatch.delenv(name)


@pytest.fixture
def key():
    return KEY


@pytest.fixture
async def emulator():
    async with Emulator() as running:
        yield running


class Page:
    """A page's end of a web socket."""

    _names = itertools.count(1)

    def __init__(self, socket) -> None:
        self.socket = socket

    async def ask(self, question, name=None, turns=(), **more):
        """Ask, and return the name of the answer."""
        name = name or f"answer-{next(self._names)}"
        turns = [{"question": asked, "answer": said} for asked, said in turns]
        order = {"type": "ask", "name": name, "model": MODEL, "question": question, "turns": turns}
        await self.say(**order | more)
        return name

    async def say(self, **message):
        await self.socket.send_json(message)

    async def frame(self):
        return json.loads(await self.socket.receive_str())

    async def until(self, kind):
        """Read to the first frame of a kind, and return it."""
        while (frame := await self.frame())["type"] != kind:
            pass
        return frame

    async def rest(self):
        """Read to the end of the answer, and return all frames."""
        frames = [await self.frame()]
        while frames[-1]["type"] not in ENDS:
            frames.append(await self.frame())
        return frames

    async def leave(self):
        """Close as a browser does whose tab is closed, or loaded again."""
        await self.socket.close(code=aiohttp.WSCloseCode.GOING_AWAY)

    def lose(self):
        """Lose the connection without a word."""
        self.socket._response.connection.transport.abort()


class Visitor:
    """A browser without a screen: it opens pages and asks for what they ask for."""

    def __init__(self, site, http) -> None:
        self.site = site
        self._http = http
        self.url = site.url
        self.origin = site.url.rstrip("/")

    def get(self, path="", **headers):
        return self._http.get(self.url + path, headers=headers)

    @contextlib.asynccontextmanager
    async def page(self):
        async with self._http.ws_connect(f"{self.url}talk", origin=self.origin) as socket:
            yield Page(socket)


@contextlib.asynccontextmanager
async def visiting(base_url, **settings):
    async with (
        asyncio.timeout(PATIENCE),
        ChatSession(KEY, base_url=base_url, retry=RetryPolicy(attempts=1)) as session,
        Site(session, **settings) as site,
        aiohttp.ClientSession() as http,
    ):
        yield Visitor(site, http)


@pytest.fixture
async def visitor(emulator):
    async with visiting(emulator.base_url) as visitor:
        yield visitor


@pytest.fixture
def visit(emulator):
    """Open a site with other settings, or with another server upstream."""
    return lambda base_url=emulator.base_url, **settings: visiting(base_url, **settings)


@pytest.fixture
def soon():
    """Fail what takes longer than a page's leaving may take to be seen upstream."""
    return lambda: asyncio.timeout(SOON)


def hang(emulator, *deltas):
    """Let an emulator say so much of an answer at once, and then nothing for an hour."""
    chunks = [
        {"id": "c", "choices": [{"index": 0, "delta": {kind: text}}]} for kind, text in deltas
    ]
    events = b"".join(b"data: %b\n\n" % json.dumps(chunk).encode() for chunk in chunks)
    emulator.reply(events=[events or b": ping\n\n", "never sent"], pace=3600)


@pytest.fixture
def stuck(emulator):
    """Let the emulator of an asynchronous test say so much, and then nothing for an hour."""
    return functools.partial(hang, emulator)


@pytest.fixture
def think(aimlchat_emulator):
    """Let the emulator of a synchronous test say so much, and then nothing for an hour."""

    def think(text="One two", reasoning=""):
        said = (("reasoning_content", reasoning), ("content", text))
        hang(aimlchat_emulator, *((kind, words) for kind, words in said if words))

    return think


class Command:
    """A running ``aimlchat serve``."""

    def __init__(self, *arguments, port=0, **environment) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "aimlchat.cli", "serve", "--port", str(port), *arguments],
            env=os.environ | {"PYTHONPATH": SOURCES, "NO_COLOR": "1"} | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @functools.cached_property
    def url(self):
        """The address that it prints."""
        return re.search(r"http://\S+/", self.process.stdout.readline())[0]

    def end(self, how=None):
        """Send a signal; return the exit status, and the rest of what it printed."""
        if how is not None:
            self.process.send_signal(how)
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out, err


@pytest.fixture
def serve():
    """Run ``aimlchat serve`` as a process."""
    begun = []

    def serve(*arguments, **how):
        begun.append(Command(*arguments, **how))
        return begun[-1]

    yield serve
    for command in begun:
        if command.process.returncode is None:
            command.process.kill()
            command.process.communicate()

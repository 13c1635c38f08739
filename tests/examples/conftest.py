"""Fixtures: the programs in docs/examples, real servers for them, and the events of a response."""

import asyncio
import json
import re
import runpy
import socket
from contextlib import asynccontextmanager

import aiohttp
import pytest
import uvicorn
from aiohttp import web
from snippets import EXAMPLES

# How long a test waits for an event before it counts as missing.
EVENT_TIMEOUT = 60.0


@pytest.fixture
def example(emulator, monkeypatch):
    """Run a program, whose session will use the emulator, and return its names."""
    monkeypatch.setenv("AIMLAPI_API_KEY", "any-key")
    monkeypatch.setenv("AIMLAPI_BASE_URL", emulator.base_url)
    return lambda name: runpy.run_path(str(EXAMPLES / name))


@pytest.fixture
def event_timeout():
    """Fail if the block waits too long for its event."""
    return lambda: asyncio.timeout(EVENT_TIMEOUT)


@pytest.fixture
async def client():
    async with aiohttp.ClientSession() as opened:
        yield opened


@asynccontextmanager
async def on_uvicorn(app):
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="critical", lifespan="on", ws="websockets-sansio")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        await task


@asynccontextmanager
async def on_aiohttp(app):
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture(params=["aiohttp_chat.py", "fastapi_chat.py"])
def host(request, example):
    """Serve the chat service of each library as its file says, and yield its address."""
    program = example(request.param)
    if "make_app" in program:
        return on_aiohttp(program["make_app"]())
    return on_uvicorn(program["app"])


@pytest.fixture
def frames_of():
    """Return the frames of a response of server-sent events."""
    return lambda body: list(map(json.loads, re.findall(r"^data: (\{.*)$", body, re.MULTILINE)))

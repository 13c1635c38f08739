"""The commands of the tutorial print what the page shows; test_snippets.py runs its programs."""

import asyncio
import re
import runpy
import shlex
import socket
import subprocess
import sys

import aiohttp
import uvicorn
from snippets import ROOT, read_outputs, read_snippets

SHOWN = read_outputs("sh")
COMMANDS = read_snippets("sh")


def test_the_first_answer_is_the_one_that_is_shown():
    program, *arguments = shlex.split(COMMANDS["tutorial_2_ask"].code)

    done = subprocess.run(
        [sys.executable, "-m", "aimlchat.cli", *arguments], capture_output=True, check=True
    )

    assert program == "aimlchat"
    assert done.stdout.decode() == SHOWN["tutorial_2_ask"]


async def test_the_service_streams_the_answer_that_is_shown(emulator, monkeypatch, tmp_path):
    monkeypatch.setenv("AIMLAPI_API_KEY", "any-key")
    monkeypatch.setenv("AIMLAPI_BASE_URL", emulator.base_url)
    path = tmp_path / "service.py"
    path.write_text(read_snippets("python")["tutorial_7_serve"].code, encoding="utf-8")
    question = shlex.split(COMMANDS["tutorial_7_serve_2"].code)[3]
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(runpy.run_path(str(path))["app"], log_level="error"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))

    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{address}/ask", data=question) as response,
    ):
        answer = await response.text()
    server.should_exit = True
    await serving

    assert f"{answer}\n" == SHOWN["tutorial_7_serve_2"]


def test_the_page_tells_where_the_emulator_listens():
    page = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    source = (ROOT / "aimlchat" / "cli" / "emulator_command.py").read_text(encoding="utf-8")
    (port,) = re.findall(r"AIMLAPI_BASE_URL=http://127.0.0.1:(\d+)/v1", page)

    assert f"default={port}" in source

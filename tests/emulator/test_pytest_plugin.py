"""The fixture `aimlchat_emulator`, in synchronous and in asynchronous tests."""

import asyncio
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import aiohttp
import pytest

from aimlchat.emulator import Emulator

# Imported, so that the tests do not depend on an installed entry point.
from aimlchat.emulator.pytest_plugin import (  # noqa: F401
    aimlchat_emulator,
    aimlchat_emulator_settings,
)
from aimlchat.emulator.thread import run_in_thread

BODY = {
    "model": "anthropic/claude-3.7-sonnet",
    "messages": [{"role": "user", "content": "Hello"}],
    "stream": True,
}
DOCS = Path(__file__).parents[2] / "docs"
HEADERS = {"Authorization": "Bearer k", "Content-Type": "application/json"}


def test_a_synchronous_test_can_use_the_fixture(aimlchat_emulator):  # noqa: F811
    aimlchat_emulator.reply("Good day")
    url = f"{aimlchat_emulator.base_url}/chat/completions"
    body = json.dumps(BODY | {"stream": False}).encode()
    request = urllib.request.Request(url, body, HEADERS)  # noqa: S310
    with urllib.request.urlopen(request) as response:  # noqa: S310
        body = json.load(response)
    assert body["choices"][0]["message"]["content"] == "Good day"
    assert aimlchat_emulator.requests[0].body["messages"] == BODY["messages"]


async def test_an_asynchronous_test_can_use_the_fixture_from_its_own_loop(aimlchat_emulator):  # noqa: F811
    aimlchat_emulator.reply(chunks=["a", "b"], pace=3600)
    url = f"{aimlchat_emulator.base_url}/chat/completions"
    async with aiohttp.ClientSession() as http:
        response = await http.post(url, json=BODY, headers=HEADERS)
        await response.content.readany()
        response.close()
    async with asyncio.timeout(30):  # so that a failure ends the test
        await aimlchat_emulator.requests[0].finished()
        await aimlchat_emulator.no_connections()
    assert aimlchat_emulator.requests[0].outcome == "left"


def test_each_test_gets_a_new_emulator(aimlchat_emulator):  # noqa: F811
    assert aimlchat_emulator.requests == []
    assert aimlchat_emulator.billed == 0


def test_a_stream_in_progress_does_not_delay_the_end_of_a_test(aimlchat_emulator):  # noqa: F811
    aimlchat_emulator.reply(chunks=["a", "b"], pace=3600)
    url = f"{aimlchat_emulator.base_url}/chat/completions"
    request = urllib.request.Request(url, json.dumps(BODY).encode(), HEADERS)  # noqa: S310
    with urllib.request.urlopen(request) as response:  # noqa: S310
        assert response.readline().startswith(b"data: ")


def test_a_failure_to_start_is_raised_in_the_thread_that_waits(monkeypatch):
    async def start(_self):
        msg = "no sockets left"
        raise OSError(msg)

    monkeypatch.setattr(Emulator, "start", start)
    with pytest.raises(OSError, match="no sockets left"), run_in_thread():
        pass


def test_a_failed_function_of_the_script_is_raised_at_the_end():
    with pytest.raises(Exception, match="given to the emulator as reply, failed: KeyError"):
        use_a_reply_that_fails()


def use_a_reply_that_fails():
    with run_in_thread() as emulator:
        emulator.reply(lambda request: request.body["nothing"])
        url = f"{emulator.base_url}/chat/completions"
        request = urllib.request.Request(url, json.dumps(BODY).encode(), HEADERS)  # noqa: S310
        with pytest.raises(urllib.error.HTTPError, match="500"):
            urllib.request.urlopen(request)  # noqa: S310


# --- in a project of its own ----------------------------------------------------------------------


@pytest.fixture
def run_pytest(tmp_path):
    """Run pytest in a folder without any configuration, so in the default mode of its plugins."""

    async def run(**modules):
        for name, text in modules.items():
            (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(tmp_path)),
            *("-p", "no:cacheprovider", str(tmp_path)),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
        )
        out, _ = await process.communicate()
        return process.returncode, out.decode()

    return run


async def test_the_examples_of_the_page_need_no_settings(run_pytest):
    text = (DOCS / "emulator.md").read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    modules = {
        f"test_example_{number}": example
        for number, example in enumerate(examples)
        if "import pytest" in example or "aimlchat_emulator" in example
    }
    assert "test_example_0" in modules
    status, out = await run_pytest(**modules)
    assert status == 0, out
    assert "passed" in out
    assert "skipped" not in out

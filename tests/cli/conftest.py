"""The command line run inside the test process, and as real processes on pipes and terminals."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from click.testing import CliRunner, Result

from aimlchat.cli.program import program
from aimlchat.emulator import Emulator

SOURCES = str(Path(__file__).parents[2])
KEY_VARIABLE = "AIMLAPI_API_KEY"
# Far more than any of it takes, on any machine; only a test that fails waits that long.
PATIENCE = 60


def clean_environment(**more: str) -> dict[str, str]:
    """Return this process's environment without what would steer the command line."""
    steering = re.compile(
        r"AIML|.*_proxy$|NO_COLOR|FORCE_COLOR|TTY_|TERM|COLUMNS|PYTHON(?!DONTWRITE)", re.IGNORECASE
    )
    kept = {name: value for name, value in os.environ.items() if not steering.match(name)}
    return kept | {"PYTHONPATH": SOURCES, "TERM": "xterm-256color", "COLUMNS": "100"} | more


@attrs.define
class Process:
    """A running ``aimlchat``; what it writes on its terminal, or on its pipes."""

    process: asyncio.subprocess.Process
    master: int | None = None
    seen: bytes = b""

    async def read_until(self, text: str) -> bytes:
        """Read standard output until a text has come; a terminal ends its lines its own way."""
        while text.encode() not in self.seen.replace(b"\r\n", b"\n"):
            data = await self._read()
            assert data, f"it ended without {text!r}: {self.seen!r}"
            self.seen += data
        return self.seen

    async def end(self) -> tuple[int, str, str]:
        """Read to the end; return exit status, standard output and (if apart) standard error."""
        while data := await self._read():
            self.seen += data
        stderr = await self.process.stderr.read() if self.process.stderr else b""
        return await self.process.wait(), self.seen.decode(), stderr.decode()

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def type(self, keys: bytes) -> None:
        """Press keys on its terminal."""
        assert self.master is not None
        os.write(self.master, keys)

    async def _read(self) -> bytes:
        if self.master is None:
            assert self.process.stdout is not None
            return await self.process.stdout.read(65536)
        try:
            return await asyncio.to_thread(os.read, self.master, 65536)
        except OSError:  # Linux says EIO where the last holder of a terminal has gone
            return b""


# Makes its standard input its controlling terminal, and goes on as the command line: only so
# does a typed Ctrl-C become a signal.
LOG_IN = (
    "import os, sys; os.login_tty(0); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)


@pytest.fixture
async def start() -> AsyncIterator[Callable[..., Any]]:
    """Start ``aimlchat`` as a process: on pipes, or on a terminal.

    ``terminal`` is "" (pipes), "stdout" (only that is one) or "all". ``before`` is code to run
    first, in the same process.
    """
    begun: list[Process] = []

    async def start(
        *arguments: str,
        terminal: str = "",
        before: str = "",
        stdin: bytes = b"",
        **environment: str,
    ) -> Process:
        code = f"{before}\nfrom aimlchat.cli import main\nmain()"
        command = [sys.executable, *(["-c", LOG_IN] if terminal == "all" else [])]
        command += ["-c", code, *arguments]
        pipe = asyncio.subprocess.PIPE
        master, slave = os.openpty() if terminal else (None, None)
        process = await asyncio.create_subprocess_exec(
            *command,
            env=clean_environment(**environment),
            stdin=slave if terminal == "all" else pipe,
            stdout=slave if terminal else pipe,
            stderr=slave if terminal == "all" else pipe,
        )
        if slave is not None:
            os.close(slave)
        begun.append(Process(process, master))
        if process.stdin is not None:
            process.stdin.write(stdin)
            process.stdin.close()
        return begun[-1]

    try:
        async with asyncio.timeout(PATIENCE):
            yield start
    finally:
        for one in begun:
            if one.process.returncode is None:
                one.process.kill()
            await one.process.wait()
            if one.master is not None:
                os.close(one.master)


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator() as emulator:
        yield emulator


@pytest.fixture(autouse=True)
def _no_steering(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = clean_environment()
    for name in set(os.environ) - set(kept):
        monkeypatch.delenv(name)


@pytest.fixture
def invoke() -> Callable[..., Any]:
    """Run a command in this process, standard output being a pipe."""

    async def invoke(*arguments: str, stdin: str | bytes = b"", key: str | None = "k") -> Result:
        # In a thread, since it runs an event loop of its own.
        return await asyncio.to_thread(
            CliRunner().invoke, program, arguments, input=stdin, env={KEY_VARIABLE: key}
        )

    return invoke


@pytest.fixture
def ask(emulator: Emulator, invoke: Callable[..., Any]) -> Callable[..., Any]:
    """Run ``aimlchat ask`` against the emulator of the test, as if that were the API."""

    async def ask(*arguments: str, **how: Any) -> Result:
        return await invoke("ask", "--base-url", emulator.base_url, *arguments, **how)

    return ask


@pytest.fixture
def chunks() -> Callable[..., bytes]:
    """Make one write of several chunks of a stream, of pairs such as ("content", "Hello")."""

    def chunks(*deltas: tuple[str, str]) -> bytes:
        return b"".join(
            b"data: %s\n\n"
            % json.dumps({"id": "c", "choices": [{"index": 0, "delta": {kind: text}}]}).encode()
            for kind, text in deltas
        )

    return chunks


@pytest.fixture
def stuck(emulator: Emulator, chunks: Callable[..., bytes]) -> Callable[..., None]:
    """Let the emulator send some deltas at once, and then nothing for an hour."""

    def stuck(*deltas: tuple[str, str]) -> None:
        emulator.reply(events=[chunks(*deltas), "never sent"], pace=3600)

    return stuck

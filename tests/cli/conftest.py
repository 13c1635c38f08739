"""Runs the command line inside the test process, and as a process on pipes and terminals."""

import asyncio
import functools
import inspect
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
# Seconds; far more than any test needs on any machine. Only a test that hangs waits so long.
PATIENCE = 60


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give each asynchronous test a timeout, so that one that hangs fails and is cleaned up."""
    test = getattr(item, "obj", None)
    if not inspect.iscoroutinefunction(test):
        return

    @functools.wraps(test)
    async def run_with_timeout(*args: Any, **kwargs: Any) -> None:
        async with asyncio.timeout(PATIENCE):
            await test(*args, **kwargs)

    item.obj = run_with_timeout


def clean_environment(**variables: str) -> dict[str, str]:
    """Return this process's environment without the variables that configure the command line."""
    configuring = re.compile(
        r"AIML|.*_proxy$|CI$|NO_COLOR|FORCE_COLOR|TTY_|TERM|COLUMNS|PYTHON(?!DONTWRITE)",
        re.IGNORECASE,
    )
    kept = {name: value for name, value in os.environ.items() if not configuring.match(name)}
    return kept | {"PYTHONPATH": SOURCES, "TERM": "xterm-256color", "COLUMNS": "100"} | variables


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in set(os.environ) - set(clean_environment()):
        monkeypatch.delenv(name)


@attrs.define
class CommandProcess:
    """A running ``aimlchat``, and its output on a terminal or on pipes."""

    process: asyncio.subprocess.Process
    stdout: asyncio.StreamReader | None  # None if standard output is a terminal
    pipe: asyncio.ReadTransport | None
    terminal: int | None  # the file descriptor of the terminal's other end
    output: bytes = b""

    async def read_until(self, text: str) -> str:
        """Read standard output until it has a text; return all output with LF line ends."""
        while text not in (output := self.output.decode(errors="replace").replace("\r\n", "\n")):
            data = await self._read()
            assert data, f"it ended without {text!r}: {output!r}"
            self.output += data
        return output

    async def read_stderr_until(self, text: str) -> str:
        """Read lines of standard error until one has a text; return all lines so far."""
        lines = ""
        while text not in lines:
            line = await self.process.stderr.readline()
            assert line, f"it ended without {text!r}: {lines!r}"
            lines += line.decode()
        return lines

    async def wait(self) -> tuple[int, str, str]:
        """Wait for the end; return exit status, standard output and, on a pipe, standard error."""
        while data := await self._read():
            self.output += data
        stderr = await self.process.stderr.read() if self.process.stderr else b""
        return await self.process.wait(), self.output.decode(), stderr.decode()

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def close_stdout(self) -> None:
        """Stop reading, as `head` does once it has its lines."""
        self.pipe.close()

    def type(self, keys: bytes) -> None:
        """Press keys on the terminal."""
        os.write(self.terminal, keys)

    async def kill(self) -> None:
        """Kill the process if it still runs, and show what it had printed."""
        if self.process.returncode is None:
            self.process.kill()
            print(f"killed after it had printed {self.output!r}")  # noqa: T201
        if self.pipe is not None:
            self.pipe.close()
        await self.process.wait()
        if self.terminal is not None:
            os.close(self.terminal)

    async def _read(self) -> bytes:
        if self.terminal is None:
            return await self.stdout.read(65536)
        try:
            return await asyncio.to_thread(os.read, self.terminal, 65536)
        except OSError:  # EIO on Linux: the process has closed the terminal
            return b""


# Makes standard input the controlling terminal, then continues as the command line. Without a
# controlling terminal a typed Ctrl-C sends no signal.
LOG_IN = (
    "import os, sys; os.login_tty(0); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)


@pytest.fixture
async def start_process() -> AsyncIterator[Callable[..., Any]]:
    """Start ``aimlchat`` as a process.

    ``terminal`` is "" (all streams are pipes), "stdout" (only that one is a terminal) or "all".
    ``before`` is Python code that runs first, in the same process. Further keywords are environment
    variables.
    """
    processes: list[CommandProcess] = []

    async def start_process(
        *arguments: str,
        terminal: str = "",
        before: str = "",
        stdin: bytes = b"",
        **environment: str,
    ) -> CommandProcess:
        code = f"{before}\nfrom aimlchat.cli import main\nmain()"
        command = [sys.executable, *(["-c", LOG_IN] if terminal == "all" else [])]
        command += ["-c", code, *arguments]
        pipe = asyncio.subprocess.PIPE
        read_end, write_end = os.openpty() if terminal else os.pipe()
        process = await asyncio.create_subprocess_exec(
            *command,
            env=clean_environment(**environment),
            stdin=write_end if terminal == "all" else pipe,
            stdout=write_end,
            stderr=write_end if terminal == "all" else pipe,
        )
        os.close(write_end)
        if terminal:
            processes.append(CommandProcess(process, None, None, read_end))
        else:
            stdout = asyncio.StreamReader()
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(stdout), os.fdopen(read_end, "rb", 0)
            )
            processes.append(CommandProcess(process, stdout, transport, None))
        if process.stdin is not None:
            process.stdin.write(stdin)
            process.stdin.close()
        return processes[-1]

    yield start_process
    for process in processes:
        await process.kill()


@pytest.fixture
def invoke() -> Callable[..., Any]:
    """Run a command in this process; its standard output is not a terminal."""

    async def invoke(*arguments: str, stdin: str | bytes = b"", key: str | None = "k") -> Result:
        # In a thread, because the command runs an event loop of its own.
        return await asyncio.to_thread(
            CliRunner().invoke, program, arguments, input=stdin, env={"AIMLAPI_API_KEY": key}
        )

    return invoke


@pytest.fixture
def ask(emulator: Emulator, invoke: Callable[..., Any]) -> Callable[..., Any]:
    """Run ``aimlchat ask`` with the emulator of the test as the API."""

    async def ask(*arguments: str, **options: Any) -> Result:
        return await invoke("ask", "--base-url", emulator.base_url, *arguments, **options)

    return ask


@pytest.fixture
def start_ask(emulator: Emulator, start_process: Callable[..., Any]) -> Callable[..., Any]:
    """Start ``aimlchat ask`` as a process, with the emulator of the test as the API."""

    async def start_ask(*arguments: str, **options: Any) -> CommandProcess:
        upstream = ("--base-url", emulator.base_url, "--model", "openai/gpt-4o")
        return await start_process("ask", *upstream, *arguments, AIMLAPI_API_KEY="k", **options)

    return start_ask


@pytest.fixture
def encode_chunks() -> Callable[..., bytes]:
    """Encode chunks of a stream, given as pairs such as ("content", "Hello"), as one write."""

    def encode_chunks(*deltas: tuple[str, str]) -> bytes:
        return b"".join(
            b"data: %s\n\n"
            % json.dumps({"id": "c", "choices": [{"index": 0, "delta": {kind: text}}]}).encode()
            for kind, text in deltas
        )

    return encode_chunks


@pytest.fixture
def reply_and_hang(emulator: Emulator, encode_chunks: Callable[..., bytes]) -> Callable[..., None]:
    """Let the emulator send some deltas at once, and then nothing for an hour."""

    def reply_and_hang(*deltas: tuple[str, str]) -> None:
        events = [encode_chunks(*deltas) or b": ping\n\n", "never sent"]
        emulator.reply(events=events, pace=3600)

    return reply_and_hang

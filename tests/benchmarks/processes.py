"""The processes of a benchmark: the server, and each contestant in its own environment."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HERE = Path(__file__).parent
PATIENCE = 5.0  # seconds until a process that does not end is killed


@contextlib.contextmanager
def run_server() -> Iterator[int]:
    """Run the load server and yield its port."""
    with _start([sys.executable, HERE / "server.py"]) as process:
        yield int(process.stdout.readline())


class Contestant:
    """Runs `contestant.py` and passes tasks to it; ``name`` may end in ``+uvloop``."""

    def __init__(self, name: str, pythons: Mapping[str, str], port: int) -> None:
        self.name = name
        self._python = python_of(name, pythons)
        client, _, loop = name.partition("+")
        self._arguments = [client, str(port), *([f"--{loop}"] if loop else [])]

    def __enter__(self) -> Self:
        command = [self._python, HERE / "contestant.py", *self._arguments]
        self._stack = contextlib.ExitStack()
        self._process = self._stack.enter_context(_start(command))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def wait_until_ready(self) -> None:
        """Return when the process can run tasks."""
        self._read_result()

    def run(self, task: dict[str, object]) -> dict[str, float]:
        """Run a task and return what it cost."""
        print(json.dumps(task), file=self._process.stdin, flush=True)
        return self._read_result()

    def _read_result(self) -> dict[str, float]:
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"{self.name} has ended before its result")
        return json.loads(line)


def python_of(name: str, pythons: Mapping[str, str]) -> str:
    """Return the interpreter of a contestant: that of a peer, or else this one."""
    client = name.partition("+")[0]
    return pythons.get(client, sys.executable)


@contextlib.contextmanager
def _start(command: list[str | Path]) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.stdin.close()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()

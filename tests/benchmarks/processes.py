"""The processes that take part: the server, and each contestant in its own environment."""

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
PATIENCE = 5.0


@contextlib.contextmanager
def server() -> Iterator[int]:
    """Start the load server; the value is its port."""
    with _started([sys.executable, HERE / "server.py"]) as process:
        yield int(process.stdout.readline())


class Contestant:
    """The near end of `contestant.py`; ``name`` may end in ``+uvloop``."""

    def __init__(self, name: str, pythons: Mapping[str, str], port: int) -> None:
        self.name = name
        self._python = python_of(name, pythons)
        client, _, loop = name.partition("+")
        self._arguments = [client, str(port), *([f"--{loop}"] if loop else [])]

    def __enter__(self) -> Self:
        command = [self._python, HERE / "contestant.py", *self._arguments]
        self._stack = contextlib.ExitStack()
        self._process = self._stack.enter_context(_started(command))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def wait(self) -> None:
        """Return once it is ready."""
        self._answer()

    def ask(self, order: dict[str, object]) -> dict[str, float]:
        """Have an order carried out and return what it took."""
        print(json.dumps(order), file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict[str, float]:
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"{self.name} has given up")
        return json.loads(line)


def python_of(name: str, pythons: Mapping[str, str]) -> str:
    """Return the interpreter of a contestant: a peer's own, or else ours."""
    client = name.partition("+")[0]
    return pythons.get(client, sys.executable)


@contextlib.contextmanager
def _started(command: list[str | Path]) -> Iterator[subprocess.Popen[str]]:
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

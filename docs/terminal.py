"""Draw the README's picture of the terminal, from a real run against the emulator.

    python docs/terminal.py

Runs `aimlchat ask` on a pseudo-terminal and writes what it printed to `docs/terminal.svg`.
"""

from __future__ import annotations

import io
import os
import pty
import re
import shlex
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

COMMAND = ["aimlchat", "ask", "--emulator", "Why is the sky blue?"]
WIDTH = 92
# The picture must not fetch a font from somewhere; any monospaced one will do.
FONT_FACE = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def run(command: list[str]) -> str:
    """Return what a command prints on a terminal, colours and all."""
    os.environ |= {"COLUMNS": str(WIDTH), "LINES": "40", "TERM": "xterm-256color"}
    printed: list[bytes] = []
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)  # noqa: S606 - a command of our own
    while True:
        try:
            if not (data := os.read(terminal, 4096)):
                break
        except OSError:  # Linux's way to say that the other end has closed
            break
        printed.append(data)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        sys.exit(b"".join(printed).decode())
    return b"".join(printed).decode().replace("\r\n", "\n")


def main() -> None:
    """Run the command and draw its terminal."""
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(Text.assemble(("$ ", "bold green"), shlex.join(COMMAND).replace("'", '"')))
    # One run of dim text, and not one for each delta: the drawing spaces every run by itself.
    printed = run(COMMAND).replace("\x1b[0m\x1b[2m", "")
    console.print(Text.from_ansi(printed))
    svg = FONT_FACE.sub("", console.export_svg(title="aimlchat"))
    Path(__file__).with_name("terminal.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()

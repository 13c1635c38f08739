"""Draw the picture of the terminal in the README, from a real run against the emulator.

    python docs/terminal.py

This runs `aimlchat ask` on a pseudo-terminal and writes what it prints to `docs/terminal.svg`.
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

COMMAND = ["aimlchat", "ask", "--emulator", "--thinking", "2048", "Why is the sky blue?"]
WIDTH = 92
# The picture must not load a font from the network; any monospaced font will do.
SAME_STYLE = re.compile(r"(\x1b\[[\d;]+m)([^\x1b]*)\x1b\[0m\1")
FONT_FACE = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def run(command: list[str]) -> str:
    """Return what a command prints on a terminal, including its control sequences."""
    os.environ |= {"COLUMNS": str(WIDTH), "LINES": "40", "TERM": "xterm-256color"}
    printed: list[bytes] = []
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)  # noqa: S606 - COMMAND is a constant
    while True:
        try:
            if not (data := os.read(terminal, 4096)):
                break
        except OSError:  # on Linux, reading a terminal whose other end is closed fails
            break
        printed.append(data)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        sys.exit(b"".join(printed).decode())
    return remove_overwritten(b"".join(printed).decode().replace("\r\n", "\n"))


def remove_overwritten(printed: str) -> str:
    """Remove the lines that the command has erased to write them again."""
    shown = ""
    for part in re.split(r"(\r\x1b\[K(?:\x1b\[A\x1b\[K)*)", printed):
        if not part.startswith("\r"):
            shown += part
            continue
        lines = shown.split("\n")[: -part.count("\x1b[K")]
        shown = "".join(f"{line}\n" for line in lines)
    return shown


def main() -> None:
    """Run the command and draw its terminal."""
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(Text.assemble(("$ ", "bold green"), shlex.join(COMMAND).replace("'", '"')))
    # Join the runs of one style: rich lays out each run on its own.
    printed, joined = run(COMMAND), 1
    while joined:
        printed, joined = SAME_STYLE.subn(r"\1\2", printed)
    console.print(Text.from_ansi(printed))
    svg = FONT_FACE.sub("", console.export_svg(title="aimlchat"))
    Path(__file__).with_name("terminal.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()

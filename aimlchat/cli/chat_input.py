"""Where the questions of a conversation come from: a terminal or a pipe."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from .errors import CommandError, CommandInputError
from .exit_status import INTERRUPTED
from .prompt import read_line
from .terminal import allows_escape_codes, end_interrupted_line

if TYPE_CHECKING:
    import asyncio

    from .line_editor import LineEditor

__all__ = ["QuestionReader"]


class QuestionReader:
    """Reads the questions: with a line editor on a terminal, else line by line.

    ``is_terminal`` is whether somebody types them.
    """

    def __init__(self, *, has_history: bool) -> None:
        self.is_terminal = sys.stdin is not None and sys.stdin.isatty()
        self._editor: LineEditor | None = None
        if self.is_terminal and allows_escape_codes(sys.stderr):
            # Imported here because it is slow, and a pipe does not need it.
            from .line_editor import LineEditor  # noqa: PLC0415

            self._editor = LineEditor(has_history=has_history)

    def read(self, runner: asyncio.Runner, *, has_sent: bool) -> str | None:
        """Return the next question that is not blank; None at the end of the input.

        Raises `CommandError` for a line from a pipe that cannot be sent. ``has_sent`` is whether
        earlier lines were sent, on which the exit status depends.
        """
        while True:
            if self._editor is not None:
                question = self._read_edited(runner, self._editor)
            elif self.is_terminal:
                question = self._read_typed()
            else:
                question = _read_piped(has_sent=has_sent)
            if question is None or question.strip():
                return question and question.strip()

    @staticmethod
    def _read_edited(runner: asyncio.Runner, editor: LineEditor) -> str | None:
        from .line_editor import PromptInterruptedError  # noqa: PLC0415

        try:
            return runner.run(editor.read())
        except EOFError:
            return None
        except (KeyboardInterrupt, PromptInterruptedError):
            raise click.exceptions.Exit(INTERRUPTED) from None

    @staticmethod
    def _read_typed() -> str | None:
        """Read lines from a terminal until one does not end with a backslash."""
        lines: list[str] = []
        while True:
            click.echo(".. " if lines else "> ", nl=False, err=True)
            try:
                line = read_line()
            except CommandInputError as error:
                error.show()
                return ""
            except KeyboardInterrupt:
                end_interrupted_line()
                raise click.exceptions.Exit(INTERRUPTED) from None
            if not line:
                click.echo(err=True)
                return None
            lines.append(line.rstrip("\r\n"))
            if not lines[-1].endswith("\\"):
                return "\n".join(lines)
            lines[-1] = lines[-1][:-1]


def _read_piped(*, has_sent: bool) -> str | None:
    try:
        return read_line() or None
    except CommandInputError as error:
        if has_sent:
            raise CommandError(error.message) from error
        raise
    except KeyboardInterrupt:
        end_interrupted_line()
        raise click.exceptions.Exit(INTERRUPTED) from None

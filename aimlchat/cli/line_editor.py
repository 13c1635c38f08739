"""The prompt of a conversation on a terminal: line editing, history, several lines."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import create_output

from .errors import describe_os_error
from .terminal import print_notice

if TYPE_CHECKING:
    from prompt_toolkit.output import Output

__all__ = ["LineEditor", "PromptInterruptedError"]


class PromptInterruptedError(Exception):
    """Ctrl-C was pressed at an empty prompt."""


class LineEditor:
    """Reads questions from the terminal; its display goes to standard error.

    Enter sends the question. Alt-Enter, or Enter after a backslash, begins a new line in it, and
    pasted text may have several lines. Ctrl-C discards what was typed.

    Args:
        has_history: Whether earlier questions are kept in a file that only the user can read.
    """

    def __init__(self, *, has_history: bool) -> None:
        self._session: PromptSession[str] = PromptSession(
            "> ",
            multiline=True,
            prompt_continuation="  ",
            key_bindings=_bind_keys(),
            history=_open_history() if has_history else None,
            output=_open_output(),
            reserve_space_for_menu=0,
            enable_suspend=True,
            interrupt_exception=PromptInterruptedError,
        )

    async def read(self) -> str:
        """Return the next question.

        Raises `EOFError` for Ctrl-D, and `PromptInterruptedError` for Ctrl-C, at an empty prompt.
        """
        return await self._session.prompt_async()


def _bind_keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter")
    def send(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.document.char_before_cursor == "\\":
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def begin_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("c-c", filter=Condition(lambda: bool(get_app().current_buffer.text)))
    def drop(event: KeyPressEvent) -> None:
        event.current_buffer.reset()

    return keys


def _open_output() -> Output:
    output = create_output(stdout=sys.stderr)
    # A request for the cursor's position confuses terminals that do not answer it, and what it
    # would tell is not needed without menus.
    if hasattr(output, "enable_cpr"):
        output.enable_cpr = False
    return output


def _open_history() -> History:
    """Open the history in the user's folder for state, by the XDG base directory specification."""
    configured = os.environ.get("XDG_STATE_HOME", "")
    try:
        state = Path(configured) if os.path.isabs(configured) else Path.home() / ".local/state"  # noqa: PTH117 - "" is no path
        path = state / "aimlchat" / "chat_history"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)
        try:
            if hasattr(os, "fchmod"):
                os.fchmod(descriptor, 0o600)
        finally:
            os.close(descriptor)
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home
        _report(error)
        return InMemoryHistory()
    return _PrivateHistory(str(path))


class _PrivateHistory(FileHistory):
    """A history that works without its file if the file cannot be written."""

    def __init__(self, filename: str) -> None:
        super().__init__(filename)
        self._is_writable = True

    def store_string(self, string: str) -> None:
        if not self._is_writable:
            return
        try:
            super().store_string(string)
        except (OSError, UnicodeEncodeError) as error:
            self._is_writable = False
            _report(error)


def _report(error: Any) -> None:
    reason = describe_os_error(error) if isinstance(error, OSError) else str(error)
    print_notice(f"The questions are not kept for the next time: {reason}.")

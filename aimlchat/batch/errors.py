"""The errors about the files of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aimlchat._printable import escape_controls
from aimlchat.errors import AIMLChatError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["BatchError", "BusyError", "InputError", "OutputFileError"]


class BatchError(AIMLChatError):
    """A file of a batch cannot be used."""


class InputError(BatchError, ValueError):
    """The input, or the output of an earlier run, cannot be read.

    ``line`` is the number of the line at fault, counted from 1; 0 if the error is not about one
    line. ``begun`` is whether requests had been sent: only if the input was changed during the run.
    """

    def __init__(
        self, message: str = "", *, line: int = 0, begun: bool = False, **facts: Any
    ) -> None:
        super().__init__(message, **facts)
        self.line = line
        self.begun = begun

    def __str__(self) -> str:
        """Return the message, with a line for each line of the file that is at fault."""
        return escape_controls(self._describe())


class BusyError(BatchError):
    """Another run is writing to this output; nothing was sent."""


class OutputFileError(BatchError, OSError):
    """The output cannot be written.

    ``unwritten`` has the results that were received but could not be written: pairs of a custom id
    and its line, line feed included. Store them elsewhere; once they are appended to the output,
    they count as results. ``begun`` is whether requests had been sent. ``path`` is the file that
    ``unwritten`` belongs in if that is not the output: the record of the batches on the server.
    """

    def __init__(
        self,
        message: str = "",
        *,
        unwritten: tuple[tuple[str | int, bytes], ...] = (),
        begun: bool = False,
        path: Path | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(message, **facts)
        self.unwritten = unwritten
        self.path = path
        self.begun = begun

"""What can go wrong with the files of a batch."""

from __future__ import annotations

from typing import Any

from aimlchat.errors import AIMLChatError

__all__ = ["BatchError", "BusyError", "InputError", "OutputFileError"]


class BatchError(AIMLChatError):
    """The files of a batch are not as they have to be."""


class InputError(BatchError, ValueError):
    """A line of the input, or of the output that is there already, cannot be used.

    ``line`` is its number, counted from 1; 0 where it is not about one line. ``begun`` is whether
    anything was sent: only if the input was changed meanwhile.
    """

    def __init__(
        self, message: str = "", *, line: int = 0, begun: bool = False, **facts: Any
    ) -> None:
        super().__init__(message, **facts)
        self.line = line
        self.begun = begun


class BusyError(BatchError):
    """Another run writes to this output; nothing was sent."""


class OutputFileError(BatchError, OSError):
    """The output cannot be written.

    ``unwritten`` has the results that came and could not be written: pairs of an id and its line,
    with the line feed, to be kept somewhere else. ``begun`` is whether anything was sent.
    """

    def __init__(
        self,
        message: str = "",
        *,
        unwritten: tuple[tuple[str | int, bytes], ...] = (),
        begun: bool = False,
        **facts: Any,
    ) -> None:
        super().__init__(message, **facts)
        self.unwritten = unwritten
        self.begun = begun

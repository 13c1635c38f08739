"""The errors about the files of a batch."""

from __future__ import annotations

from typing import Any

from aimlchat._printable import escape_controls
from aimlchat.errors import AIMLChatError

__all__ = ["BatchError", "BusyError", "InputError", "OutputFileError", "UnconfirmedBatchError"]


class BatchError(AIMLChatError):
    """A file of a batch cannot be used."""


class InputError(BatchError, ValueError):
    """The input, or the output of an earlier run, cannot be read.

    Attributes:
        line: the number of the line at fault, counted from 1; 0 if the error is not about one line.
        begun: whether requests had been sent: only if the input was changed during the run.
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


class UnconfirmedBatchError(InputError):
    """An earlier run submitted a batch, and it is not known whether the server has created it.

    The response with its id did not arrive: the connection broke, or the run was killed. The batch
    may be running, and may be charged, so its requests are neither submitted again nor sent from
    here. Call `run_on_server` with ``batch_id`` if the batch exists, or with ``again`` if it does
    not.

    Attributes:
        requests: the number of requests in the batch.
        submitted: the time, in UTC, at which it was submitted, such as ``2026-01-31 23:59:59``.
    """

    def __init__(
        self, message: str = "", *, requests: int = 0, submitted: str = "", **facts: Any
    ) -> None:
        super().__init__(message, **facts)
        self.requests = requests
        self.submitted = submitted


class BusyError(BatchError):
    """Another run is writing to this output; nothing was sent."""


class OutputFileError(BatchError, OSError):
    """The output cannot be written.

    Attributes:
        unwritten: the results that were received but could not be written: pairs of a custom id and
            its line, line feed included. Store them elsewhere; once they are appended to the
            output, they count as results.
        begun: whether requests had been sent.
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

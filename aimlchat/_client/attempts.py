"""The attempts of one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from aimlchat.errors import Attempt, ConnectionFailedError, RequestTimeoutError

if TYPE_CHECKING:
    from aimlchat.errors import AIMLChatError

__all__ = ["AttemptLog"]

_FIRST_ATTEMPT = (Attempt(1),)


class AttemptLog(msgspec.Struct, eq=False, gc=False):
    """Records the attempts of one call, and whether one is in progress."""

    _failed: tuple[Attempt, ...] = ()
    model: str | None = None
    """The model of the attempt in progress, in a call with ``models=``."""
    is_open: bool = False
    """Whether an attempt is in progress; one that is put back is not recorded."""

    @property
    def failed_count(self) -> int:
        """How many attempts have failed."""
        return len(self._failed)

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The attempts so far, the one in progress included."""
        failed = self._failed
        if not self.is_open:
            return failed
        if not failed and self.model is None:
            return _FIRST_ATTEMPT
        return (*failed, Attempt(len(failed) + 1, model=self.model))

    def record(self, error: AIMLChatError, delay: float = 0.0) -> None:
        """Record the failure of the attempt in progress, if there is one.

        ``delay`` is the wait before the next attempt. ``error.attempts`` becomes all attempts.
        """
        if self.is_open:
            self.is_open = False
            sent = not (isinstance(error, ConnectionFailedError) and not error.sent)
            if isinstance(error, RequestTimeoutError) and error.phase == "connect":
                sent = False
            number = len(self._failed) + 1
            self._failed += (Attempt(number, str(error), delay, sent, self.model),)
        error.attempts = self._failed

    def put_back(self, error: AIMLChatError) -> None:
        """Forget the attempt in progress; ``error.attempts`` becomes the attempts before it."""
        self.is_open = False
        error.attempts = self._failed

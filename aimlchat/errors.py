"""What can go wrong, as one tree of exceptions.

Facts stand on attributes; the sentence for people is ``str(error)``. Every error can be
pickled and deep-copied, so it can cross a process boundary with what it knows.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

if TYPE_CHECKING:
    from .completions import Completion

__all__ = [
    "SERVER_ERRORS",
    "AIMLChatError",
    "APIError",
    "Attempt",
    "AuthenticationError",
    "BadRequestError",
    "ConfigurationError",
    "ConnectionFailedError",
    "InsufficientCreditsError",
    "InvalidRequestError",
    "NotFoundError",
    "PermissionDeniedError",
    "ProtocolError",
    "RateLimitError",
    "RequestTimeoutError",
    "ServerError",
    "StreamInterruptedError",
    "TransportError",
    "detach",
    "error_for_status",
]

_E = TypeVar("_E", bound=BaseException)
SERVER_ERRORS = range(500, 600)
"""The statuses of the server's own failures."""


@attrs.frozen
class Attempt:
    """One try at a call: its place in the row, and what became of it.

    ``number`` counts from 1. ``cause`` is the sentence of the error that ended the try, None for
    the one that succeeded. ``delay`` is the wait in seconds that followed it, 0 for the last one.
    ``sent`` is whether the server may have seen it, and may have billed it.
    The cause is kept as text and not as the error, which would hold its traceback and make a cycle.
    """

    number: int
    cause: str | None = None
    delay: float = 0.0
    sent: bool = True


class AIMLChatError(Exception):
    """The root of everything that aimlchat raises on purpose.

    ``partial`` is the completion as far as it had been received when the error was raised; an
    empty one where nothing had. ``attempts`` lists the attempts that were made, the last one
    included; empty if nothing was sent.
    """

    def __init__(
        self,
        message: str = "",
        *,
        partial: Completion | None = None,
        attempts: tuple[Attempt, ...] = (),
    ) -> None:
        super().__init__(message)
        self._partial = partial
        self.attempts = attempts

    @property
    def partial(self) -> Completion:
        """The completion as far as it had been received; empty where nothing had."""
        if self._partial is None:
            from .completions import Completion  # noqa: PLC0415 - which imports this module

            self._partial = Completion()
        return self._partial

    @partial.setter
    def partial(self, completion: Completion) -> None:
        self._partial = completion


class ConfigurationError(AIMLChatError, ValueError):
    """The session was set up in a way that cannot work; nothing was sent."""


class InvalidRequestError(AIMLChatError, ValueError):
    """The API would refuse this request, so it was not sent.

    ``field`` names the parameter at fault, as in ``temperature`` or ``messages[2].content[0]``.
    """

    def __init__(self, message: str = "", *, field: str = "", **facts: Any) -> None:
        super().__init__(message, **facts)
        self.field = field

    def __str__(self) -> str:
        message = super().__str__()
        return f"{self.field}: {message}" if self.field else message


class TransportError(AIMLChatError):
    """Nobody answered: the network or the clock ended the call."""


class ConnectionFailedError(TransportError, ConnectionError):
    """The connection failed before the head of an answer came.

    ``sent`` is whether the server may have seen the request, and so may have billed it.
    """

    def __init__(self, message: str = "", *, sent: bool = False, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.sent = sent


class RequestTimeoutError(TransportError, TimeoutError):
    """One of the clocks of :class:`aimlchat.Timeouts` ran out; ``phase`` is its name.

    ``phase`` is ``queue``, ``connect``, ``first_token``, ``next_token``, ``idle`` or ``deadline``.
    """

    def __init__(self, message: str = "", *, phase: str = "", **facts: Any) -> None:
        super().__init__(message, **facts)
        self.phase = phase


class APIError(AIMLChatError):
    """The server said no.

    ``status`` is the HTTP status, or the one that an error event inside a stream stands for.
    ``message`` is the innermost sentence of the body, ``body`` the body itself (decoded JSON, or
    text), ``request_id`` and ``path`` what the body names, ``inference_id`` the header
    ``x-inference-id``, ``retry_after`` the wait in seconds that the server asked for.
    """

    def __init__(
        self,
        message: str = "",
        *,
        status: int = 0,
        request_id: str | None = None,
        inference_id: str | None = None,
        path: str | None = None,
        retry_after: float | None = None,
        body: Any = None,
        **facts: Any,
    ) -> None:
        super().__init__(message, **facts)
        self.message = message
        self.status = status
        self.request_id = request_id
        self.inference_id = inference_id
        self.path = path
        self.retry_after = retry_after
        self.body = body

    def __str__(self) -> str:
        facts = [f"status {self.status}"] if self.status else []
        if self.request_id:
            facts.append(f"request {self.request_id}")
        if self.inference_id:
            facts.append(f"inference {self.inference_id}")
        if self.retry_after is not None:
            facts.append(f"retry after {self.retry_after:g} s")
        return f"{self.message} ({', '.join(facts)})" if facts else self.message


class BadRequestError(APIError):
    """400 or 422: the request is wrong, and so will be its repetition."""


class AuthenticationError(APIError):
    """401: no API key, or one that the server does not know."""


class InsufficientCreditsError(APIError):
    """402, or a 403 that says so: the account has no credits left."""


class PermissionDeniedError(APIError):
    """403: the key may not do this."""


class NotFoundError(APIError):
    """404: no such model or endpoint."""


class RateLimitError(APIError):
    """429: too many requests, or the free tier is used up (which no retry cures)."""


class ServerError(APIError):
    """5xx: the fault is on the server's side."""


class ProtocolError(AIMLChatError):
    """What came is not the wire format."""


class StreamInterruptedError(ProtocolError):
    """The stream stopped before its end; ``partial`` has all that came before."""


_CLASS_OF_STATUS: dict[int, type[APIError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    402: InsufficientCreditsError,
    403: PermissionDeniedError,
    404: NotFoundError,
    422: BadRequestError,
    429: RateLimitError,
}


def error_for_status(status: int, *, out_of_credits: bool = False) -> type[APIError]:
    """Return the class of error that an HTTP status stands for.

    A 403 is "out of credits" as often as "not allowed"; the caller has read the message and says
    which.
    """
    if status == 403 and out_of_credits:  # noqa: PLR2004 - the status is the name
        return InsufficientCreditsError
    if status in SERVER_ERRORS:
        return ServerError
    return _CLASS_OF_STATUS.get(status, APIError)


def detach(error: _E) -> _E:
    """Return a copy of an error without its traceback and context, which can be kept.

    A traceback refers to the frames that the error passed through, and these to everything that
    their locals hold: a stream that kept the error that it raised would be a reference cycle, and
    its connection would stay open until the garbage collector ran. So an error that is kept is
    detached, and each time that it is raised, a copy of it is.
    """
    twin = copy.copy(error)
    twin.__cause__ = error.__cause__
    return twin

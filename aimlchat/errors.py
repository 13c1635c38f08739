"""The exception hierarchy.

The attributes of an error are for programs and hold what a server sent. ``str(error)`` is for
people: one line, with control characters escaped, so that it can be printed and logged. Every error
can be pickled and deep-copied with its attributes, so that it can cross a process boundary.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import attrs

from ._printable import join_lines

if TYPE_CHECKING:
    from .completions import Completion

__all__ = [
    "SERVER_ERRORS",
    "AIMLChatError",
    "APIError",
    "Attempt",
    "AuthenticationError",
    "BadRequestError",
    "BudgetExceededError",
    "ConfigurationError",
    "ConnectionFailedError",
    "InsufficientCreditsError",
    "InvalidRequestError",
    "NotFoundError",
    "OutputError",
    "OutputFailure",
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
OutputFailure = Literal["truncated", "refused", "not_json", "invalid"]
SERVER_ERRORS = range(500, 600)
"""The HTTP statuses that report a failure of the server."""


@attrs.frozen
class Attempt:
    """One attempt of a call.

    Attributes:
        number: counted from 1.
        cause: the text of the error that ended it, None if it succeeded. It is not the error
            itself, whose ``.attempts`` would refer back to this object.
        delay: the wait in seconds before the next attempt, 0 for the last one.
        sent: whether the server may have received the request, and so may have billed it.
        model: the model of the request, in a call with ``models=``; None in any other.
    """

    number: int
    cause: str | None = None
    delay: float = 0.0
    sent: bool = True
    model: str | None = None


class AIMLChatError(Exception):
    """The base class of every error that aimlchat raises on purpose.

    ``str(error)`` is one line that can be printed and logged, whatever a server put into it.

    Attributes:
        partial: the part of the completion that had been received when the error was raised; empty
            if there was none.
        attempts: the attempts that were made, the last one included; empty if nothing was sent.
    """

    def __init__(
        self,
        message: str = "",
        *,
        partial: Completion[Any] | None = None,
        attempts: tuple[Attempt, ...] = (),
    ) -> None:
        super().__init__(message)
        self._partial = partial
        self.attempts = attempts

    def __str__(self) -> str:
        """Return the message as one line that can be printed, whatever a server put into it."""
        return join_lines(self._describe())

    def _describe(self) -> str:
        return super().__str__()

    @property
    def partial(self) -> Completion:
        """The part of the completion that had been received; empty if there was none."""
        if self._partial is None:
            from .completions import Completion  # noqa: PLC0415 - it imports this module

            self._partial = Completion()
        return self._partial

    @partial.setter
    def partial(self, completion: Completion[Any]) -> None:
        self._partial = completion


class ConfigurationError(AIMLChatError, ValueError):
    """The session is set up in a way that cannot work; nothing was sent."""


class InvalidRequestError(AIMLChatError, ValueError):
    """The API would refuse this request, so it was not sent.

    Attributes:
        field: the path of the invalid field, such as ``temperature`` or ``messages[2].content[0]``.
    """

    def __init__(self, message: str = "", *, field: str = "", **facts: Any) -> None:
        super().__init__(message, **facts)
        self.field = field

    def _describe(self) -> str:
        message = super()._describe()
        return f"{self.field}: {message}" if self.field else message


class BudgetExceededError(AIMLChatError):
    """The ``budget_usd`` of a session or a run has been spent: nothing more is sent.

    Attributes:
        budget_usd: that budget, in US dollars.
        spent_usd: what the server has charged, in US dollars. It may be more than the budget, since
            a call is charged when it ends.
    """

    def __init__(
        self,
        message: str = "",
        *,
        budget_usd: float = 0.0,
        spent_usd: float = 0.0,
        **facts: Any,
    ) -> None:
        super().__init__(message, **facts)
        self.budget_usd = budget_usd
        self.spent_usd = spent_usd


class TransportError(AIMLChatError):
    """There was no complete response: the network or a timeout ended the call."""


class ConnectionFailedError(TransportError, ConnectionError):
    """The connection failed before the response headers arrived.

    Attributes:
        sent: whether the server may have received the request, and so may have billed it.
    """

    def __init__(self, message: str = "", *, sent: bool = False, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.sent = sent


class RequestTimeoutError(TransportError, TimeoutError):
    """One of the `Timeouts` of a call expired.

    Attributes:
        phase: the name of that timeout: ``queue``, ``connect``, ``first_token``, ``next_token``,
            ``idle``, ``whole`` or ``deadline``.
    """

    def __init__(self, message: str = "", *, phase: str = "", **facts: Any) -> None:
        super().__init__(message, **facts)
        self.phase = phase


class APIError(AIMLChatError):
    """The server returned an error.

    Attributes:
        message: the innermost message of the body that is informative.
        status: the HTTP status, or the one that an error event in a stream corresponds to.
        request_id: the vendor's id of the request, None if the body has none.
        inference_id: the header ``x-inference-id``, None if there was none.
        path: the path of the endpoint, None if the body has none.
        retry_after: the wait in seconds that the server requested, in its headers, in a field of
            the body or in its message; None if it requested none.
        body: the body of the response, decoded JSON or text, as far as it could be read.
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

    def _describe(self) -> str:
        facts = [f"status {self.status}"] if self.status else []
        if self.request_id:
            facts.append(f"request {self.request_id}")
        if self.inference_id:
            facts.append(f"inference {self.inference_id}")
        if self.retry_after is not None:
            facts.append(f"retry after {self.retry_after:g} s")
        return f"{self.message} ({', '.join(facts)})" if facts else self.message


class BadRequestError(APIError):
    """400 or 422: the request is invalid; a retry would fail, too."""


class AuthenticationError(APIError):
    """401: the API key is missing or unknown."""


class InsufficientCreditsError(APIError):
    """402, or a 403 whose code or message says so: the account has no credits left."""


class PermissionDeniedError(APIError):
    """403: the key may not do this; or a rate limit, in which case ``retry_after`` is set."""


class NotFoundError(APIError):
    """404: no such model or endpoint."""


class RateLimitError(APIError):
    """429: too many requests; or credits or the free tier are exhausted, and a retry is useless."""


class ServerError(APIError):
    """5xx: the server failed."""


class ProtocolError(AIMLChatError):
    """The response is not in the wire format."""


class StreamInterruptedError(ProtocolError):
    """The stream stopped before its end; ``partial`` has what was received before."""


class OutputError(AIMLChatError, ValueError):
    """The answer is not a value of the ``output_type`` of the call; the call was billed.

    Attributes:
        reason: ``truncated``, the answer was cut, however much of it arrived; ``refused``, the
            model or a filter refused to answer; ``not_json``, the answer has no JSON value, or a
            broken one; ``invalid``, the value does not fit the type.
        path: the path of the field that does not fit, such as ``items[2].price``; ``""`` for the
            whole value and for every other reason.
    """

    def __init__(
        self,
        message: str = "",
        *,
        reason: OutputFailure = "invalid",
        path: str = "",
        **facts: Any,
    ) -> None:
        super().__init__(message, **facts)
        self.reason: OutputFailure = reason
        self.path = path

    @property
    def completion(self) -> Completion:
        """The completion with that answer; ``partial`` is the same."""
        return self.partial

    def _describe(self) -> str:
        message = super()._describe()
        return f"{self.path}: {message}" if self.path else message


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
    """Return the class of error for an HTTP status.

    A 403 can mean "out of credits" as well as "not allowed". Only its message tells them apart, so
    the caller has to pass ``out_of_credits``.
    """
    if status == 403 and out_of_credits:  # noqa: PLR2004 - the status is the name
        return InsufficientCreditsError
    if status in SERVER_ERRORS:
        return ServerError
    return _CLASS_OF_STATUS.get(status, APIError)


def detach(error: _E) -> _E:
    """Return a copy of an error that is safe to keep: it has no traceback and no context.

    A traceback refers to the frames that the error passed through, and so to everything in their
    locals. A stream that kept the error that it raised would form a reference cycle, and its
    connection would stay open until the garbage collector ran. So detach an error before it is
    kept, and again each time that it is raised.
    """
    twin = copy.copy(error)
    twin.__cause__ = error.__cause__
    if notes := getattr(error, "__notes__", None):
        twin.__notes__ = list(notes)
    return twin

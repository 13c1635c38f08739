"""The reports of a call: log records, and calls to the user's hooks."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from aimlchat._printable import join_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from aimlchat.records import CallRecord, RetryRecord

__all__ = ["call_hook", "logs_calls", "report_call", "report_retry"]

_logger = logging.getLogger("aimlchat")


def call_hook(hook: Callable[..., object] | None, *args: object) -> None:
    """Call a hook, if there is one. An exception that it raises is only logged."""
    if hook is None:
        return
    try:
        hook(*args)
    except Exception:
        # Not its repr, which may show arguments that the caller has bound to it.
        name = getattr(hook, "__qualname__", type(hook).__qualname__)
        _logger.exception("the hook %s failed", name)


def logs_calls() -> bool:
    """Return whether the end of a call is logged."""
    return _logger.isEnabledFor(logging.DEBUG)


def report_call(on_finish: Callable[[CallRecord], object] | None, record: CallRecord) -> None:
    """Report how a call ended. The log record contains nothing of the conversation."""
    _logger.debug(
        "call %s of %s: %s after %.3f s, %d attempts",
        record.client_request_id,
        join_lines(record.model),
        record.outcome,
        record.duration,
        len(record.attempts),
    )
    call_hook(on_finish, record)


def report_retry(on_retry: Callable[[RetryRecord], object] | None, record: RetryRecord) -> None:
    """Report that an attempt failed and another one follows.

    The log record names the error without the server's message, which may quote the conversation.
    """
    error = record.error
    _logger.info(
        "call %s: attempt %d failed, %s; the next one in %.2f s",
        record.client_request_id,
        record.attempt,
        f"{type(error).__name__} {getattr(error, 'status', '')}".rstrip(),
        record.delay,
    )
    call_hook(on_retry, record)

"""Whether a completion has an answer of the requested type, and if not, what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from aimlchat._printable import excerpt
from aimlchat._schema.errors import DecodeError
from aimlchat.errors import OutputError

from .answer_json import NotJsonError, read_json

if TYPE_CHECKING:
    from aimlchat.completions import Completion
    from aimlchat.errors import OutputFailure

__all__ = ["judge_output"]


_MAX_OTHERS = 9  # of the faults after the first one


class _Decodes(Protocol):
    """Makes a value of a type from a JSON value, or raises a `DecodeError`."""

    def decode(self, value: Any, /) -> Any: ...


def judge_output(completion: Completion[Any], plan: _Decodes, answers: int = 1) -> Any:
    """Return the answer of a completion as a value of a type.

    An answer that was cut is never read, even if it happens to be JSON: there may have been more
    items. A refused answer is not read either: its text is what came before the refusal.

    Args:
        completion: the completion, whose ``text`` is the answer, however it was requested.
        plan: how it was requested, which says how a JSON value is decoded.
        answers: how many different answers the model has given, by calls of a tool. If there are
            several, none is chosen: only the model knows which one it meant.

    Raises:
        OutputError: there is no such value.
    """
    _check_end(completion)
    text = completion.text
    if answers > 1:
        msg = f"there are {answers} answers that differ, and one is wanted: {excerpt(text)}"
        raise _build_error(completion, "not_json", msg)
    try:
        value, wrong = read_json(text), None
    except NotJsonError as error:
        wrong = str(error)
    # Errors are made here and not in the except clauses, so that their causes are not kept.
    if wrong is not None:
        quoted = f": {excerpt(text)}" if text else ""
        msg = f"the answer is not one JSON value: {wrong}{quoted}"
        raise _build_error(completion, "not_json", msg)
    try:
        return plan.decode(value)
    except DecodeError as error:
        others = list(map(str, error.others[:_MAX_OTHERS]))
        if left := len(error.others) - len(others):
            others.append(f"and {left} more like these")
        wrong, path = "; ".join([error.reason, *others]), error.path
    raise _build_error(completion, "invalid", wrong, path)


def _check_end(completion: Completion[Any]) -> None:
    """Refuse an answer that was cut, and then one that was refused, whatever the text is."""
    text, refusal = completion.text, completion.refusal
    if not completion.is_complete:
        msg = "the answer ended before it was whole"
        raise _build_error(completion, "truncated", msg)
    if completion.finish_reason == "length":
        count = f"{len(text)} character{'' if len(text) == 1 else 's'}"
        msg = f"the answer was cut by the limit of its length, after {count}; raise max_tokens"
        raise _build_error(completion, "truncated", msg)
    if completion.finish_reason == "content_filter" or refusal:
        shown = refusal or text
        msg = "the answer was filtered"
        if shown:
            msg = f"the model refused to answer: {excerpt(shown)}"
        raise _build_error(completion, "refused", msg)


def _build_error(
    completion: Completion[Any], reason: OutputFailure, message: str, path: str = ""
) -> OutputError:
    return OutputError(
        message, reason=reason, path=path, partial=completion, attempts=completion.attempts
    )

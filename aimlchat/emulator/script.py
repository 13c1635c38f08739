"""What a test wants to be answered, and the queue in which it stands."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, get_args

import attrs

from .forms import Form
from .generation import Answer, Call, ReasoningAs

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Fault", "Reply", "Script", "ToolCallLike", "encode"]

ToolCallLike = tuple[str, Mapping[str, Any] | str] | Mapping[str, Any]

_optional = attrs.validators.optional
_one_of_forms = _optional(attrs.validators.in_(get_args(Form)))
_one_of_sources = _optional(attrs.validators.in_(get_args(ReasoningAs)))


def _tuple(values: Iterable[Any] | None) -> tuple[Any, ...] | None:
    return None if values is None else tuple(values)


def _tuple_of_calls(calls: Iterable[ToolCallLike]) -> tuple[ToolCallLike, ...]:
    return tuple(calls)


@attrs.frozen
class Reply:
    """A scripted answer; `Emulator.reply` says what the fields mean."""

    text: str = ""
    reasoning: str = ""
    reasoning_as: ReasoningAs | None = attrs.field(default=None, validator=_one_of_sources)
    tool_calls: tuple[ToolCallLike, ...] = attrs.field(default=(), converter=_tuple_of_calls)
    refusal: str | None = None
    finish_reason: str | None = None
    form: Form | None = attrs.field(default=None, validator=_one_of_forms)
    chunks: tuple[str, ...] | None = attrs.field(default=None, converter=_tuple)
    usage: Mapping[str, Any] | None = None
    cost: float | Mapping[str, Any] | None = None
    model: str | None = None
    headers: Mapping[str, str] | None = None
    done: bool | None = None
    pace: float | None = None
    events: tuple[Any, ...] | None = attrs.field(default=None, converter=_tuple)
    body: Any = None
    status: int = 200
    content_type: str | None = None

    def answer(self, call_id: Callable[[int], str], *, usual_refusal: str) -> Answer:
        """Make the answer; `usual_refusal` is the finish reason of a refusal if none is given."""
        calls = tuple(_call(call, call_id(n)) for n, call in enumerate(self.tool_calls))
        finish = self.finish_reason
        if finish is None:
            finish = "tool_calls" if calls else "stop"
            if self.refusal is not None:
                finish = usual_refusal
        return Answer(
            text="".join(self.chunks) if self.chunks is not None else self.text,
            reasoning=self.reasoning,
            refusal=self.refusal,
            calls=calls,
            finish=finish,
            chunks=self.chunks,
        )


@attrs.frozen
class Fault:
    """A scripted error; `Emulator.fail` says what the fields mean."""

    status: int = 500
    message: str | None = None
    retry_after: float | str | None = None
    headers: Mapping[str, str] | None = None
    body: Any = None


class Script:
    """First in, first out. Its methods may be called from any thread."""

    def __init__(self) -> None:
        self._steps: deque[Reply | Fault] = deque()

    def add(self, step: Reply | Fault) -> None:
        """Put a step at the end."""
        self._steps.append(step)

    def fault(self) -> Fault | None:
        """Take the next step if it is a fault."""
        # Only the emulator's loop takes steps, so nothing comes between the look and the taking.
        step = self._steps[0] if self._steps else None
        if not isinstance(step, Fault):
            return None
        self._steps.popleft()
        return step

    def reply(self) -> Reply | None:
        """Take the next step if it is a reply."""
        step = self._steps[0] if self._steps else None
        if not isinstance(step, Reply):
            return None
        self._steps.popleft()
        return step


def encode(value: Any) -> bytes:
    """Encode a body: bytes as they are, a string as UTF-8, anything else as JSON."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    try:
        return _json(value).encode()
    except UnicodeEncodeError:
        # Half an emoji has no UTF-8; a server in JavaScript writes it as an escape.
        return _json(value, ascii_only=True).encode()


def _json(value: Any, *, ascii_only: bool = False) -> str:
    return json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":"))


def _call(call: ToolCallLike, fresh_id: str) -> Call:
    if isinstance(call, Mapping):
        name, arguments = call["name"], call.get("arguments", {})
        fresh_id = call.get("id", fresh_id)
    else:
        name, arguments = call
    return Call(fresh_id, name, arguments if isinstance(arguments, str) else _json(arguments))

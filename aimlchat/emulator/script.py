"""What a test wants to be answered, and the queue in which it stands."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, get_args

import attrs

from .encoding import as_json
from .faults import ErrorStatus, Fault
from .generation import Answer, Call, ReasoningAs
from .stream_formats import Form

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MADE_UP", "Reply", "Script", "ToolCallLike"]

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
    """A scripted answer; `Emulator.reply` says what the fields mean.

    One that is `made_up` says what the emulator says without a script.
    """

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
    fault: Fault | None = attrs.field(
        default=None, validator=_optional(attrs.validators.instance_of(Fault))
    )
    made_up: bool = False

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


MADE_UP = Reply(made_up=True)


class Script:
    """First in, first out. Its methods may be called from any thread."""

    def __init__(self) -> None:
        self._steps: deque[Reply | ErrorStatus] = deque()

    def add(self, step: Reply | ErrorStatus) -> None:
        """Put a step at the end."""
        self._steps.append(step)

    def failure(self) -> ErrorStatus | None:
        """Take the next step if it is an error."""
        # Only the emulator's loop takes steps, so nothing comes between the look and the taking.
        step = self._steps[0] if self._steps else None
        if not isinstance(step, ErrorStatus):
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


def _call(call: ToolCallLike, fresh_id: str) -> Call:
    if isinstance(call, Mapping):
        name, arguments = call["name"], call.get("arguments", {})
        fresh_id = call.get("id", fresh_id)
    else:
        name, arguments = call
    return Call(fresh_id, name, arguments if isinstance(arguments, str) else as_json(arguments))

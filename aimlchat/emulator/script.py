"""Scripted replies and errors, and the queue that they wait in."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, get_args

import attrs

from .encoding import dump_json
from .faults import ErrorStatus, Fault
from .generation import GeneratedCall, GeneratedChoice, ReasoningAs
from .stream_formats import StreamFormat

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DEFAULT_REPLY", "Reply", "Script", "ToolCallLike"]

ToolCallLike = tuple[str, Mapping[str, Any] | str] | Mapping[str, Any]

_optional = attrs.validators.optional
_is_stream_format = _optional(attrs.validators.in_(get_args(StreamFormat)))
_is_reasoning_field = _optional(attrs.validators.in_(get_args(ReasoningAs)))


def _to_tuple(values: Iterable[Any] | None) -> tuple[Any, ...] | None:
    return None if values is None else tuple(values)


def _to_tuple_of_calls(calls: Iterable[ToolCallLike]) -> tuple[ToolCallLike, ...]:
    return tuple(calls)


@attrs.frozen
class Reply:
    """A scripted reply; `Emulator.reply` documents the fields.

    With `is_default` the emulator builds the content from the prompt, as without a script.
    """

    text: str = ""
    reasoning: str = ""
    reasoning_as: ReasoningAs | None = attrs.field(default=None, validator=_is_reasoning_field)
    tool_calls: tuple[ToolCallLike, ...] = attrs.field(default=(), converter=_to_tuple_of_calls)
    refusal: str | None = None
    finish_reason: str | None = None
    form: StreamFormat | None = attrs.field(default=None, validator=_is_stream_format)
    chunks: tuple[str, ...] | None = attrs.field(default=None, converter=_to_tuple)
    usage: Mapping[str, Any] | None = None
    cost: float | Mapping[str, Any] | None = None
    model: str | None = None
    headers: Mapping[str, str] | None = None
    done: bool | None = None
    pace: float | None = None
    events: tuple[Any, ...] | None = attrs.field(default=None, converter=_to_tuple)
    body: Any = None
    status: int = 200
    content_type: str | None = None
    fault: Fault | None = attrs.field(
        default=None, validator=_optional(attrs.validators.instance_of(Fault))
    )
    is_default: bool = False

    def build_choice(
        self, make_call_id: Callable[[int], str], *, refusal_finish: str
    ) -> GeneratedChoice:
        """Build a choice from the script.

        Args:
            make_call_id: makes the id of the n-th tool call, unless the script has one.
            refusal_finish: the finish reason of a refusal, unless the script has one.
        """
        calls = tuple(
            _build_call(call, make_call_id(number)) for number, call in enumerate(self.tool_calls)
        )
        finish = self.finish_reason
        if finish is None:
            finish = "tool_calls" if calls else "stop"
            if self.refusal is not None:
                finish = refusal_finish
        return GeneratedChoice(
            text="".join(self.chunks) if self.chunks is not None else self.text,
            reasoning=self.reasoning,
            refusal=self.refusal,
            calls=calls,
            finish=finish,
            chunks=self.chunks,
        )


DEFAULT_REPLY = Reply(is_default=True)


class Script:
    """A queue of replies and errors, first in, first out.

    `add` is safe from any thread; only the emulator's event loop may take steps.
    """

    def __init__(self) -> None:
        self._steps: deque[Reply | ErrorStatus] = deque()

    def add(self, step: Reply | ErrorStatus) -> None:
        """Append a step."""
        self._steps.append(step)

    @property
    def has_reply(self) -> bool:
        """Whether the next step is a reply whose content is scripted."""
        step = self._steps[0] if self._steps else None
        return isinstance(step, Reply) and not step.is_default

    def take_error(self) -> ErrorStatus | None:
        """Remove and return the next step if it is an error; otherwise leave it and return None."""
        # Only the emulator's loop takes steps, so the first step stays the same until the removal.
        step = self._steps[0] if self._steps else None
        if not isinstance(step, ErrorStatus):
            return None
        self._steps.popleft()
        return step

    def take_fault(self) -> Fault | None:
        """Remove the next step if it is a fault without a reply, and return the fault."""
        step = self._steps[0] if self._steps else None
        if not isinstance(step, Reply) or not step.is_default:
            return None
        self._steps.popleft()
        return step.fault

    def take_reply(self) -> Reply | None:
        """Remove and return the next step if it is a reply; otherwise leave it and return None."""
        step = self._steps[0] if self._steps else None
        if not isinstance(step, Reply):
            return None
        self._steps.popleft()
        return step


def _build_call(call: ToolCallLike, default_id: str) -> GeneratedCall:
    if isinstance(call, Mapping):
        name, arguments = call["name"], call.get("arguments", {})
        call_id = call.get("id", default_id)
    else:
        name, arguments = call
        call_id = default_id
    text = arguments if isinstance(arguments, str) else dump_json(arguments)
    return GeneratedCall(call_id, name, text)

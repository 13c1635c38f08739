"""Scripted replies and errors, the rules for their use, and the order that they wait in."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, get_args

import attrs

from .encoding import dump_json
from .faults import ErrorStatus, Fault
from .generation import GeneratedCall, GeneratedChoice, ReasoningAs
from .reply_checks import (
    are_calls,
    are_headers,
    are_texts,
    is_amount,
    is_json,
    is_mapping,
    is_status,
    is_text,
)
from .scripted_blocks import are_blocks, build_choice_of_blocks
from .scripted_output import NO_OUTPUT, Broken, build_choice_of_output, to_json_value
from .stream_formats import StreamFormat

if TYPE_CHECKING:
    from collections.abc import Callable

    from .records import RequestRecord
    from .request import ParsedRequest

__all__ = [
    "DEFAULT_REPLY",
    "DefaultReply",
    "Reply",
    "Script",
    "ScriptError",
    "Step",
    "ToolCallLike",
    "check_function",
]

ToolCallLike = tuple[str, Mapping[str, Any] | str] | Mapping[str, Any]

_FIELDS_OF_CALLS = ("id", "name", "arguments")
_optional = attrs.validators.optional
_is_stream_format = _optional(attrs.validators.in_(get_args(StreamFormat)))
_is_broken = _optional(attrs.validators.in_(get_args(Broken)))
_is_reasoning_field = _optional(attrs.validators.in_(get_args(ReasoningAs)))


def _to_tuple(values: Iterable[Any] | None) -> tuple[Any, ...] | None:
    return None if values is None else tuple(values)


def _to_tuple_of_calls(calls: Iterable[ToolCallLike]) -> tuple[ToolCallLike, ...]:
    return tuple(calls)


def _to_tuple_of_blocks(blocks: Iterable[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    return tuple(blocks)


@attrs.frozen
class Reply:
    """A scripted reply; `Emulator.reply` documents the fields.

    A function that scripts replies may return one.
    """

    text: str = attrs.field(default="", validator=is_text)
    reasoning: str = attrs.field(default="", validator=is_text)
    reasoning_as: ReasoningAs | None = attrs.field(default=None, validator=_is_reasoning_field)
    tool_calls: tuple[ToolCallLike, ...] = attrs.field(
        default=(), converter=_to_tuple_of_calls, validator=are_calls
    )
    blocks: tuple[Mapping[str, Any], ...] = attrs.field(
        default=(), converter=_to_tuple_of_blocks, validator=are_blocks
    )
    output: Any = attrs.field(default=NO_OUTPUT, converter=to_json_value)
    broken: Broken | None = attrs.field(default=None, validator=_is_broken)
    refusal: str | None = attrs.field(default=None, validator=_optional(is_text))
    finish_reason: str | None = attrs.field(default=None, validator=_optional(is_text))
    form: StreamFormat | None = attrs.field(default=None, validator=_is_stream_format)
    chunks: tuple[str, ...] | None = attrs.field(
        default=None, converter=_to_tuple, validator=_optional(are_texts)
    )
    usage: Mapping[str, Any] | None = attrs.field(default=None, validator=_optional(is_mapping))
    cost: float | Mapping[str, Any] | None = attrs.field(
        default=None, validator=_optional(is_amount)
    )
    model: str | None = attrs.field(default=None, validator=_optional(is_text))
    headers: Mapping[str, str] | None = attrs.field(default=None, validator=_optional(are_headers))
    done: bool | None = None
    pace: float | None = None
    events: tuple[Any, ...] | None = attrs.field(
        default=None, converter=_to_tuple, validator=is_json
    )
    body: Any = attrs.field(default=None, validator=is_json)
    status: int = attrs.field(default=200, validator=is_status)
    content_type: str | None = attrs.field(default=None, validator=_optional(is_text))
    fault: Fault | None = attrs.field(
        default=None, validator=_optional(attrs.validators.instance_of(Fault))
    )

    def __attrs_post_init__(self) -> None:
        others = ("text", "reasoning", "tool_calls", "refusal", "chunks")
        beside = [name for name in others if getattr(self, name)]
        if self.blocks and beside:
            msg = f"blocks has the whole content; leave out {', '.join(beside)}"
            raise ValueError(msg)
        has_output = self.output is not NO_OUTPUT
        beside = [name for name in others if name != "reasoning" and getattr(self, name)]
        beside += ["blocks"] if self.blocks else []
        if has_output and beside:
            msg = f"output is the whole answer; leave out {', '.join(beside)}"
            raise ValueError(msg)
        if self.broken is not None and not has_output:
            msg = f"broken={self.broken!r} says how output is delivered; add output="
            raise ValueError(msg)

    def build_choice(
        self, request: ParsedRequest, make_call_id: Callable[[int], str], *, refusal_finish: str
    ) -> GeneratedChoice:
        """Return a choice from the script, which only the emulator needs.

        Args:
            request: the request, which says how it wants an `output`.
            make_call_id: makes the id of the n-th tool call, unless the script has one.
            refusal_finish: the finish reason of a refusal, unless the script has one.
        """
        if self.blocks:
            choice = build_choice_of_blocks(self.blocks, make_call_id)
        elif self.output is not NO_OUTPUT:
            choice = build_choice_of_output(self.output, self.broken, request, make_call_id)
            choice = attrs.evolve(choice, reasoning=self.reasoning)
        else:
            choice = GeneratedChoice(
                text="".join(self.chunks) if self.chunks is not None else self.text,
                reasoning=self.reasoning,
                refusal=self.refusal,
                calls=tuple(
                    _build_call(call, make_call_id(number))
                    for number, call in enumerate(self.tool_calls)
                ),
                chunks=self.chunks,
            )
        finish = self.finish_reason
        if finish is None and self.output is not NO_OUTPUT:
            finish = choice.finish
        elif finish is None:
            finish = "tool_calls" if choice.calls else "stop"
            if self.refusal is not None:
                finish = refusal_finish
        return attrs.evolve(choice, finish=finish)


@attrs.frozen
class DefaultReply(Reply):
    """A reply whose content the emulator builds from the prompt, as without a script."""


DEFAULT_REPLY = DefaultReply()


def _is_count(_step: Step, _attribute: Any, times: Any) -> None:
    if times is not None and (not isinstance(times, int) or isinstance(times, bool) or times < 1):
        msg = f"times is {times!r}; it takes 1 or more, or None for no limit"
        raise ValueError(msg)


def _is_rule(_step: Step, _attribute: Any, when: Any) -> None:
    if when is not None and not callable(when):
        msg = f"when is {when!r}; it takes a function of the request that returns true or false"
        raise TypeError(msg)


@attrs.define(eq=False, on_setattr=attrs.setters.NO_OP)
class Step:
    """An entry of the script.

    Attributes:
        content: the reply or the error; with a function, the settings of its text.
        function: computes the content from the request; None if `content` is all there is.
        when: whether the step is for a request; None for any request.
        times: how many requests the step is still for; None for no limit.
    """

    content: Reply | ErrorStatus
    function: Callable[[RequestRecord], Any] | None = None
    when: Callable[[RequestRecord], Any] | None = attrs.field(default=None, validator=_is_rule)
    times: int | None = attrs.field(default=1, validator=_is_count)

    @property
    def is_scripted_reply(self) -> bool:
        """Whether the step is a reply with content, not only a fault or an error."""
        return isinstance(self.content, Reply) and not isinstance(self.content, DefaultReply)

    def accepts(self, record: RequestRecord) -> bool:
        """Return whether the step is for a request.

        Raises:
            ScriptError: the function `when` raised.
        """
        if self.when is None:
            return True
        # An error may be for any endpoint, but only a JSON object is what `when` can look into.
        if not isinstance(record.body, dict):
            return False
        with _raising_script_error("when", self.when):
            accepted = self.when(record)
            if isinstance(accepted, Coroutine):
                accepted.close()
                msg = "it is a coroutine function; give a plain one"
                raise TypeError(msg)
            return bool(accepted)

    async def compute(self, record: RequestRecord) -> Reply | ErrorStatus:
        """Return the content, computed by the function if there is one.

        Raises:
            ScriptError: the function raised, or returned something else.
        """
        if self.function is None:
            return self.content
        with _raising_script_error("reply", self.function):
            result = self.function(record)
            if isawaitable(result):
                result = await result
            if isinstance(result, str) and isinstance(self.content, Reply):
                return attrs.evolve(self.content, text=result)
            if isinstance(result, Reply | ErrorStatus):
                return result
            msg = f"it returned {result!r}; return a string, a Reply or an ErrorStatus"
            raise TypeError(msg)


class ScriptError(Exception):
    """A function of the test's script failed; its cause is what the function raised."""

    def __init__(self, argument: str, function: Callable[..., Any], error: BaseException) -> None:
        name = getattr(function, "__qualname__", repr(function))
        super().__init__(
            f"The function {name}, given to the emulator as {argument}, failed:"
            f" {type(error).__name__}: {error}"
        )


@contextmanager
def _raising_script_error(argument: str, function: Callable[..., Any]) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # `pytest.fail` raises an exception that is no `Exception`
        # The emulator cancels the request if the client has left, or if it is closed itself.
        # Without that, the function has awaited something that was cancelled.
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        raise ScriptError(argument, function, error) from error


class Script:
    """The steps of a script, in the order of their registration.

    `add` is safe from any thread; only the emulator's event loop may use up steps.
    """

    def __init__(self) -> None:
        self._steps: list[Step] = []

    def add(self, step: Step) -> None:
        """Append a step."""
        self._steps.append(step)

    def find(self, record: RequestRecord, *, is_chat: bool) -> Step | None:
        """Return the first step for a request, and leave it in the script.

        Args:
            record: the request.
            is_chat: whether it is a valid chat request, the only kind that rules for replies see.

        Raises:
            ScriptError: a function `when` raised.
        """
        for step in tuple(self._steps):
            if step.when is not None and not is_chat and not isinstance(step.content, ErrorStatus):
                continue
            if step.accepts(record):
                return step
        return None

    def use(self, step: Step) -> None:
        """Count a step as used once, and remove it after its last use."""
        if step.times is None:
            return
        step.times -= 1
        if step.times == 0:
            self._steps.remove(step)


def check_function(function: Any) -> Callable[[RequestRecord], Any]:
    """Refuse an object that cannot compute a reply.

    Raises:
        TypeError: it is not a function.
    """
    if not callable(function):
        msg = f"text is {function!r}; it takes a string, or a function of the request"
        raise TypeError(msg)
    checked: Callable[[RequestRecord], Any] = function
    return checked


def _build_call(call: ToolCallLike, default_id: str) -> GeneratedCall:
    if isinstance(call, Mapping):
        name, arguments = call["name"], call.get("arguments", {})
        call_id = call.get("id", default_id)
        extra = {key: value for key, value in call.items() if key not in _FIELDS_OF_CALLS}
    else:
        name, arguments = call
        call_id, extra = default_id, {}
    text = arguments if isinstance(arguments, str) else dump_json(arguments)
    return GeneratedCall(call_id, name, text, extra)

"""What the API returns: completions, the deltas of a stream, and the balance."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, Generic, cast

import attrs
import msgspec

from ._json import decode_json
from .errors import ProtocolError
from .tool_types import render_tool_call

if TYPE_CHECKING:
    from collections.abc import Mapping

    # With a default, which TypeVar supports since Python 3.13, a bare Completion means a Completion
    # of any type, so that a function that takes any completion needs no type argument.
    from typing_extensions import TypeVar

    from .errors import Attempt
    from .tool_types import ToolCall

    T_co = TypeVar("T_co", covariant=True, default=Any)
else:
    from typing import TypeVar

    T_co = TypeVar("T_co", covariant=True)

__all__ = [
    "CREDITS_PER_USD",
    "AnswerDelta",
    "Balance",
    "Choice",
    "Completion",
    "Cost",
    "Delta",
    "ReasoningDelta",
    "RefusalDelta",
    "T_co",
    "ToolCallDelta",
    "Usage",
    "raw_body",
]


CREDITS_PER_USD = 2_000_000
"""How many of the vendor's credits make one US dollar; the rate is fixed."""


# Deltas are msgspec structs and not attrs classes: one is created for each chunk of a stream, and
# an instance of a frozen attrs class takes several times as long to create. They hold only strings
# and integers, which form no cycles, so the garbage collector does not have to track them.
class ReasoningDelta(msgspec.Struct, frozen=True, gc=False):
    """A piece of the model's reasoning, which is never part of the answer.

    Attributes:
        text: the piece, never empty.
        choice: the index of the choice, 0 unless ``n`` is above 1.
    """

    text: str
    choice: int = 0


class AnswerDelta(msgspec.Struct, frozen=True, gc=False):
    """A piece of the answer.

    Attributes:
        text: the piece, never empty.
        choice: the index of the choice, 0 unless ``n`` is above 1.
    """

    text: str
    choice: int = 0


class RefusalDelta(msgspec.Struct, frozen=True, gc=False):
    """A piece of the text with which the model refuses to answer.

    Attributes:
        text: the piece, never empty.
        choice: the index of the choice, 0 unless ``n`` is above 1.
    """

    text: str
    choice: int = 0


class ToolCallDelta(msgspec.Struct, frozen=True, gc=False):
    """A piece of the arguments of a tool call.

    The texts of a call add up to `ToolCall.raw_arguments`. Arguments that are an empty object are
    yielded at the end of the stream, since some servers send ``{}`` as a placeholder. Arguments
    that a server repeats are yielded once.

    Attributes:
        text: a fragment of JSON, or of the input of a custom tool. The first fragment of a call may
            be empty; it announces the call.
        choice: the index of the choice, 0 unless ``n`` is above 1.
        index: the index of the call in `Choice.tool_calls`, whatever index the server gave it.
        id: the id as far as it is known, None until the server has sent one; `ToolCall.id` is never
            None.
        name: the name as far as it is known, None until the server has sent one.
    """

    text: str
    choice: int = 0
    index: int = 0
    id: str | None = None
    name: str | None = None


Delta = ReasoningDelta | AnswerDelta | ToolCallDelta | RefusalDelta
"""One step of a stream, with text of exactly one kind: reasoning, answer, tool call or refusal."""


# Usage, Choice and Completion have many fields and no slots: attrs sets the fields of a frozen
# class through its __dict__ if it has one, and with a call for each field if it has slots.
@attrs.frozen(slots=False)
class Usage:
    """Token counts as the server reported them; each is None if it reported none.

    A count is 0 if no token was used, or if the server does not count them and reports zeros. A
    negative number is not a count.

    Attributes:
        prompt_tokens: the input.
        completion_tokens: the output.
        total_tokens: both; it is not always their sum.
        reasoning_tokens: the part of the output that is reasoning. It may exceed
            ``completion_tokens``, since some models count reasoning separately.
        cached_tokens: the part of the input that came from the prompt cache.
        cache_write_tokens: the part of the input that was written to the prompt cache.
        raw: the ``usage`` object of the response.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    raw: dict[str, Any] = attrs.field(factory=dict)

    def as_dict(self) -> dict[str, int | None]:
        """Return the counts by name, without ``raw``."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.total_tokens,
            "reasoning_tokens": self.reasoning_tokens,
            "cached_tokens": self.cached_tokens,
            "cache_write_tokens": self.cache_write_tokens,
        }


@attrs.frozen
class Cost:
    """The amount that the server reported as charged, in US dollars and in credits.

    It is never an estimate from a price list. 2,000,000 credits are one US dollar; if the server
    reported only one of the two amounts, the other one is converted from it. Both are finite and
    not negative; any other value that a server reports is ignored.

    Attributes:
        usd: in US dollars.
        credits: in the vendor's credits.
    """

    usd: float
    credits: float


@attrs.frozen(slots=False)
class Choice:
    """One of the ``n`` alternatives in a completion.

    Attributes:
        index: the index of the choice, from 0.
        text: the answer, ``""`` if there is none.
        reasoning: what the model thought before it answered, ``""`` if there is none.
        refusal: the text with which the model refused to answer, None if it did not.
        tool_calls: the tool calls that the model requests; their ids are unique in a completion.
        finish_reason: ``stop``, ``length``, ``tool_calls`` or ``content_filter``, or the server's
            own word if it matches none of these; None if none was received.
        native_finish_reason: the finish reason as the server sent it, such as ``end_turn``.
        logprobs: the log probabilities as the server sent them, None if there are none.
        audio: the audio object (``data`` is base64), None if there is none.
        annotations: the annotations, such as citations, as the server sent them.
        images: the images that the model made, as the server sent them. They are not sent back.
        turn: further keys of `Completion.as_message`, which are sent back to the model; None if
            there are none.
    """

    index: int = 0
    text: str = ""
    reasoning: str = ""
    refusal: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None
    native_finish_reason: str | None = None
    logprobs: Any = None
    audio: dict[str, Any] | None = None
    annotations: list[Any] = attrs.field(factory=list)
    images: list[Any] = attrs.field(factory=list)
    turn: dict[str, Any] | None = attrs.field(default=None, repr=False)

    def _as_message(self) -> dict[str, Any]:
        if cut := [call for call in self.tool_calls if not call.complete]:
            msg = f"tool call {cut[0].name!r} was cut off and cannot be sent back"
            raise ProtocolError(msg)
        message: dict[str, Any] = {"role": "assistant", "content": self.text or None}
        if self.refusal:
            message["refusal"] = self.refusal
        if self.tool_calls:
            message["tool_calls"] = [render_tool_call(call) for call in self.tool_calls]
        turn = deepcopy(self.turn or {})
        if self.reasoning and "content_blocks" not in turn:
            message["reasoning_content"] = self.reasoning
        return message | turn


_EMPTY_CHOICE = Choice()


def _parse_raw(raw: bytes | dict[str, Any]) -> dict[str, Any]:
    if isinstance(raw, dict):
        return raw
    body: dict[str, Any] = decode_json(raw)
    return body


@attrs.frozen(slots=False)
class Completion(Generic[T_co]):
    """A completion, or the part of it that has been received.

    The ``.partial`` of a stream, a parser or an error is a partial completion: its text ends where
    the stream did, fields that were not received have their defaults, and reading the arguments of
    its tool calls raises `ProtocolError`.

    ``text``, ``reasoning``, ``refusal``, ``tool_calls`` and the finish reasons are those of choice
    0; ``choices`` has all of them.

    Attributes:
        choices: the choices in the order of their index.
        usage: the token counts, None if the server reported none.
        cost: the amount that the server reported as charged, None if it reported none.
        id: the server's id of the completion, ``""`` if it sent none.
        model: the model that the server named, often the upstream's own name for it and not the
            requested one; ``""`` if it named none.
        created: the server's time of creation, in seconds since the epoch; None if it sent none.
        inference_id: the vendor's id of the call, from the response header ``x-inference-id``;
            None if there was no such header.
        client_request_id: the id that was sent with the request, None if there was none.
        attempts: the attempts of the call, the successful one last.
        headers: the response headers; empty without a response.
        is_complete: whether this is all of the completion, whatever its finish reason: the body of
            a whole response, or a stream that reached its end (``[DONE]``, or a finish reason for
            every choice that began). False for a partial completion.
        output: the answer of choice 0 as a value of ``output_type``, None if the call had none.
            Type checkers know its type: it is an ``Invoice`` in a ``Completion[Invoice]``.
    """

    choices: tuple[Choice, ...] = ()
    usage: Usage | None = None
    cost: Cost | None = None
    id: str = ""
    model: str = ""
    created: int | None = None
    inference_id: str | None = None
    client_request_id: str | None = None
    attempts: tuple[Attempt, ...] = ()
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    is_complete: bool = False
    # JSON text that is known to be an object, or the object itself: most callers never read it, so
    # text is parsed only on access.
    _raw: bytes | dict[str, Any] = attrs.field(factory=dict, repr=False, eq=_parse_raw)
    output: T_co = None  # type: ignore[assignment] # without an output_type

    @property
    def raw(self) -> dict[str, Any]:
        """The response body; for a stream, its last chunk plus every unknown top-level key.

        JSON text is parsed at each access, so keep the result if you need it more than once. None
        replaces objects and arrays that are nested deeper than 64 levels.
        """
        return _parse_raw(self._raw)

    @property
    def _first(self) -> Choice:
        if self.is_complete and len(self.choices) == 1:  # some servers count choices from 1
            return self.choices[0]
        return next((choice for choice in self.choices if choice.index == 0), _EMPTY_CHOICE)

    @property
    def text(self) -> str:
        """The answer, ``""`` if there is none."""
        return self._first.text

    @property
    def reasoning(self) -> str:
        """What the model thought before it answered, ``""`` if there is none."""
        return self._first.reasoning

    @property
    def refusal(self) -> str | None:
        """The text with which the model refused to answer, None if it did not."""
        return self._first.refusal

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls that the model requests."""
        return self._first.tool_calls

    @property
    def finish_reason(self) -> str | None:
        """``stop``, ``length``, ``tool_calls``, ``content_filter``, or the server's own word.

        None if no finish reason was received. It does not say whether the completion is whole, as
        `is_complete` does: a whole stream may lack a finish reason, and an incomplete one may have
        it.
        """
        return self._first.finish_reason

    @property
    def native_finish_reason(self) -> str | None:
        """The finish reason as the server sent it, such as ``end_turn``."""
        return self._first.native_finish_reason

    def as_message(self) -> dict[str, Any]:
        """Return choice 0 as an assistant message in OpenAI's form, for the next request.

        It is JSON, so that a conversation can be stored. Each tool call keeps its id, which its
        result has to name, and its `ToolCall.extra`. It also has the reasoning, which is sent only
        to models that accept it back. If Claude has signed its thinking, ``content_blocks`` has all
        blocks of the turn as they were received, for the messages dialect. Images are left out.

        Raises:
            ProtocolError: a tool call was cut off; the API would reject a conversation that
                contains it.
        """
        try:
            return self._first._as_message()  # noqa: SLF001 - a method of this module
        except ProtocolError as error:
            error.partial = cast("Completion", self)  # the type of the output plays no role here
            raise


def raw_body(completion: Completion[Any]) -> bytes | dict[str, Any]:
    """Return `Completion.raw` without parsing it: JSON text if the response was kept as such."""
    return completion._raw  # noqa: SLF001 - a field of this module, hidden from users


@attrs.frozen
class Balance:
    """What is left on the account; a field that the vendor leaves out is None.

    Attributes:
        usd: in US dollars.
        credits: in the vendor's credits, 2,000,000 for a dollar.
        raw: the whole body as the server sent it.
    """

    usd: float | None = None
    credits: float | None = None
    raw: dict[str, Any] = attrs.field(factory=dict, repr=False)

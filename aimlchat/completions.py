"""What the API returns: completions, the deltas that they arrive in, and models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from ._json import decode_json
from .errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .content import ToolCall
    from .errors import Attempt

__all__ = [
    "CREDITS_PER_USD",
    "AnswerDelta",
    "Choice",
    "Completion",
    "Cost",
    "Delta",
    "Model",
    "ReasoningDelta",
    "RefusalDelta",
    "ToolCallDelta",
    "Usage",
    "raw_body",
]


CREDITS_PER_USD = 2_000_000


# Deltas are msgspec structs, not attrs classes: one is made for each chunk of a stream, and a
# frozen attrs class takes several times as long to make. They hold strings and ints only, so
# the cycle collector need not look at them.
class ReasoningDelta(msgspec.Struct, frozen=True, gc=False):
    """A piece of what the model thinks; never part of the answer."""

    text: str
    choice: int = 0


class AnswerDelta(msgspec.Struct, frozen=True, gc=False):
    """A piece of the answer."""

    text: str
    choice: int = 0


class RefusalDelta(msgspec.Struct, frozen=True, gc=False):
    """A piece of the sentence in which the model declines."""

    text: str
    choice: int = 0


class ToolCallDelta(msgspec.Struct, frozen=True, gc=False):
    """A piece of the arguments of a tool call.

    ``text`` is the fragment (JSON text); the first one of a call may be empty: it announces the
    call. ``index`` is the call's place in ``Completion.tool_calls``, whatever the wire called it.
    ``id`` and ``name`` are the best known so far, None until the wire has said.
    """

    text: str
    choice: int = 0
    index: int = 0
    id: str | None = None
    name: str | None = None


Delta = ReasoningDelta | AnswerDelta | ToolCallDelta | RefusalDelta
"""One step of a stream: exactly one kind of text."""


# Those below are frozen, and with slots each field of a frozen class costs a call to set.
@attrs.frozen(slots=False)
class Usage:
    """Token counts as the server reported them; None where it gave none.

    ``total_tokens`` is not always the sum of the two before it, and ``reasoning_tokens`` may exceed
    ``completion_tokens``: some models count reasoning apart. ``raw`` is the wire's own object.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None
    raw: dict[str, Any] = attrs.field(factory=dict)

    def as_dict(self) -> dict[str, int | None]:
        """Return the counts by name, without ``raw``."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.total_tokens,
            "reasoning_tokens": self.reasoning_tokens,
            "cached_tokens": self.cached_tokens,
        }


@attrs.frozen
class Cost:
    """What the server said that it charged; never an estimate from a price list.

    2,000,000 credits are one US dollar: where the wire names only one of the two, the other is
    that one converted.
    """

    usd: float
    credits: float


@attrs.frozen(slots=False)
class Choice:
    """One of the ``n`` answers to a request."""

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


_NOTHING = Choice()


def _parsed(raw: bytes | dict[str, Any]) -> dict[str, Any]:
    if isinstance(raw, dict):
        return raw
    body: dict[str, Any] = decode_json(raw)
    return body


@attrs.frozen(slots=False)
class Completion:
    """A completion, whole or (on an error, or while it streams) as far as it has come.

    ``text``, ``reasoning``, ``tool_calls`` and their like are those of choice 0; ``choices`` has
    all. ``model`` and ``id`` are what the server echoed, ``created`` is in seconds since the epoch.
    ``inference_id`` is the vendor's name for this answer, ``client_request_id`` the one sent with
    the request. ``headers`` are those of the answer.
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
    # The JSON text itself where it is known to be good: most callers never look at it.
    _raw: bytes | dict[str, Any] = attrs.field(factory=dict, repr=False, eq=_parsed)

    @property
    def raw(self) -> dict[str, Any]:
        """The body of a whole answer; of a streamed one its last chunk and all unknown keys.

        Parsed on access.
        """
        return _parsed(self._raw)

    @property
    def _first(self) -> Choice:
        return next((choice for choice in self.choices if choice.index == 0), _NOTHING)

    @property
    def text(self) -> str:
        """The answer; ``""`` if there was none."""
        return self._first.text

    @property
    def reasoning(self) -> str:
        """What the model thought before it answered; ``""`` if there was none."""
        return self._first.reasoning

    @property
    def refusal(self) -> str | None:
        """The sentence in which the model declined, or None."""
        return self._first.refusal

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls that the model asks for."""
        return self._first.tool_calls

    @property
    def finish_reason(self) -> str | None:
        """``stop``, ``length``, ``tool_calls``, ``content_filter``, or the wire's own word."""
        return self._first.finish_reason

    @property
    def native_finish_reason(self) -> str | None:
        """The wire's ``finish_reason`` as it came, such as ``end_turn``."""
        return self._first.native_finish_reason

    def as_message(self) -> dict[str, Any]:
        """Return choice 0 as an assistant message in OpenAI's form, to be sent back as history.

        Reasoning is left out: the API takes none back. Raises `ProtocolError` if a tool call was
        cut off, since a history with half a call would be refused.
        """
        cut = [call for call in self.tool_calls if not call.complete]
        if cut:
            msg = f"tool call {cut[0].name!r} was cut off with its stream and cannot be sent back"
            raise ProtocolError(msg, partial=self)
        message: dict[str, Any] = {"role": "assistant", "content": self.text or None}
        if self.refusal:
            message["refusal"] = self.refusal
        if self.tool_calls:
            message["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.raw_arguments or "{}"},
                }
                for call in self.tool_calls
            ]
        return message


def raw_body(completion: Completion) -> bytes | dict[str, Any]:
    """Return `Completion.raw` without parsing it: the JSON text where that is known to be good."""
    return completion._raw  # noqa: SLF001 - a field of this module, kept from users


@attrs.frozen
class Model:
    """One entry of ``GET /v1/models``.

    ``type`` is the endpoint that serves it, ``openai/chat-completions`` for chat. What the vendor
    did not say is empty or None; ``raw`` is the whole entry. Lengths are in tokens.
    """

    id: str
    aliases: tuple[str, ...] = ()
    type: str = ""
    name: str = ""
    developer: str = ""
    description: str = ""
    context_length: int | None = None
    max_output: int | None = None
    capabilities: tuple[str, ...] = ()
    raw: dict[str, Any] = attrs.field(factory=dict, repr=False)

    def goes_by(self, name: str) -> bool:
        """Return whether ``name`` is this model's id or one of its aliases."""
        return name == self.id or name in self.aliases

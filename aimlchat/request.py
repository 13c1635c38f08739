"""`ChatRequest`, the immutable builder over the dialects."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Self

import attrs

from .completions import Completion
from .content import Audio, Document, Image, Message, Text, Tool
from .dialects import PAYLOADS, Dialect, Mode, route
from .dialects.limits import mapping, whole, word
from .dialects.values import freeze, plain, refuse, shown, text
from .errors import InvalidRequestError, ProtocolError

__all__ = ["DEFAULT_MODEL", "ChatRequest", "Thinking"]

DEFAULT_MODEL = "anthropic/claude-3.7-sonnet"

Part = str | Text | Image | Document | Audio

_KINDS_OF_PART = (Text, Image, Document, Audio)
_SMALLEST_BUDGET = 1024
# Room for the answer itself, where a budget is given and no max_tokens.
_ROOM_BESIDE_BUDGET = 4096
_CLIENT_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


@attrs.frozen
class Thinking:
    """A budget for the model's reasoning, in tokens: at least 1024, and below ``max_tokens``."""

    budget_tokens: int


def _messages(
    given: Iterable[Message | Mapping[str, Any]] | None,
) -> tuple[Message | Mapping[str, Any], ...]:
    frozen: tuple[Message | Mapping[str, Any], ...] = _items(given)
    return frozen


def _tools(given: Iterable[Tool | Mapping[str, Any]] | None) -> tuple[Tool | Mapping[str, Any], ...]:
    frozen: tuple[Tool | Mapping[str, Any], ...] = _items(given)
    return frozen


def _items(given: Any) -> Any:
    if given is None:
        return ()
    if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Iterable):
        return given  # not a list at all: `payload` says so
    return tuple([_own(item) for item in given])


def _own(given: Any) -> Any:
    """Copy what the caller could still change."""
    if isinstance(given, Tool):
        return attrs.evolve(given, parameters=freeze(given.parameters))
    return freeze(given)


@attrs.frozen(repr=False)
class ChatRequest:
    """A request that never changes: each method returns a new one, so a base one can be shared.

    What is given is copied, so changing a list or dict afterwards changes no request. A field that
    is None (or empty, for lists and ``system``) is not sent. Nothing is checked before `payload`,
    except that the methods refuse arguments of the wrong type at once.

    - ``model``: its name; None for ``anthropic/claude-3.7-sonnet``. It decides the dialect.
    - ``messages``: what the methods added, and dicts in OpenAI's form, for any model.
    - ``system``: the system prompt, in front of any system message among ``messages``.
    - ``max_tokens``: the most tokens of the answer (its reasoning included), at least 1.
    - ``temperature`` 0 to 2 (0 to 1 in the anthropic dialect), ``top_p`` 0 to 1, ``top_k``,
      ``frequency_penalty`` and ``presence_penalty`` -2 to 2, ``logit_bias`` -100 to 100, ``seed``.
    - ``stop``: a text or up to 4 that end the answer. ``n``: how many answers.
    - ``logprobs``: whether to report them; ``top_logprobs``: 0 to 20, only with ``logprobs``.
    - ``tools``: up to 128 `Tool`, or dicts in either dialect's form. ``tool_choice``: ``none``,
      ``auto``, ``required``, a tool or its name, or either dialect's dict.
    - ``thinking``: `Thinking` or its number of tokens; ``"adaptive"``; False to switch it off
      where the model knows that. With a budget, ``max_tokens`` is the budget + 4096 by default.
    - ``dialect``: ``openai`` or ``anthropic``, where the model's name decides wrongly.
    - ``client_request_id``: 1 to 128 of ``A-Z a-z 0-9 . _ : -``, sent as a header.
    - ``extra``: merged into the body last, unchecked but for JSON; None in it removes a key.
    """

    model: str | None = None
    messages: tuple[Message | Mapping[str, Any], ...] = attrs.field(
        default=(), converter=_messages, kw_only=True
    )
    system: str | None = attrs.field(default=None, kw_only=True)
    max_tokens: int | None = attrs.field(default=None, kw_only=True)
    temperature: float | None = attrs.field(default=None, kw_only=True)
    top_p: float | None = attrs.field(default=None, kw_only=True)
    top_k: int | None = attrs.field(default=None, kw_only=True)
    stop: str | Iterable[str] | None = attrs.field(default=None, converter=freeze, kw_only=True)
    n: int | None = attrs.field(default=None, kw_only=True)
    seed: int | None = attrs.field(default=None, kw_only=True)
    logprobs: bool | None = attrs.field(default=None, kw_only=True)
    top_logprobs: int | None = attrs.field(default=None, kw_only=True)
    logit_bias: Mapping[Any, float] | None = attrs.field(
        default=None, converter=freeze, kw_only=True
    )
    frequency_penalty: float | None = attrs.field(default=None, kw_only=True)
    presence_penalty: float | None = attrs.field(default=None, kw_only=True)
    tools: tuple[Tool | Mapping[str, Any], ...] = attrs.field(
        default=(), converter=_tools, kw_only=True
    )
    tool_choice: str | Tool | Mapping[str, Any] | None = attrs.field(
        default=None, converter=_own, kw_only=True
    )
    parallel_tool_calls: bool | None = attrs.field(default=None, kw_only=True)
    response_format: Mapping[str, Any] | None = attrs.field(
        default=None, converter=freeze, kw_only=True
    )
    reasoning_effort: str | None = attrs.field(default=None, kw_only=True)
    thinking: Thinking | int | Literal["adaptive"] | None = attrs.field(default=None, kw_only=True)
    metadata: Mapping[str, str] | None = attrs.field(default=None, converter=freeze, kw_only=True)
    prediction: Mapping[str, Any] | None = attrs.field(
        default=None, converter=freeze, kw_only=True
    )
    modalities: Iterable[str] | None = attrs.field(default=None, converter=freeze, kw_only=True)
    audio: Mapping[str, Any] | None = attrs.field(default=None, converter=freeze, kw_only=True)
    web_search_options: Mapping[str, Any] | None = attrs.field(
        default=None, converter=freeze, kw_only=True
    )
    dialect: Dialect | None = attrs.field(default=None, kw_only=True)
    client_request_id: str | None = attrs.field(default=None, kw_only=True)
    extra: Mapping[str, Any] | None = attrs.field(default=None, converter=freeze, kw_only=True)

    def __repr__(self) -> str:
        said = [
            f"{field.name}={getattr(self, field.name)!r}"
            for field in attrs.fields(type(self))
            if getattr(self, field.name) != field.default
        ]
        return f"{type(self).__name__}({', '.join(said)})"

    def options(self, **changes: Any) -> Self:
        """Return a copy with other values for some fields; an unknown name is a `TypeError`."""
        return attrs.evolve(self, **changes)

    def system_(self, text: str) -> Self: ...

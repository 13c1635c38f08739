"""`ChatRequest`, the immutable builder over the dialects."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

import attrs

from ._payload.build import build_payload
from ._payload.json_values import freeze, plain, refuse, shown
from ._payload.limits import flag
from .completions import Completion
from .content import Audio, Document, Image, Message, Text, Thinking, Tool
from .errors import InvalidRequestError, ProtocolError

if TYPE_CHECKING:
    from ._payload.models import Dialect

__all__ = ["ChatRequest", "freeze_tools"]

_Part = str | Text | Image | Document | Audio
_Messages = tuple[Message | Mapping[str, Any], ...]
_Tools = tuple[Tool | Mapping[str, Any], ...]
_Mapping = Mapping[str, Any]

_KINDS_OF_PART = (Text, Image, Document, Audio)


# The converters copy whatever the caller could still change. Each has a type of its own, since
# the types of the constructor's arguments come from them.
def _items(given: Any) -> Any:
    if given == () or given is None:
        return ()
    if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Iterable):
        return given  # not a list at all, as `payload` will say
    return tuple([_own(item) for item in given])


def _own(given: Any) -> Any:
    if isinstance(given, Tool):
        return attrs.evolve(given, parameters=freeze(given.parameters))
    return freeze(given)


def _messages(given: Iterable[Message | _Mapping] | None) -> _Messages:
    kept: _Messages = _items(given)
    return kept


def freeze_tools(given: Iterable[Tool | _Mapping] | None) -> _Tools:
    """Copy what the caller could still change in a list of tools."""
    kept: _Tools = _items(given)
    return kept


def _choice(given: str | Tool | _Mapping | None) -> str | Tool | _Mapping | None:
    kept: str | Tool | _Mapping | None = None if given is None else _own(given)
    return kept


def _dict(given: _Mapping | None) -> _Mapping | None:
    kept: _Mapping | None = None if given is None else freeze(given)
    return kept


def _biases(given: Mapping[int, float] | Mapping[str, float] | None) -> Mapping[Any, float] | None:
    kept: Mapping[Any, float] | None = None if given is None else freeze(given)
    return kept


def _texts(given: Sequence[str] | None) -> Sequence[str] | None:
    kept: Sequence[str] | None = None if given is None else freeze(given)
    return kept


# Without slots: the fields of a dict are set, and picked out again, at half the price.
@attrs.frozen(repr=False, slots=False)
class ChatRequest:
    """A request that never changes: each method returns a new one, so a base one can be shared.

    What is given is copied; changing a list or dict afterwards changes no request. A field that is
    None, or an empty list or system prompt, is not sent. Everything is checked in `payload`;
    the methods also refuse arguments of the wrong type at once.

    - ``model``: its name; None for ``anthropic/claude-3.7-sonnet``. It decides the dialect.
    - ``messages``: what the methods added, and dicts in OpenAI's form, which go to every model;
      what is unknown in them passes through.
    - ``system``: the system prompt, in front of system messages among ``messages``.
    - ``max_tokens``: the most tokens of the answer, its reasoning included; at least 1.
    - ``temperature`` 0 to 2 (0 to 1 in the anthropic dialect), ``top_p`` 0 to 1, ``top_k`` from 0,
      ``frequency_penalty`` and ``presence_penalty`` -2 to 2, ``logit_bias`` -100 to 100 by token,
      ``seed``.
    - ``stop``: a text that ends the answer, or a list of them (up to 4 in the openai dialect).
    - ``n``: how many answers. ``top_logprobs``: 0 to 20, only with ``logprobs=True``.
    - ``tools``: up to 128 `Tool`, or dicts in either dialect's form. ``tool_choice``: ``none``,
      ``auto``, ``required``, a tool or its name, or either dialect's dict.
    - ``response_format``: a dict of type ``text``, ``json_object`` or ``json_schema``.
    - ``thinking``: `Thinking`, or its number of tokens; ``"adaptive"``; False to switch it off
      where the model knows that. With a budget, ``max_tokens`` is by default the budget + 4096.
    - ``dialect``: ``openai`` or ``anthropic``, to overrule what the model's name says.
    - ``client_request_id``: 1 to 128 of ``A-Z a-z 0-9 . _ : -``; a header, not in the body.
    - ``extra``: merged into the body last, and only checked to be JSON; None removes a key.
    """

    model: str | None = None
    messages: _Messages = attrs.field(default=(), converter=_messages, kw_only=True)
    # The name without the underscore is the method's; to the constructor it is `system` too.
    _system: str | None = attrs.field(default=None, kw_only=True)
    max_tokens: int | None = attrs.field(default=None, kw_only=True)
    temperature: float | None = attrs.field(default=None, kw_only=True)
    top_p: float | None = attrs.field(default=None, kw_only=True)
    top_k: int | None = attrs.field(default=None, kw_only=True)
    stop: Sequence[str] | None = attrs.field(default=None, converter=_texts, kw_only=True)
    n: int | None = attrs.field(default=None, kw_only=True)
    seed: int | None = attrs.field(default=None, kw_only=True)
    logprobs: bool | None = attrs.field(default=None, kw_only=True)
    top_logprobs: int | None = attrs.field(default=None, kw_only=True)
    logit_bias: Mapping[Any, float] | None = attrs.field(
        default=None, converter=_biases, kw_only=True
    )
    frequency_penalty: float | None = attrs.field(default=None, kw_only=True)
    presence_penalty: float | None = attrs.field(default=None, kw_only=True)
    tools: _Tools = attrs.field(default=(), converter=freeze_tools, kw_only=True)
    tool_choice: str | Tool | _Mapping | None = attrs.field(
        default=None, converter=_choice, kw_only=True
    )
    parallel_tool_calls: bool | None = attrs.field(default=None, kw_only=True)
    response_format: _Mapping | None = attrs.field(default=None, converter=_dict, kw_only=True)
    reasoning_effort: str | None = attrs.field(default=None, kw_only=True)
    thinking: Thinking | int | Literal["adaptive"] | None = attrs.field(default=None, kw_only=True)
    metadata: _Mapping | None = attrs.field(default=None, converter=_dict, kw_only=True)
    prediction: _Mapping | None = attrs.field(default=None, converter=_dict, kw_only=True)
    modalities: Sequence[str] | None = attrs.field(default=None, converter=_texts, kw_only=True)
    audio: _Mapping | None = attrs.field(default=None, converter=_dict, kw_only=True)
    web_search_options: _Mapping | None = attrs.field(default=None, converter=_dict, kw_only=True)
    dialect: Dialect | None = attrs.field(default=None, kw_only=True)
    client_request_id: str | None = attrs.field(default=None, kw_only=True)
    extra: _Mapping | None = attrs.field(default=None, converter=_dict, kw_only=True)

    def __repr__(self) -> str:
        said = [
            f"{field.alias}={getattr(self, field.name)!r}"
            for field in attrs.fields(ChatRequest)
            if getattr(self, field.name) != field.default
        ]
        return f"{type(self).__name__}({', '.join(said)})"

    def options(self, **changes: Any) -> Self:
        """Return a copy with other values for some fields; an unknown name is a `TypeError`."""
        return attrs.evolve(self, **changes)

    def system(self, text: str | None) -> Self:
        """Return a copy with this system prompt in place of the one before; None for none."""
        return attrs.evolve(self, system=text)

    def user(self, *parts: _Part) -> Self:
        """Return a copy with a message of the user's added: texts, images, documents, audio.

        Raises `InvalidRequestError` for anything else.
        """
        field = f"{self._next}.content"
        return self._with(Message("user", _parts(parts, field)))

    def assistant(self, turn: str | Completion) -> Self:
        """Return a copy with an answer added: a text, or a completion with its tool calls.

        Reasoning is left out, since the API takes none back. Raises `InvalidRequestError` for a
        completion with a tool call that was cut off, or with nothing to send back.
        """
        if isinstance(turn, str):
            return self._with(Message("assistant", (Text(turn),)))
        field = self._next
        if not isinstance(turn, Completion):
            refuse(f"{shown(turn)} is no answer; give a str or a Completion", f"{field}.content")
        try:
            said = turn.as_message()
        except ProtocolError as error:
            raise InvalidRequestError(str(error), field=f"{field}.tool_calls") from error
        if not (said["content"] or turn.refusal or turn.tool_calls):
            msg = "the completion has neither text, refusal nor tool calls; leave it out"
            refuse(msg, f"{field}.content")
        parts = (Text(said["content"]),) if said["content"] else ()
        calls = turn.tool_calls
        return self._with(Message("assistant", parts, tool_calls=calls, refusal=turn.refusal))

    def tool_result(self, call_id: str, content: Any, *, is_error: bool = False) -> Self:
        """Return a copy with the result of a tool call added.

        ``content`` is a text; or parts (texts, and images in the anthropic dialect); or any other
        value that JSON can hold, which is sent as JSON text. ``is_error`` can only be said in the
        anthropic dialect. Raises `InvalidRequestError` for what JSON cannot hold.
        """
        field = self._next
        flag(is_error, f"{field}.is_error")
        parts = _result(content, f"{field}.content")
        return self._with(Message("tool", parts, call_id=call_id, is_error=is_error))

    @property
    def _next(self) -> str:
        if not isinstance(self.messages, tuple):
            refuse(f"{shown(self.messages)} is not a list of messages", "messages")
        return f"messages[{len(self.messages)}]"

    def _with(self, message: Message) -> Self:
        return attrs.evolve(self, messages=(*self.messages, message))

    def payload(self, stream: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - public
        """Return the JSON body, made anew at each call; with ``stream`` the one that streams.

        Everything is checked here: raises `InvalidRequestError`, whose ``field`` names what the
        API would refuse and whose message says the limit and what to do instead.
        """
        return build_payload(vars(self), stream=stream)


def _parts(parts: Iterable[Any], field: str) -> tuple[Text | Image | Document | Audio, ...]:
    found = []
    for place, part in enumerate(parts):
        if not isinstance(part, (str, *_KINDS_OF_PART)):
            msg = f"{shown(part)} is no part; give str, Text, Image, Document or Audio"
            refuse(msg, f"{field}[{place}]")
        found.append(Text(part) if isinstance(part, str) else part)
    return tuple(found)


def _result(content: Any, field: str) -> tuple[Text | Image | Document | Audio, ...]:
    if isinstance(content, (str, *_KINDS_OF_PART)):
        return _parts([content], field)
    if isinstance(content, (list, tuple)) and any(
        isinstance(item, _KINDS_OF_PART) for item in content
    ):
        return _parts(content, field)
    return (Text(json.dumps(plain(content, field), ensure_ascii=False)),)

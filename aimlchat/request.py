"""`ChatRequest`, an immutable builder of requests, and `RequestOptions`, its fields as keywords."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NoReturn, Self, TypedDict, Unpack, cast

import attrs

from ._payload.build import build_payload
from ._payload.json_values import describe, freeze, refuse, to_json_value
from ._payload.limits import check_boolean
from ._payload.model_table import Dialect  # noqa: TC001 - a tool may resolve the hints of RequestOptions
from .completions import Completion
from .content import Audio, Document, Image, Message, Text, Thinking, Tool
from .errors import InvalidRequestError, ProtocolError

__all__ = ["ChatRequest", "RequestOptions", "check_options", "freeze_messages", "freeze_tools"]

_Part = str | Text | Image | Document | Audio
_Messages = tuple[Message | Mapping[str, Any], ...]
_Tools = tuple[Tool | Mapping[str, Any], ...]
_Mapping = Mapping[str, Any]

_PART_CLASSES = (Text, Image, Document, Audio)


# The converters copy whatever the caller could still change. Each has its own annotations, since
# type checkers take the types of the constructor's arguments from them.
def _freeze_items(items: Any) -> Any:
    if items is None:
        return ()
    if isinstance(items, (str, bytes, Mapping)) or not isinstance(items, Iterable):
        return items  # Not a list; `payload` refuses it.
    return tuple([_freeze_item(item) for item in items])


def _freeze_item(item: Any) -> Any:
    if isinstance(item, Tool):
        return attrs.evolve(item, parameters=freeze(item.parameters))
    return freeze(item)


def freeze_messages(messages: Iterable[Message | _Mapping] | None) -> _Messages:
    """Return an immutable copy of a list of messages."""
    frozen: _Messages = _freeze_items(messages)
    return frozen


def freeze_tools(tools: Iterable[Tool | _Mapping] | None) -> _Tools:
    """Return an immutable copy of a list of tools."""
    frozen: _Tools = _freeze_items(tools)
    return frozen


def _freeze_choice(choice: str | Tool | _Mapping | None) -> str | Tool | _Mapping | None:
    frozen: str | Tool | _Mapping | None = None if choice is None else _freeze_item(choice)
    return frozen


def _freeze_mapping(mapping: _Mapping | None) -> _Mapping | None:
    frozen: _Mapping | None = None if mapping is None else freeze(mapping)
    return frozen


def _freeze_bias(
    biases: Mapping[int, float] | Mapping[str, float] | None,
) -> Mapping[Any, float] | None:
    frozen: Mapping[Any, float] | None = None if biases is None else freeze(biases)
    return frozen


def _freeze_texts(texts: Sequence[str] | None) -> Sequence[str] | None:
    frozen: Sequence[str] | None = None if texts is None else freeze(texts)
    return frozen


class RequestOptions(TypedDict, total=False):
    """The fields of `ChatRequest`, as keywords of `ChatRequest.options` and of a session's calls.

    Names, types, meanings and limits are those of `ChatRequest`. In a call an option replaces the
    field of the request; None stands for the field's default, and ``messages`` replaces the whole
    conversation. Any other name raises `TypeError`.
    """

    model: str | None
    messages: Iterable[Message | _Mapping] | None
    system: str | None
    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    top_k: int | None
    stop: Sequence[str] | None
    n: int | None
    seed: int | None
    logprobs: bool | None
    top_logprobs: int | None
    logit_bias: Mapping[int, float] | Mapping[str, float] | None
    frequency_penalty: float | None
    presence_penalty: float | None
    tools: Iterable[Tool | _Mapping] | None
    tool_choice: str | Tool | _Mapping | None
    parallel_tool_calls: bool | None
    response_format: _Mapping | None
    reasoning_effort: str | None
    thinking: Thinking | int | Literal["adaptive"] | None
    metadata: _Mapping | None
    prediction: _Mapping | None
    modalities: Sequence[str] | None
    audio: _Mapping | None
    web_search_options: _Mapping | None
    dialect: Dialect | None
    client_request_id: str | None
    extra: _Mapping | None


_OPTION_NAMES = RequestOptions.__optional_keys__
# Names from other SDKs, and names that belong elsewhere in this one, each with what to do instead.
# All names that contain "timeout" share one entry.
_ADVICE = {
    "api_key": "give it to ChatSession(api_key=...)",
    "base_url": "give it to ChatSession(base_url=...)",
    "extra_body": "use extra={...}",
    "extra_headers": "pass headers={...} to the call",
    "function_call": "use tool_choice",
    "functions": "use tools",
    "headers": "pass headers={...} to the call",
    "max_completion_tokens": "use max_tokens",
    "max_retries": "pass retry=RetryPolicy(attempts=...) to the call",
    "retry": "pass retry=RetryPolicy(...) to the call",
    "stop_sequences": "use stop",
    "stream": "to stream, use ChatSession.stream(...); otherwise leave it out",
    "stream_options": "leave it out, since usage is always requested",
    "system_prompt": "use system",
    "timeout": "pass timeouts=Timeouts(...) to the call",
    "user": "use extra={'user': ...}, or metadata={'user_id': ...} in the anthropic dialect",
}


def check_options(method: Callable[..., object], options: Mapping[str, Any]) -> None:
    """Check the names of the options of a call; their values are checked with the payload.

    Args:
        method: the bound method that was called.
        options: the keywords that it was called with, without its own parameters. The values of
            unknown ones are removed.

    Raises:
        TypeError: for a name that is not in `RequestOptions`. The message names the method, the
            option and what to use instead.
    """
    if not options.keys() <= _OPTION_NAMES:
        unknown = [name for name in options if name not in _OPTION_NAMES]
        for name in unknown:
            # Its value may be a key, and a traceback may show the locals of the caller.
            cast("dict[str, Any]", options)[name] = ...
        _refuse_option(method, unknown[0])


def _refuse_option(method: Any, name: str) -> NoReturn:
    import difflib  # noqa: PLC0415 - only an error needs it, and `import aimlchat` should be fast
    from inspect import signature  # noqa: PLC0415

    called, owner = method.__qualname__, type(method.__self__)
    parameters = signature(method).parameters.keys() - {"options"}
    methods = [getattr(owner, attribute) for attribute in dir(owner) if attribute[0] != "_"]
    others = [
        other.__qualname__
        for other in filter(callable, methods)
        if name in signature(other).parameters
    ]
    if name == "stream" and "stream" in called:
        advice = "leave it out, since this method always streams"
    elif "timeout" in name:
        advice = _ADVICE["timeout"]
    elif name in _ADVICE:
        advice = _ADVICE[name]
    elif others:
        advice = f"it is a parameter of {others[0]}()"
    elif near := difflib.get_close_matches(name, sorted(_OPTION_NAMES | parameters), n=1):
        advice = f"did you mean {near[0]!r}?"
    else:
        advice = (
            "it is neither a parameter of the method nor a field of ChatRequest; to send it to the"
            f" API unchecked, use extra={{{name!r}: ...}}"
        )
    msg = f"{called}() got an unknown option {name!r}; {advice}"
    raise TypeError(msg)


# Without slots: reading the fields from the instance's dict halves the cost of the payload.
@attrs.frozen(repr=False, slots=False)
class ChatRequest:
    """An immutable request. Each method returns a changed copy, so tasks can share a base request.

    Lists and dicts are copied: changing them afterwards changes no request. A field that is None,
    or an empty list or system prompt, is not sent; nor is a default that the dialect lacks, such as
    ``n=1`` in the anthropic dialect. The values are checked by `payload`; the methods also refuse
    arguments of the wrong type at once. Requests compare by value, and can be pickled.

    - ``model``: its name, which decides the dialect; None for the session's model, or without a
      session for ``AIMLAPI_MODEL``, else ``anthropic/claude-3.7-sonnet``.
    - ``messages``: what the methods added, and dicts in OpenAI's form, which are translated for
      models of the anthropic dialect. Unknown keys and parts pass unchanged, and keys without a
      value are left out.
    - ``system``: the system prompt, which precedes the system messages among ``messages``.
    - ``max_tokens``: the most tokens to generate, reasoning included; at least 1.
    - ``temperature``: 0 to 2, in the anthropic dialect 0 to 1. ``top_p``: 0 to 1. ``top_k``: at
      least 0; anthropic dialect only.
    - ``frequency_penalty`` and ``presence_penalty``: -2 to 2. ``logit_bias``: -100 to 100, by token
      id. ``seed``: a whole number. OpenAI dialect only.
    - ``stop``: a text that ends the generation, or a list of them; up to 4 in the openai dialect.
    - ``n``: the number of choices, at least 1. ``logprobs``: whether to return log probabilities.
      ``top_logprobs``: 0 to 20, only with ``logprobs=True``. OpenAI dialect only.
    - ``tools``: up to 128 `Tool` objects, or dicts in either dialect's form.
    - ``tool_choice``: ``"none"``, ``"auto"``, ``"required"``, a tool or its name, or a dict in
      either dialect's form.
    - ``parallel_tool_calls``: whether one completion may have several calls; openai dialect only.
    - ``response_format``: a dict of type ``text``, ``json_object`` or ``json_schema``; openai
      dialect only.
    - ``reasoning_effort``: ``low``, ``medium``, ``high``, or a vendor's own value; openai dialect
      only.
    - ``thinking``: `Thinking`, or its budget in tokens; ``"adaptive"``; False to disable it, which
      sends nothing to models that do not think by default. With a budget, ``max_tokens`` is by
      default the budget plus 4096.
    - ``metadata``: a dict of str to str; anthropic dialect only.
    - ``prediction``, ``web_search_options``: dicts, sent as they are. ``modalities``: a list of
      ``text`` and ``audio``. ``audio``: a dict with ``format`` and ``voice``. OpenAI dialect only.
    - ``dialect``: ``openai`` or ``anthropic``, to override the choice by the model's name.
    - ``client_request_id``: 1 to 128 of ``A-Z a-z 0-9 . _ : -``. It is sent as a header and is not
      part of the payload.
    - ``extra``: a dict that is merged into the payload last; it only has to be valid JSON. A value
      of None removes the key.
    """

    model: str | None = None
    messages: _Messages = attrs.field(default=(), converter=freeze_messages, kw_only=True)
    # `system` is the name of a method too; the constructor's argument has no underscore.
    _system: str | None = attrs.field(default=None, alias="system", kw_only=True)
    max_tokens: int | None = attrs.field(default=None, kw_only=True)
    temperature: float | None = attrs.field(default=None, kw_only=True)
    top_p: float | None = attrs.field(default=None, kw_only=True)
    top_k: int | None = attrs.field(default=None, kw_only=True)
    stop: Sequence[str] | None = attrs.field(default=None, converter=_freeze_texts, kw_only=True)
    n: int | None = attrs.field(default=None, kw_only=True)
    seed: int | None = attrs.field(default=None, kw_only=True)
    logprobs: bool | None = attrs.field(default=None, kw_only=True)
    top_logprobs: int | None = attrs.field(default=None, kw_only=True)
    logit_bias: Mapping[Any, float] | None = attrs.field(
        default=None, converter=_freeze_bias, kw_only=True
    )
    frequency_penalty: float | None = attrs.field(default=None, kw_only=True)
    presence_penalty: float | None = attrs.field(default=None, kw_only=True)
    tools: _Tools = attrs.field(default=(), converter=freeze_tools, kw_only=True)
    tool_choice: str | Tool | _Mapping | None = attrs.field(
        default=None, converter=_freeze_choice, kw_only=True
    )
    parallel_tool_calls: bool | None = attrs.field(default=None, kw_only=True)
    response_format: _Mapping | None = attrs.field(
        default=None, converter=_freeze_mapping, kw_only=True
    )
    reasoning_effort: str | None = attrs.field(default=None, kw_only=True)
    thinking: Thinking | int | Literal["adaptive"] | None = attrs.field(default=None, kw_only=True)
    metadata: _Mapping | None = attrs.field(default=None, converter=_freeze_mapping, kw_only=True)
    prediction: _Mapping | None = attrs.field(default=None, converter=_freeze_mapping, kw_only=True)
    modalities: Sequence[str] | None = attrs.field(
        default=None, converter=_freeze_texts, kw_only=True
    )
    audio: _Mapping | None = attrs.field(default=None, converter=_freeze_mapping, kw_only=True)
    web_search_options: _Mapping | None = attrs.field(
        default=None, converter=_freeze_mapping, kw_only=True
    )
    dialect: Dialect | None = attrs.field(default=None, kw_only=True)
    client_request_id: str | None = attrs.field(default=None, kw_only=True)
    extra: _Mapping | None = attrs.field(default=None, converter=_freeze_mapping, kw_only=True)

    def __repr__(self) -> str:
        changed = [
            f"{field.alias}={getattr(self, field.name)!r}"
            for field in attrs.fields(ChatRequest)
            if getattr(self, field.name) != field.default
        ]
        return f"{type(self).__name__}({', '.join(changed)})"

    def options(self, **changes: Unpack[RequestOptions]) -> Self:
        """Return a copy with other values for some fields.

        Raises `TypeError` for a name that is not a field; its message says what to use instead.
        """
        check_options(self.options, changes)
        return attrs.evolve(self, **changes)

    def system(self, text: str | None) -> Self:
        """Return a copy with another system prompt; None or a blank text removes it."""
        return attrs.evolve(self, system=text)

    def user(self, *parts: _Part) -> Self:
        """Return a copy with a user message added: texts, images, documents and audio.

        Raises `InvalidRequestError` for parts of any other type.
        """
        field = f"{self._next_field}.content"
        return self._add(Message("user", _check_parts(parts, field)))

    def assistant(self, message: str | Completion) -> Self:
        """Return a copy with an assistant message added, to send the model's answer back.

        Args:
            message: a text, or a completion: its text, refusal and tool calls are sent, these
                with their `ToolCall.extra` in the openai dialect. Its reasoning is not, since the
                API does not accept it.

        Raises:
            InvalidRequestError: for a completion with a tool call that was cut off, or with nothing
                to send back, and for any other type.
        """
        field = self._next_field
        if isinstance(message, str):
            return self._add(Message("assistant", (Text(message),)))
        if not isinstance(message, Completion):
            refuse(f"{describe(message)} is not a str or a Completion", f"{field}.content")
        try:
            content = message.as_message()["content"]
        except ProtocolError as error:
            raise InvalidRequestError(str(error), field=f"{field}.tool_calls") from error
        if not (content or message.refusal or message.tool_calls):
            msg = "the completion has neither text, refusal nor tool calls; leave it out"
            refuse(msg, f"{field}.content")
        parts = (Text(content),) if content else ()
        calls = tuple(
            attrs.evolve(call, extra=freeze(call.extra)) if call.extra else call
            for call in message.tool_calls
        )
        return self._add(Message("assistant", parts, tool_calls=calls, refusal=message.refusal))

    def tool_result(self, call_id: str, content: Any, *, is_error: bool = False) -> Self:
        """Return a copy with the result of a tool call added.

        Args:
            call_id: the `ToolCall.id` of the call.
            content: a text; or a part or a list of parts, which are texts and, in the anthropic
                dialect, images; or any other JSON value, which is sent as JSON text.
            is_error: whether the tool failed; True only in the anthropic dialect.

        Raises:
            InvalidRequestError: for content that cannot be JSON.
        """
        field = self._next_field
        check_boolean(is_error, f"{field}.is_error")
        parts = _build_result_parts(content, f"{field}.content")
        return self._add(Message("tool", parts, call_id=call_id, is_error=is_error))

    @property
    def _next_field(self) -> str:
        if not isinstance(self.messages, tuple):
            refuse(f"{describe(self.messages)} is not a list of messages", "messages")
        return f"messages[{len(self.messages)}]"

    def _add(self, message: Message) -> Self:
        return attrs.evolve(self, messages=(*self.messages, message))

    def payload(self, stream: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - public
        """Return the payload as a new dict; with ``stream``, that of a streaming request.

        Raises `InvalidRequestError` for what the API would refuse or silently drop. Its ``field``
        is the path of that value, and its message gives the limit and what to do instead.
        """
        return build_payload(vars(self), stream=stream)


def _check_parts(parts: Iterable[Any], field: str) -> tuple[Text | Image | Document | Audio, ...]:
    checked = []
    for index, part in enumerate(parts):
        if not isinstance(part, (str, *_PART_CLASSES)):
            msg = f"{describe(part)} is not a part; give a str, Text, Image, Document or Audio"
            refuse(msg, f"{field}[{index}]")
        checked.append(Text(part) if isinstance(part, str) else part)
    return tuple(checked)


def _build_result_parts(content: Any, field: str) -> tuple[Text | Image | Document | Audio, ...]:
    if isinstance(content, (str, *_PART_CLASSES)):
        return _check_parts([content], field)
    if isinstance(content, (list, tuple)) and any(
        isinstance(item, _PART_CLASSES) for item in content
    ):
        return _check_parts(content, field)
    return (Text(json.dumps(to_json_value(content, field), ensure_ascii=False)),)

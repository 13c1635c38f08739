"""`ChatRequest`, an immutable builder of requests, and `RequestOptions`, its fields as keywords."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NoReturn, Self, TypedDict, Unpack, cast

import attrs

from ._payload.build import build_payload
from ._payload.json_values import (
    describe,
    freeze_bias,
    freeze_choice,
    freeze_mapping,
    freeze_messages,
    freeze_texts,
    freeze_tools,
    refuse,
    to_json_value,
)
from ._payload.limits import check_boolean
from ._payload.model_table import Dialect  # noqa: TC001 - a tool may resolve the hints of RequestOptions
from .completions import Completion  # noqa: TC001 - as above
from .content import Audio, Document, Image, Message, Text, Thinking
from .tool_types import Tool

__all__ = ["ChatRequest", "RequestOptions", "check_options"]

_Messages = tuple[Message | Mapping[str, Any], ...]
_Tools = tuple[Tool | Mapping[str, Any], ...]
_Part = str | Text | Image | Document | Audio
_Mapping = Mapping[str, Any]

_PART_CLASSES = (Text, Image, Document, Audio)


class RequestOptions(TypedDict, total=False):
    """The fields of `ChatRequest`, as keywords of `ChatRequest.options` and of a session's calls.

    Names, types, meanings and limits are those of `ChatRequest`. In a call an option replaces the
    field of the request; None stands for the field's default, and ``messages`` replaces the whole
    conversation. Any other name is a `TypeError`.
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
    tools: Iterable[Tool | _Mapping | Callable[..., Any]] | None
    tool_choice: str | Tool | _Mapping | Callable[..., Any] | None
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
# Names from other SDKs, and names that belong elsewhere in this SDK, each with what to do instead.
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

    Lists and dicts are copied: changing them afterwards changes no request. Requests compare by
    value, and can be pickled. The values are checked by `payload`, for the model and its dialect;
    the methods also refuse arguments of the wrong type at once.

    Each field is sent as the parameter of the same name, and each is an argument of the constructor
    and of `options`, and an option of a session's calls. A field that is None, or an empty list or
    system prompt, is not sent, so that the server's default applies. A parameter that the dialect
    lacks is not sent either if it has its default value, such as ``n=1`` in the anthropic dialect.

    Args:
        model: the name of the model, which decides the dialect. By default the session's model;
            without a session, that of the environment variable ``AIMLAPI_MODEL``, else
            ``anthropic/claude-3.7-sonnet``.
        messages: the conversation: what the methods added, and dicts in OpenAI's format, which are
            translated for models of the anthropic dialect. Unknown keys and parts are sent
            unchanged; keys without a value are left out. By default empty, which is refused.
        system: the system prompt, which precedes the system messages among ``messages``. Both
            dialects.
        max_tokens: the most tokens to generate, reasoning included; at least 1. With a budget for
            thinking it has to be above the budget, and is by default the budget plus 4096. Both
            dialects.
        temperature: how random the answer is, from 0 to 2, in the anthropic dialect to 1. Claude
            from 4.8 on accepts none.
        top_p: the share of probability, from 0 to 1, of the tokens that the model chooses from.
            Both dialects; Claude from 4.8 on accepts none.
        top_k: the number of likeliest tokens that the model chooses from, at least 0. Anthropic
            dialect only; Claude from 4.8 on accepts none.
        stop: a text that ends the generation and is not part of the answer, or a list of them: up
            to 4 in the openai dialect, any number in the anthropic dialect.
        n: the number of choices, at least 1; all of them are charged. OpenAI dialect only.
        seed: a whole number of 64 bits; the same seed makes the same answer more likely. OpenAI
            dialect only.
        logprobs: whether to return the log probabilities of the tokens. OpenAI dialect only.
        top_logprobs: for how many alternatives of each token, 0 to 20; only with
            ``logprobs=True``. OpenAI dialect only.
        logit_bias: what is added to the logit of a token, from -100 to 100, by the id of the token.
            OpenAI dialect only.
        frequency_penalty: from -2 to 2; above 0, a token becomes less likely each time that it
            occurs. OpenAI dialect only.
        presence_penalty: from -2 to 2; above 0, a token that has occurred becomes less likely.
            OpenAI dialect only.
        tools: up to 128 `Tool` objects, functions (`Tool.from_function`), or dicts in either
            dialect's form. By default none.
        tool_choice: ``"none"``, ``"auto"``, ``"required"``, a tool, a function or a name, or a dict
            in either dialect's form. Not sent without tools.
        parallel_tool_calls: whether one completion may have several calls. OpenAI dialect only.
        response_format: a dict of type ``text``, ``json_object`` or ``json_schema``. OpenAI dialect
            only; Claude from 4.8 on accepts none.
        reasoning_effort: ``low``, ``medium``, ``high``, or a vendor's own value, for models that
            reason. OpenAI dialect only.
        thinking: `Thinking`, or its budget as a number of tokens, at least 1024; ``"adaptive"`` to
            let the model decide how much it thinks (Claude from 4.8 on); False to disable it, which
            sends nothing to models that do not think by default. For Claude from 3.7 on; up to 4.7
            it selects the anthropic dialect, and with tools the messages dialect.
        metadata: a dict of str to str, such as ``{"user_id": "..."}``. Anthropic dialect only.
        prediction: a dict with text that much of the answer is expected to repeat, sent as it is.
            OpenAI dialect only.
        modalities: what the model may answer with, a list of ``text`` and ``audio``. OpenAI dialect
            only.
        audio: a dict with the ``format`` and the ``voice`` of audio in the answer. OpenAI dialect
            only.
        web_search_options: a dict of settings for the web search of models that have one, sent as
            it is. OpenAI dialect only.
        dialect: ``"openai"``, ``"anthropic"``, or ``"messages"`` for ``/v1/messages``, instead of
            the dialect that the table of models has for the model. Not part of the payload.
        client_request_id: the id of the call in the vendor's logs, by default a new one for each
            call: 1 to 128 of ``A-Z a-z 0-9 . _ : -``. Sent as a header, whatever the dialect, and
            not part of the payload.
        extra: parameters that have no field here: a dict that is merged into the payload last, in
            any dialect. It only has to be valid JSON. A value of None removes the key.
    """

    model: str | None = None
    messages: _Messages = attrs.field(default=(), converter=freeze_messages, kw_only=True)
    # `system` is the name of a method too; the constructor's argument has no underscore.
    _system: str | None = attrs.field(default=None, alias="system", kw_only=True)
    max_tokens: int | None = attrs.field(default=None, kw_only=True)
    temperature: float | None = attrs.field(default=None, kw_only=True)
    top_p: float | None = attrs.field(default=None, kw_only=True)
    top_k: int | None = attrs.field(default=None, kw_only=True)
    stop: Sequence[str] | None = attrs.field(default=None, converter=freeze_texts, kw_only=True)
    n: int | None = attrs.field(default=None, kw_only=True)
    seed: int | None = attrs.field(default=None, kw_only=True)
    logprobs: bool | None = attrs.field(default=None, kw_only=True)
    top_logprobs: int | None = attrs.field(default=None, kw_only=True)
    logit_bias: Mapping[Any, float] | None = attrs.field(
        default=None, converter=freeze_bias, kw_only=True
    )
    frequency_penalty: float | None = attrs.field(default=None, kw_only=True)
    presence_penalty: float | None = attrs.field(default=None, kw_only=True)
    tools: _Tools = attrs.field(default=(), converter=freeze_tools, kw_only=True)
    tool_choice: str | Tool | _Mapping | None = attrs.field(
        default=None, converter=freeze_choice, kw_only=True
    )
    parallel_tool_calls: bool | None = attrs.field(default=None, kw_only=True)
    response_format: _Mapping | None = attrs.field(
        default=None, converter=freeze_mapping, kw_only=True
    )
    reasoning_effort: str | None = attrs.field(default=None, kw_only=True)
    thinking: Thinking | int | Literal["adaptive"] | None = attrs.field(default=None, kw_only=True)
    metadata: _Mapping | None = attrs.field(default=None, converter=freeze_mapping, kw_only=True)
    prediction: _Mapping | None = attrs.field(default=None, converter=freeze_mapping, kw_only=True)
    modalities: Sequence[str] | None = attrs.field(
        default=None, converter=freeze_texts, kw_only=True
    )
    audio: _Mapping | None = attrs.field(default=None, converter=freeze_mapping, kw_only=True)
    web_search_options: _Mapping | None = attrs.field(
        default=None, converter=freeze_mapping, kw_only=True
    )
    dialect: Dialect | None = attrs.field(default=None, kw_only=True)
    client_request_id: str | None = attrs.field(default=None, kw_only=True)
    extra: _Mapping | None = attrs.field(default=None, converter=freeze_mapping, kw_only=True)

    def __repr__(self) -> str:
        changed = [
            f"{field.alias}={getattr(self, field.name)!r}"
            for field in attrs.fields(ChatRequest)
            if getattr(self, field.name) != field.default
        ]
        return f"{type(self).__name__}({', '.join(changed)})"

    def options(self, **changes: Unpack[RequestOptions]) -> Self:
        """Return a copy with other values for some fields.

        Args:
            **changes: fields of the request, as for its constructor.

        Raises:
            TypeError: a name is not a field; the message says what to use instead.
        """
        check_options(self.options, changes)
        return attrs.evolve(self, **changes)

    def system(self, text: str | None) -> Self:
        """Return a copy with another system prompt.

        Args:
            text: the prompt; None or a blank text removes it.
        """
        return attrs.evolve(self, system=text)

    def user(self, *parts: _Part) -> Self:
        """Return a copy with a user message added.

        Args:
            *parts: texts, images, documents and audio, in this order.

        Raises:
            InvalidRequestError: a part is of any other type.
        """
        field = f"{self._next_field}.content"
        return self._add(Message("user", _check_parts(parts, field)))

    def assistant(self, message: str | Completion[Any] | _Mapping) -> Self:
        """Return a copy with an assistant message added, to send the model's answer back.

        Args:
            message: a text, a completion, or what `Completion.as_message` returned. It is sent back
                as it was received, as far as the model accepts it: text, refusal, tool calls with
                their `ToolCall.extra`, reasoning, and the thinking that Claude has signed.

        Raises:
            InvalidRequestError: for a completion with a tool call that was cut off, or with nothing
                to send back, and for any other type.
        """
        from ._payload.additions import freeze_turn  # noqa: PLC0415 - not for a first request

        return self._add(freeze_turn(message, self._next_field))

    def cache(self, ttl: Literal["5m", "1h"] = "5m") -> Self:
        """Return a copy with a breakpoint of the prompt cache after what was added last.

        Claude caches the prompt up to there, and reads it again for a later request that begins
        with the same prompt (`Usage.cached_tokens`, `Usage.cache_write_tokens`). Without messages
        the system prompt is marked. Other models get no breakpoints, since they cache on their own.

        Args:
            ttl: how long the prompt is cached after it was last read, ``"5m"`` or ``"1h"``; a
                breakpoint of an hour may not follow one of five minutes.

        Raises:
            InvalidRequestError: for a fifth breakpoint, and if there is nothing to mark.
        """
        from ._payload.additions import mark_last  # noqa: PLC0415 - as above

        return attrs.evolve(self, **mark_last(self.messages, self._system, ttl))

    def tool_result(self, call_id: str, content: Any, *, is_error: bool = False) -> Self:
        """Return a copy with the result of a tool call added.

        Args:
            call_id: the `ToolCall.id` of the call.
            content: a text; or a part or a list of parts, for Claude texts and images (files follow
                the results in the openai dialect); or any other JSON value, sent as JSON text.
            is_error: whether the tool failed; in the openai dialect the text then says so.

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

    def _add(self, message: Message | _Mapping) -> Self:
        return attrs.evolve(self, messages=(*self.messages, message))

    def payload(self, stream: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - public
        """Return the payload, the JSON body of the call, as a new dict.

        Args:
            stream: whether the payload is for a call that streams.

        Raises:
            InvalidRequestError: the API would refuse a value or silently drop it. ``field`` is the
                path of that value, and the message gives the limit and what to do instead.
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

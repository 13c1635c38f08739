"""The messages of `useChat`: what a page posts becomes a request, and an answer a message.

The form is ``UIMessage`` of the AI SDK, versions 5 to 7 (documentation: "AI SDK UI", "UIMessage").
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import uuid4

import attrs

from aimlchat._payload.json_values import describe
from aimlchat._protocol.surrogates import mend_surrogates
from aimlchat.completions import Choice, Completion
from aimlchat.content import Audio, Document, Image, Text, decode_data_uri
from aimlchat.errors import InvalidRequestError, ProtocolError
from aimlchat.request import ChatRequest
from aimlchat.tool_types import ToolCall

from .frames import build_metadata, read_input
from .tool_output import are_parts
from .turn_metadata import TURNS, find_turn, keep_turn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["add_assistant_message", "request_from_ui", "ui_message"]

_Part = Text | Image | Document | Audio
_DENIED = "The user has denied this call."
# The states of a call that has a result. All others belong to a turn that was stopped, or to a call
# that waits: the API refuses a conversation with a call that has no result.
_ENDED = ("output-available", "output-error", "output-denied")
_NO_BASE = ChatRequest()


def request_from_ui(
    messages: Sequence[Mapping[str, Any]], *, base: ChatRequest = _NO_BASE
) -> ChatRequest:
    """Return the request for the messages that `useChat` has posted.

    Text, files and tool calls with their results become part of the request. Reasoning is left out,
    since a model would mistake it for its own words; so are sources and data parts, files of the
    assistant, calls without a result, and messages without any content, such as a stopped turn
    leaves. A steering message of the AI SDK 7 becomes a message of the user at its position. But if
    the metadata of a message has the turn as the model signed it (the relay sends that), and the
    page has not changed the message, the turn is sent back unchanged. A ``system`` message is added
    after the system prompt of ``base``.

    Nothing that a page posts can be trusted: it may have changed any message, including those of
    the assistant. Files in ``data:`` URLs are decoded here, at about 1 ms for a megabyte.

    Args:
        messages: the field ``messages`` of the body.
        base: the model, the system prompt, the tools and everything else that the page must not
            decide; the messages are added after its own.

    Raises:
        InvalidRequestError: a message is not in the form of the AI SDK, or contains a file that no
            model accepts; its field names the message and the part.
    """
    if isinstance(messages, str | bytes | Mapping) or not isinstance(messages, list | tuple):
        msg = f"give the list of messages, not an object of type {type(messages).__name__}"
        raise InvalidRequestError(msg, field="messages")
    request, instructions = base, []
    used_ids: set[str] = set()
    for index, message in enumerate(messages):
        field = f"messages[{index}]"
        if not isinstance(message, Mapping):
            msg = f"a message is an object, not of type {type(message).__name__}"
            raise InvalidRequestError(msg, field=field)
        parts = _read_parts(message, field)
        match message.get("role"):
            case "system":
                instructions += [_read_text(part) for _, part in parts if _has_text(part)]
            case "user":
                if content := list(_read_content(parts)):
                    request = request.user(*content)
            case "assistant":
                request = _add_turn(request, parts, message.get("metadata"), used_ids)
            case role:
                msg = f"{describe(role)} is not a role; the AI SDK has system, user and assistant"
                raise InvalidRequestError(msg, field=f"{field}.role")
    return _add_instructions(request, instructions) if instructions else request


def add_assistant_message(
    request: ChatRequest, message: Mapping[str, Any], used_ids: set[str], *, field: str
) -> ChatRequest:
    """Return a request with a message of the assistant added, as `request_from_ui` does.

    It is the same request if the message contains nothing that a model accepts.

    Args:
        request: the conversation before it.
        message: the message; its role is not read.
        used_ids: the ids of the calls of the conversation; those of the message are added.
        field: the name of the message in errors.

    Raises:
        InvalidRequestError: the message is not in the form of the AI SDK.
    """
    return _add_turn(request, _read_parts(message, field), message.get("metadata"), used_ids)


def ui_message(completion: Completion[Any], *, message_id: str | None = None) -> dict[str, Any]:
    """Return a completion as the message that `useChat` would build from its stream, to store it.

    Args:
        completion: the completion, which may be partial.
        message_id: the id of the message; by default that of the completion.
    """
    parts: list[dict[str, Any]] = [{"type": "step-start"}]
    if completion.reasoning:
        parts.append({"type": "reasoning", "text": completion.reasoning, "state": "done"})
    text = completion.text or completion.refusal
    if text:
        parts.append({"type": "text", "text": text, "state": "done"})
    parts += [_build_call_part(call) for call in completion.tool_calls]
    metadata = build_metadata(completion)
    kept = keep_turn(completion, {call.id: call.id for call in completion.tool_calls})
    if kept is not None:
        metadata[TURNS] = [kept]
    return {
        "id": message_id or completion.id,
        "role": "assistant",
        "metadata": metadata,
        "parts": parts,
    }


def _read_parts(message: Mapping[str, Any], field: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the parts of a message, each with the name of its field."""
    parts = message.get("parts")
    if not isinstance(parts, list | tuple):
        msg = "a message has a list of parts; messages with `content` are of an older AI SDK"
        raise InvalidRequestError(msg, field=f"{field}.parts")
    named = [(f"{field}.parts[{index}]", part) for index, part in enumerate(parts)]
    for name, part in named:
        if not isinstance(part, Mapping) or not isinstance(part.get("type"), str):
            msg = "a part is an object with a type"
            raise InvalidRequestError(msg, field=name)
    return named


def _has_text(part: Mapping[str, Any]) -> bool:
    text = part.get("text")
    return part["type"] == "text" and isinstance(text, str) and bool(text.strip())


def _read_text(part: Mapping[str, Any]) -> str:
    # A page that cuts a text by its length may cut an emoji in two. No model could be sent the
    # half, and the chat would be refused from then on.
    return mend_surrogates(part["text"])


def _read_content(parts: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[_Part]:
    for field, part in parts:
        if _has_text(part):
            yield Text(_read_text(part))
        elif part["type"] == "file":
            yield _read_file(part, field)


def _read_file(part: Mapping[str, Any], field: str) -> _Part:
    url, media_type = part.get("url"), part.get("mediaType")
    if not isinstance(url, str) or not isinstance(media_type, str):
        msg = "a file has a url and a mediaType"
        raise InvalidRequestError(msg, field=field)
    kind = media_type.lower().partition(";")[0].strip()
    try:
        if kind.startswith("image/"):
            return Image.from_url(url)
        if kind.startswith("audio/"):
            audio = Audio.from_url(url)
            return _refuse_remote("audio") if audio.url else audio
        if kind.startswith("text/"):
            return _read_text_file(part, url)
        if kind == "application/pdf":
            document = _name(Document.from_url(url), part)
            return _refuse_remote("a document") if document.url else document
    except InvalidRequestError as error:
        error.field = f"{field}.url"
        raise
    msg = (
        f"no model takes a file of type {describe(media_type)}; accept images, PDF, audio and text"
    )
    raise InvalidRequestError(msg, field=f"{field}.mediaType")


def _refuse_remote(name: str) -> NoReturn:
    """Refuse a file that is posted by its URL; of all files, models download images only."""
    msg = f"{name} has to be posted as a data: URL, since nothing is downloaded here"
    raise InvalidRequestError(msg, field="url")


def _read_text_file(part: Mapping[str, Any], url: str) -> Text:
    _, data = decode_data_uri(url, "url") or _refuse_remote("a text")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = "the text is not UTF-8"
        raise InvalidRequestError(msg, field="url") from error
    name = part.get("filename")
    return Text(f"{mend_surrogates(name)}:\n\n{text}" if isinstance(name, str) and name else text)


def _name(document: Document, part: Mapping[str, Any]) -> Document:
    name = part.get("filename")
    if not isinstance(name, str) or not name:
        return document
    return attrs.evolve(document, filename=mend_surrogates(name))


def _add_turn(
    request: ChatRequest,
    parts: Sequence[tuple[str, Mapping[str, Any]]],
    metadata: Any,
    used_ids: set[str],
) -> ChatRequest:
    """Add a turn of the assistant, whose steps each end with the results of their calls."""
    index = 0
    step: list[tuple[str, Mapping[str, Any]]] = []
    for field, part in [*parts, ("", {"type": "step-start"})]:
        if part["type"] not in {"step-start", "steering-message"}:
            step.append((field, part))
            continue
        if step:
            request = _add_step(request, step, metadata, index, used_ids)
            index, step = index + 1, []
        # What the user has said while the turn ran (AI SDK 7).
        is_said = part["type"] == "steering-message"
        if is_said and (content := list(_read_content(_read_parts(part, field)))):
            request = request.user(*content)
    return request


def _add_step(
    request: ChatRequest,
    parts: Sequence[tuple[str, Mapping[str, Any]]],
    metadata: Any,
    index: int,
    used_ids: set[str],
) -> ChatRequest:
    text = "".join(_read_text(part) for _, part in parts if _has_text(part))
    calls = [(field, part) for field, part in parts if _is_call(part) and _has_result(part)]
    if not text and not calls:
        return request
    tool_calls = tuple(_read_call(part, field, used_ids) for field, part in calls)
    choice = Choice(text=text, tool_calls=tool_calls, finish_reason="stop")
    kept = find_turn(metadata, index, text, [call.id for call in tool_calls])
    request = request.assistant(kept or Completion((choice,), is_complete=True))
    for (field, part), call in zip(calls, tool_calls, strict=True):
        is_error = part["state"] != "output-available"
        content = _read_error(part) if is_error else _read_output(part, f"{field}.output")
        request = request.tool_result(call.id, content, is_error=is_error)
    return request


def _is_call(part: Mapping[str, Any]) -> bool:
    kind: str = part["type"]
    return kind == "dynamic-tool" or kind.startswith("tool-")


def _has_result(part: Mapping[str, Any]) -> bool:
    return part.get("state") in _ENDED or _was_refused(part)


def _was_refused(part: Mapping[str, Any]) -> bool:
    """Return whether the user has refused a call that needed an approval."""
    approval = part.get("approval")
    if part.get("state") != "approval-responded" or not isinstance(approval, Mapping):
        return False
    return approval.get("approved") is False


def _read_call(part: Mapping[str, Any], field: str, used_ids: set[str]) -> ToolCall:
    call_id = part.get("toolCallId")
    if not isinstance(call_id, str) or not call_id.strip():
        msg = f"{describe(call_id)} is not the id of a call"
        raise InvalidRequestError(msg, field=f"{field}.toolCallId")
    call_id = mend_surrogates(call_id)
    # If a server sends no ids, the calls of each answer begin with the same id again, and the API
    # refuses a conversation in which an id is not unique.
    while call_id in used_ids:
        call_id = f"call_{uuid4().hex}"
    used_ids.add(call_id)
    value = part.get("input")
    # Text is the input of a custom tool, as the frames have it. The AI SDK 7 keeps broken arguments
    # of a function there.
    if isinstance(value, str) and part.get("state") != "output-error":
        value = mend_surrogates(value)
        return ToolCall(call_id, _read_name(part, field), value, type="custom")
    arguments = _write_json(value if isinstance(value, dict) else {}, f"{field}.input")
    return ToolCall(call_id, _read_name(part, field), arguments)


def _read_name(part: Mapping[str, Any], field: str) -> str:
    is_dynamic = part["type"] == "dynamic-tool"
    name = part.get("toolName") if is_dynamic else part["type"].removeprefix("tool-")
    if not isinstance(name, str) or not name:
        msg = f"{describe(name)} is not the name of a tool"
        raise InvalidRequestError(msg, field=f"{field}.{'toolName' if is_dynamic else 'type'}")
    return name


def _read_output(part: Mapping[str, Any], field: str) -> str | list[_Part]:
    output = part.get("output")
    if isinstance(output, list) and are_parts(output):
        with suppress(InvalidRequestError):  # else it is JSON of a tool that looks like files
            return [
                Text(_read_text(item))
                if item["type"] == "text"
                else _read_file(item, f"{field}[{index}]")
                for index, item in enumerate(output)
            ]
    return mend_surrogates(output) if isinstance(output, str) else _write_json(output, field)


def _read_error(part: Mapping[str, Any]) -> str:
    if part["state"] == "output-error":
        return mend_surrogates(str(part.get("errorText") or "failed"))
    approval = part.get("approval")
    reason = approval.get("reason") if isinstance(approval, Mapping) else None
    if not isinstance(reason, str) or not reason.strip():
        return _DENIED
    return f"{_DENIED} The reason: {mend_surrogates(reason)}"


def _write_json(value: Any, field: str) -> str:
    try:
        return mend_surrogates(json.dumps(value, ensure_ascii=False))
    except (ValueError, RecursionError) as error:  # a number, or a depth, that is beyond Python's
        msg = "it cannot be written as JSON: a number is too long, or it is nested too deeply"
        raise InvalidRequestError(msg, field=field) from error


def _add_instructions(request: ChatRequest, instructions: list[str]) -> ChatRequest:
    own = request._system  # noqa: SLF001 - no public attribute, since `.system` sets it
    return request.system("\n\n".join([*([own] if own else []), *instructions]))


def _build_call_part(call: ToolCall) -> dict[str, Any]:
    part: dict[str, Any] = {"type": f"tool-{call.name}", "toolCallId": call.id}
    try:
        return part | {"state": "input-available", "input": read_input(call)}
    except ProtocolError as error:
        return part | {
            "state": "output-error",
            "rawInput": call.raw_arguments,
            "errorText": str(error),
        }

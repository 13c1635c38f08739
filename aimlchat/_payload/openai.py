"""The openai dialect, which all models accept except some Claude models."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from aimlchat.content import Audio, Document, Image, Message, Text
from aimlchat.errors import InvalidRequestError
from aimlchat.tool_types import ToolCall, render_tool_call

from . import limits
from .arguments import build_arguments
from .cache_control import CACHE_KEY, MarkedPrompt, build_cache_control, mark_message
from .call_names import build_call_name
from .json_values import check_text, describe, refuse, to_json_value
from .kept_turns import adapt_turn
from .media import check_url, require_media_type
from .message_dicts import BLANK_MESSAGE, EMPTY_CONVERSATION, copy_plain_text, parse_message
from .models import find_model_row, takes_images
from .tools import TOOL_FIELDS, ToolChoice, ToolSpec, add_tools

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aimlchat.tool_types import Tool

    from .model_table import ModelRow

__all__ = ["build_openai_payload"]

_Files = dict[int, list[dict[str, Any]]]  # the files of results, by the index of their message

_AUDIO_FORMATS = {"audio/wav": "wav", "audio/mpeg": "mp3"}
_PDF = "application/pdf"

_PARAMETER_CHECKS: dict[str, limits.Check] = {
    "max_tokens": limits.build_integer_check(1),
    "temperature": limits.build_number_check(0, 2),
    "top_p": limits.build_number_check(0, 1),
    "stop": limits.build_stop_check(4),
    "n": limits.build_integer_check(1),
    "seed": limits.build_integer_check(),
    "logprobs": limits.check_boolean,
    "top_logprobs": limits.build_integer_check(0, 20),
    "logit_bias": limits.check_logit_bias,
    "frequency_penalty": limits.build_number_check(-2, 2),
    "presence_penalty": limits.build_number_check(-2, 2),
    "parallel_tool_calls": limits.check_boolean,
    "response_format": limits.check_response_format,
    # Vendors have values of their own, so any text is accepted.
    "reasoning_effort": limits.check_non_blank,
    "prediction": limits.check_dict,
    "modalities": limits.check_modalities,
    "audio": limits.check_audio,
    "web_search_options": limits.check_dict,
    "thinking": limits.check_dict,
}
# Values of fields that this dialect lacks, which request nothing.
_DEFAULTS: dict[str, Any] = {"metadata": {}}


def build_openai_payload(
    model: str,
    messages: Iterable[Message | Mapping[str, Any]],
    system: str | None,
    parameters: Mapping[str, Any],
    *,
    stream: bool = False,
) -> dict[str, Any]:
    """Return the payload of a request in the openai dialect.

    Args:
        model: the model's name, already checked.
        messages: the conversation.
        system: a system prompt to put before the messages; None for none.
        parameters: the other fields of the request that are set, by name.
        stream: whether the payload requests a stream, with the usage at its end.

    Raises:
        InvalidRequestError: for what exceeds a limit or cannot be expressed in this dialect.
    """
    built: list[dict[str, Any]] = []
    if system is not None:
        built.append({"role": "system", "content": check_text(system, "system")})
        if isinstance(system, MarkedPrompt) and find_model_row(model).is_claude:
            mark_message(built[0], build_cache_control(system.ttl))
    files: _Files = {}
    offset = len(built)
    built += [
        copy_plain_text(message) or _build_message(message, index, model, files)
        for index, message in enumerate(messages)
    ]
    if not built:
        refuse(EMPTY_CONVERSATION, "messages")
    if files:
        built = _add_files(built, {index + offset: parts for index, parts in files.items()})
    payload: dict[str, Any] = {"model": model, "messages": built}
    if parameters:
        _add_parameters(payload, model, parameters)
    if stream:
        # A stream has no usage unless the request includes it.
        payload |= {"stream": True, "stream_options": {"include_usage": True}}
    return payload


def _add_parameters(payload: dict[str, Any], model: str, parameters: Mapping[str, Any]) -> None:
    for name, value in parameters.items():
        if name in TOOL_FIELDS or limits.is_default(value, _DEFAULTS.get(name)):
            continue
        if name not in _PARAMETER_CHECKS:
            msg = (
                f"the openai dialect, which is used for {model}, has no {name}; leave it out, or"
                f" send it unchecked with extra={{{name!r}: ...}}"
            )
            refuse(msg, name)
        payload[name] = _PARAMETER_CHECKS[name](value, name)
    if payload.get("logprobs") is not True and payload.pop("top_logprobs", 0):
        refuse("it needs logprobs=True as well; give both or neither", "top_logprobs")
    if "tools" in parameters or "tool_choice" in parameters:
        add_tools(payload, parameters, partial(_build_tool, find_model_row(model)), _build_choice)


def _build_message(
    message: Message | Mapping[str, Any], index: int, model: str, files: _Files
) -> dict[str, Any]:
    """Return a message; files of a tool's result, which it cannot hold, are added to ``files``."""
    field, marked = f"messages[{index}]", None
    if not isinstance(message, Message):
        built = parse_message(message, field)
        control = built.pop(CACHE_KEY, None)
    else:
        built = _build_neutral_message(message, field, model)
        control = build_cache_control(message.cache_ttl)
        if message.role == "tool" and (parts := _build_files(message, f"{field}.content", model)):
            files[index], marked = parts, {"content": parts}
    row = find_model_row(model)
    if control is not None and row.is_claude:
        mark_message(marked or built, control)
    if built["role"] == "assistant":
        adapt_turn(built, row)
    return built


def _build_neutral_message(message: Message, field: str, model: str) -> dict[str, Any]:
    match message.role:
        case "user":
            return {"role": "user", "content": _build_content(message.parts, f"{field}.content")}
        case "assistant":
            return _build_assistant(message, field)
        case "tool":
            return _build_tool_result(message, field, model)
    msg = f"{describe(message.role)} is not a role; give one of user, assistant, tool"
    raise InvalidRequestError(msg, field=f"{field}.role")


def _build_content(parts: tuple[Any, ...], field: str) -> str | list[dict[str, Any]]:
    built = [_build_part(part, f"{field}[{index}]") for index, part in enumerate(parts)]
    if not built:
        refuse(BLANK_MESSAGE, field)
    if len(built) == 1 and built[0]["type"] == "text":
        text: str = built[0]["text"]
        return text
    return built


def _build_part(part: Any, field: str) -> dict[str, Any]:
    match part:
        case Text():
            return {"type": "text", "text": check_text(part.text, field)}
        case Image():
            url = check_url(part, field)
            if url is None:
                require_media_type(part, field)
                url = part.data_uri()
            return {"type": "image_url", "image_url": {"url": url}}
        case Document():
            return {"type": "file", "file": _build_file(part, field)}
        case Audio():
            return {"type": "input_audio", "input_audio": _build_audio(part, field)}
    msg = f"{describe(part)} is not a part; give a str, Text, Image, Document or Audio"
    raise InvalidRequestError(msg, field=field)


def _build_file(part: Document, field: str) -> dict[str, Any]:
    if check_url(part, field) is not None:
        msg = "a document cannot be sent by URL; download it, then Document.from_bytes(data)"
        refuse(msg, field)
    if require_media_type(part, field) != _PDF:
        msg = (
            f"the openai dialect takes a PDF as a document, not {describe(part.media_type)}; give"
            " its text as a Text part"
        )
        refuse(msg, field)
    filename = "document.pdf" if part.filename is None else check_text(part.filename, field)
    return {"file_data": part.data_uri(), "filename": filename}


def _build_audio(part: Audio, field: str) -> dict[str, Any]:
    if check_url(part, field) is not None:
        refuse("audio cannot be sent by URL; download it, then Audio.from_bytes(data)", field)
    audio_format = _AUDIO_FORMATS.get(require_media_type(part, field))
    if audio_format is None:
        refuse(f"{describe(part.media_type)} is neither WAV nor MP3; convert it", field)
    return {"data": part.base64(), "format": audio_format}


def _check_texts(parts: tuple[Any, ...], field: str) -> list[str]:
    """Return the texts of an assistant message, whose parts must all be texts."""
    for index, part in enumerate(parts):
        if not isinstance(part, Text):
            msg = (
                f"an assistant message holds only text in the openai dialect, not {describe(part)};"
                " put the part into a .user() message"
            )
            refuse(msg, f"{field}[{index}]")
    return [check_text(part.text, f"{field}[{index}]") for index, part in enumerate(parts)]


def _build_assistant(message: Message, field: str) -> dict[str, Any]:
    built: dict[str, Any] = {"role": "assistant"}
    texts = _check_texts(message.parts, f"{field}.content")
    if any(text.strip() for text in texts):
        parts = [{"type": "text", "text": text} for text in texts]
        built["content"] = texts[0] if len(texts) == 1 else parts
    if message.refusal:
        built["refusal"] = check_text(message.refusal, f"{field}.refusal")
    if message.tool_calls:
        built["tool_calls"] = [
            _build_tool_call(call, f"{field}.tool_calls[{index}]")
            for index, call in enumerate(message.tool_calls)
        ]
    if message.turn is not None:
        built |= to_json_value(message.turn, field)
    if len(built) == 1:
        msg = "the message has neither text, refusal nor tool calls; leave it out"
        refuse(msg, f"{field}.content")
    return built


def _build_tool_call(call: ToolCall, field: str) -> dict[str, Any]:
    call_id = limits.check_call_id(call.id, f"{field}.id")
    if not call.complete:
        refuse(f"the call of {describe(call.name)} was cut off; ask for it again", field)
    if call.type == "custom":
        inner_field = f"{field}.custom"
        text = check_text(call.raw_arguments, f"{inner_field}.input")
    else:
        inner_field = f"{field}.function"
        text = build_arguments(call, f"{inner_field}.arguments")
    checked = ToolCall(
        call_id,
        build_call_name(call.name, f"{inner_field}.name"),
        text,
        type=check_text(call.type, f"{field}.type"),
        extra=limits.check_dict(call.extra, f"{field}.extra") if call.extra else {},
    )
    return render_tool_call(checked)


def _build_tool_result(message: Message, field: str, model: str) -> dict[str, Any]:
    """Return a result, which is a text; in place of a file, it says where the file is.

    An image is not sent to a model that accepts none, and would refuse the whole request.
    """
    call_id = limits.check_call_id(message.call_id, f"{field}.tool_call_id")
    texts, count = [], 0
    for index, part in enumerate(message.parts):
        if isinstance(part, Text):
            texts.append(check_text(part.text, f"{field}.content[{index}]"))
        else:
            count += 1
            where = "is in the message after the results."
            if _is_left_out(part, model):
                where = "is left out, since this model takes no images."
            texts.append(f"({_name_file(part, count)} {where})")
    content = "\n".join(texts)
    if message.is_error:  # this dialect has no mark for it
        content = f"Error: {content}"
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def _is_left_out(part: Any, model: str) -> bool:
    return isinstance(part, Image) and not takes_images(model)


def _build_files(message: Message, field: str, model: str) -> list[dict[str, Any]]:
    """Return the parts of a result that are not text, each preceded by a description."""
    built: list[dict[str, Any]] = []
    count = 0
    for index, part in enumerate(message.parts):
        if isinstance(part, Text):
            continue
        count += 1
        if not _is_left_out(part, model):
            words = f"{_name_file(part, count)} of the result of the tool call {message.call_id}:"
            built += [{"type": "text", "text": words}, _build_part(part, f"{field}[{index}]")]
    return built


def _name_file(part: Any, number: int) -> str:
    return f"{type(part).__name__} {number}"


def _add_files(built: list[dict[str, Any]], files: _Files) -> list[dict[str, Any]]:
    """Return messages in which the files of results are in messages of the user.

    A result is text in this dialect, and nothing may come between the results of a turn, so the
    files of all results follow the last one.
    """
    messages: list[dict[str, Any]] = []
    parts: list[dict[str, Any]] = []
    for index, message in enumerate(built):
        if parts and message["role"] != "tool":
            messages.append({"role": "user", "content": parts})
            parts = []
        messages.append(message)
        parts = parts + files.get(index, [])
    if parts:
        messages.append({"role": "user", "content": parts})
    return messages


def _build_tool(row: ModelRow, spec: ToolSpec, _: str) -> dict[str, Any]:
    if spec.form in ("openai", "other"):
        return spec.original
    tool = spec.tool
    strict_schema = _find_strict_schema(tool, row)
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": strict_schema or tool.parameters,
        "strict": True if strict_schema else tool.strict,
    }
    function = {key: value for key, value in function.items() if value is not None}
    return {"type": "function", "function": function} | spec.extra


def _find_strict_schema(tool: Tool, row: ModelRow) -> dict[str, Any] | None:
    """Return the schema of a function in its strict form, which the model has to follow.

    None for other tools, and for models that enforce no schema: they do better with a plain one.
    """
    if tool.function is None or tool.strict is not None or row.output_way != "response_format":
        return None
    from aimlchat._schema.functions import find_strict_schema  # noqa: PLC0415 - few need it
    from aimlchat._schema.subsets import GEMINI, OPENAI  # noqa: PLC0415

    subset = GEMINI if row.is_gemini else OPENAI
    schema = find_strict_schema(tool.function, tool.parameters or {}, subset)
    return None if schema is None else to_json_value(schema, "tools")


def _build_choice(choice: ToolChoice) -> str | dict[str, Any]:
    if choice.form in ("openai", "other"):
        return choice.original
    if choice.original.get("disable_parallel_tool_use") is not None:
        msg = "the openai dialect has no disable_parallel_tool_use; give parallel_tool_calls=False"
        refuse(msg, "tool_choice")
    if choice.kind == "tool":
        return {"type": "function", "function": {"name": choice.name}}
    return choice.kind

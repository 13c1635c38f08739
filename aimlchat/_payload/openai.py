"""The openai dialect: what every model takes but some of Claude's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aimlchat.content import Audio, Document, Image, Message, Text, ToolCall
from aimlchat.errors import InvalidRequestError

from . import limits
from .json_values import refuse, shown, text
from .media import held, remote
from .message_dicts import BLANK, is_blank, read
from .tools import Asked, Choice, choose, listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["payload"]

_AUDIO_FORMATS = {"audio/wav": "wav", "audio/mpeg": "mp3"}
_PDF = "application/pdf"

_TAKES: dict[str, limits.Check] = {
    "max_tokens": limits.whole(1),
    "temperature": limits.number(0, 2),
    "top_p": limits.number(0, 1),
    "stop": limits.stops(4),
    "n": limits.whole(1),
    "seed": limits.whole(),
    "logprobs": limits.flag,
    "top_logprobs": limits.whole(0, 20),
    "logit_bias": limits.logit_bias,
    "frequency_penalty": limits.number(-2, 2),
    "presence_penalty": limits.number(-2, 2),
    "parallel_tool_calls": limits.flag,
    "response_format": limits.response_format,
    # Vendors have values of their own here, so any word will do.
    "reasoning_effort": limits.word,
    "prediction": limits.mapping,
    "modalities": limits.modalities,
    "audio": limits.audio,
    "web_search_options": limits.mapping,
    "thinking": limits.mapping,
}
_TOOLS = ("tools", "tool_choice")


def payload(
    model: str,
    messages: Iterable[Message | Mapping[str, Any]],
    system: str | None,
    parameters: Mapping[str, Any],
    *,
    stream: bool = False,
) -> dict[str, Any]:
    """Return the JSON body; ``parameters`` holds the fields that are set, under their own names.

    Raises `InvalidRequestError` for what breaks a limit or cannot be said in this dialect.
    """
    turns = [{"role": "system", "content": text(system, "system")}] if system is not None else []
    turns += [_message(message, f"messages[{at}]") for at, message in enumerate(messages)]
    body: dict[str, Any] = {"model": model, "messages": turns}
    for name, value in parameters.items():
        if name in _TOOLS:
            continue
        if name not in _TAKES:
            msg = (
                f"the openai dialect, in which {model} is asked, has no {name}; leave it out, or"
                f" send it as it is with extra={{{name!r}: ...}}"
            )
            refuse(msg, name)
        body[name] = _TAKES[name](value, name)
    if "top_logprobs" in body and body.get("logprobs") is not True:
        refuse("it needs logprobs=True as well; give both or neither", "top_logprobs")
    if "tools" in parameters or "tool_choice" in parameters:
        _put_tools(body, parameters)
    if stream:
        # Without it no usage comes with the stream.
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return body


def _message(message: Message | Mapping[str, Any], field: str) -> dict[str, Any]:
    if not isinstance(message, Message):
        return read(message, field)
    match message.role:
        case "user":
            return {"role": "user", "content": _content(message.parts, f"{field}.content")}
        case "assistant":
            return _assistant(message, field)
        case "tool":
            return _tool_result(message, field)
    msg = f"{shown(message.role)} is none of user, assistant and tool"
    raise InvalidRequestError(msg, field=f"{field}.role")


def _content(parts: tuple[Any, ...], field: str) -> str | list[dict[str, Any]]:
    written = [_part(part, f"{field}[{place}]") for place, part in enumerate(parts)]
    if all(is_blank(part) for part in written):
        refuse(BLANK, field)
    if len(written) == 1 and written[0]["type"] == "text":
        only: str = written[0]["text"]
        return only
    return written


def _part(part: Any, field: str) -> dict[str, Any]:
    match part:
        case Text():
            return {"type": "text", "text": text(part.text, field)}
        case Image():
            url = remote(part, field)
            if url is None:
                held(part, field)
                url = part.data_uri()
            return {"type": "image_url", "image_url": {"url": url}}
        case Document():
            return {"type": "file", "file": _file(part, field)}
        case Audio():
            return {"type": "input_audio", "input_audio": _audio(part, field)}
    msg = f"{shown(part)} is no part; give a str, Text, Image, Document or Audio"
    raise InvalidRequestError(msg, field=field)


def _file(part: Document, field: str) -> dict[str, Any]:
    if remote(part, field) is not None:
        refuse("a document goes with its bytes; download it, then Document.from_bytes(data)", field)
    if held(part, field) != _PDF:
        msg = (
            f"the openai dialect takes a PDF as a document, not {shown(part.media_type)}; give its"
            " text as a Text part"
        )
        refuse(msg, field)
    filename = "document.pdf" if part.filename is None else text(part.filename, field)
    return {"file_data": part.data_uri(), "filename": filename}


def _audio(part: Audio, field: str) -> dict[str, Any]:
    if remote(part, field) is not None:
        refuse("audio goes with its bytes; download it, then Audio.from_bytes(data)", field)
    form = _AUDIO_FORMATS.get(held(part, field))
    if form is None:
        refuse(f"{shown(part.media_type)} is neither WAV nor MP3; convert it", field)
    return {"data": part.base64(), "format": form}


def _texts(parts: tuple[Any, ...], field: str, *, of: str) -> list[str]:
    for place, part in enumerate(parts):
        if not isinstance(part, Text):
            msg = (
                f"{of} holds only text in the openai dialect, not {shown(part)}; put the part into"
                " a .user() message"
            )
            refuse(msg, f"{field}[{place}]")
    return [text(part.text, f"{field}[{place}]") for place, part in enumerate(parts)]


def _assistant(message: Message, field: str) -> dict[str, Any]:
    written: dict[str, Any] = {"role": "assistant"}
    texts = _texts(message.parts, f"{field}.content", of="an assistant turn")
    if any(said.strip() for said in texts):
        parts = [{"type": "text", "text": said} for said in texts]
        written["content"] = texts[0] if len(texts) == 1 else parts
    if message.refusal:
        written["refusal"] = text(message.refusal, f"{field}.refusal")
    if message.tool_calls:
        written["tool_calls"] = [
            _call(call, f"{field}.tool_calls[{place}]")
            for place, call in enumerate(message.tool_calls)
        ]
    if len(written) == 1:
        msg = "the turn has neither text, refusal nor tool calls; leave it out"
        refuse(msg, f"{field}.content")
    return written


def _call(call: ToolCall, field: str) -> dict[str, Any]:
    if call.id is None:
        refuse("the call has no id, so no result can refer to it; give it one", f"{field}.id")
    if not call.complete:
        msg = f"the call of {shown(call.name)} was cut off with its stream; ask for it again"
        refuse(msg, field)
    return {
        "id": text(call.id, f"{field}.id"),
        "type": "function",
        "function": {
            "name": text(call.name, f"{field}.function.name"),
            "arguments": text(call.raw_arguments, f"{field}.function.arguments") or "{}",
        },
    }


def _tool_result(message: Message, field: str) -> dict[str, Any]:
    if message.is_error:
        msg = "the openai dialect cannot mark a result as an error; say so in its content"
        refuse(msg, f"{field}.is_error")
    return {
        "role": "tool",
        "tool_call_id": limits.word(message.call_id, f"{field}.tool_call_id"),
        "content": "\n".join(_texts(message.parts, f"{field}.content", of="a tool's result")),
    }


def _put_tools(body: dict[str, Any], parameters: Mapping[str, Any]) -> None:
    bodies, names = listed(parameters.get("tools", ()), _tool)
    if bodies:
        body["tools"] = bodies
    if "tool_choice" in parameters:
        body["tool_choice"] = _choice(choose(parameters["tool_choice"], names, len(bodies)))


def _tool(asked: Asked, _: str) -> dict[str, Any]:
    if asked.form in ("openai", "other"):
        return asked.given
    tool = asked.tool
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": tool.strict,
    }
    said = {key: value for key, value in function.items() if value is not None}
    return {"type": "function", "function": said} | asked.rest


def _choice(choice: Choice) -> str | dict[str, Any]:
    if choice.form in ("openai", "other"):
        return choice.given
    if choice.given.get("disable_parallel_tool_use") is not None:
        msg = "the openai dialect has no disable_parallel_tool_use; give parallel_tool_calls=False"
        refuse(msg, "tool_choice")
    if choice.kind == "tool":
        return {"type": "function", "function": {"name": choice.name}}
    return choice.kind

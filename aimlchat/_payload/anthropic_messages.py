"""The messages of the anthropic dialect, which has only the roles user and assistant.

System messages become the system prompt, and tool results become parts of user messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aimlchat.content import Message, Text
from aimlchat.errors import InvalidRequestError
from aimlchat.tool_types import ToolCall

from .anthropic_parts import build_part, build_result_part, build_tool_use, translate_part
from .cache_control import CACHE_KEY, build_cache_control, mark_message
from .call_names import build_call_id
from .function_calls import replace_function_call
from .json_values import check_text, describe, refuse, to_json_value
from .kept_turns import BLOCKS, refuse_edited_turn, select_blocks
from .message_dicts import BLANK_MESSAGE, copy_plain_text, is_blank_text, parse_message

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["build_messages", "refuse_thinking_before_text"]

_Dict = dict[str, Any]

# Keys of an assistant message that the API sends but does not accept back.
_RESPONSE_ONLY = ("reasoning_content", "reasoning", "reasoning_details", "annotations")


def build_messages(
    messages: Iterable[Message | Mapping[str, Any]], *, keeps_turns: bool = False
) -> tuple[list[_Dict], list[_Dict]]:
    """Return the messages, and the system prompts that were among them as parts, both in order.

    ``keeps_turns`` is whether the format is Claude's own: there a turn of the model is sent back
    with the blocks that were received, and a system prompt may have a breakpoint of the prompt
    cache. Raises `InvalidRequestError` for what cannot be expressed in this dialect.
    """
    built: list[_Dict] = []
    prompts: list[_Dict] = []
    after_result = False
    function_ids: dict[str, str] = {}
    last_field = ""
    for index, message in enumerate(messages):
        field = f"messages[{index}]"
        if isinstance(message, Message):
            role, control = message.role, build_cache_control(message.cache_ttl)
            blocks = to_json_value((message.turn or {}).get(BLOCKS), f"{field}.{BLOCKS}")
            new = None if keeps_turns and blocks else _build_message(message, field)
            calls: Any = message.tool_calls
            text: Any = "".join(map(_read_text, message.parts))
        else:
            parsed = copy_plain_text(message) or parse_message(message, field)
            role, control = parsed["role"], parsed.pop(CACHE_KEY, None)
            if role in ("system", "developer"):
                prompts += _read_prompts(parsed, field, control, takes_marks=keeps_turns)
                continue
            _drop_blank_texts(parsed)
            role = replace_function_call(parsed, index, field, function_ids)
            blocks = parsed.pop(BLOCKS, None)
            new = None if keeps_turns and blocks else _translate_message(parsed, field)
            calls, text = parsed.get("tool_calls"), parsed.get("content")
        if new is None:
            refuse_edited_turn(blocks, calls, text, field)
            kept = select_blocks(blocks, f"{field}.{BLOCKS}")
            new = {"role": role, "content": _build_content(kept, f"{field}.{BLOCKS}")}
        if control is not None:
            mark_message(new, control)
        if after_result and new["role"] == "user":
            # The results of parallel calls must be in one message, before the user's text.
            _append_to_results(built[-1], new)
        else:
            built.append(new)
        after_result = role == "tool"
        last_field = field
    if built and built[-1]["role"] == "assistant":
        _check_last_turn(built[-1]["content"], f"{last_field}.content")
    return built, prompts


def _drop_blank_texts(message: _Dict) -> None:
    """Remove blank texts, which the API refuses.

    The API itself sends blank texts before tool calls; a tool may return nothing; and applications
    send an empty text with an image. A user's message that has nothing else is refused later.
    """
    if isinstance(message.get("content"), list):
        content = [
            part
            for part in message["content"]
            if part.keys() != {"type", "text"} or not is_blank_text(part)
        ]
        if content or message["role"] != "user":
            message["content"] = content or ""


def _check_last_turn(content: str | list[_Dict], field: str) -> None:
    """Refuse an assistant turn at the end, which the model continues, if it ends in a space."""
    if isinstance(content, list):
        field = f"{field}[{len(content) - 1}]"
        last = content[-1]
        content = last["text"] if last["type"] == "text" else ""
    if content != content.rstrip():
        msg = (
            "the last message is an assistant turn that ends in white space, which the API refuses;"
            " give text.rstrip(), or add a .user() message"
        )
        refuse(msg, field)


def refuse_thinking_before_text(messages: list[_Dict]) -> None:
    """Refuse thinking if the last message is an assistant turn without its own thinking."""
    last = messages[-1]
    content = last["content"]
    first = content[0].get("type") if isinstance(content, list) else "text"
    if last["role"] == "assistant" and first not in ("thinking", "redacted_thinking"):
        msg = (
            "the conversation ends in an assistant turn, and Claude cannot think before it goes on"
            " with one; leave thinking out, or add a .user() message"
        )
        refuse(msg, "thinking")


def _append_to_results(results: _Dict, message: _Dict) -> None:
    content = message.pop("content")
    results["content"] += [_build_text(content)] if isinstance(content, str) else content
    results |= message


def _build_text(text: str) -> _Dict:
    return {"type": "text", "text": text}


def _build_content(parts: list[_Dict], field: str) -> str | list[_Dict]:
    """Return parts as the content of a message; a single text becomes a plain string."""
    if not parts:
        refuse(BLANK_MESSAGE, field)
    if len(parts) == 1 and parts[0].keys() == {"type", "text"}:
        return str(parts[0]["text"])
    return parts


def _build_message(message: Message, field: str) -> _Dict:
    match message.role:
        case "user":
            parts = message.parts
            if not all(_is_blank(part) for part in parts):
                parts = tuple(part for part in parts if not _is_blank(part))
            built = _build_parts(parts, field)
            return {"role": "user", "content": _build_content(built, f"{field}.content")}
        case "assistant":
            return _build_assistant(message, field)
        case "tool":
            return _build_result(message, field)
    msg = f"{describe(message.role)} is not a role; give one of user, assistant, tool"
    raise InvalidRequestError(msg, field=f"{field}.role")


def _read_text(part: object) -> str:
    return part.text if isinstance(part, Text) else ""


def _is_blank(part: object) -> bool:
    return isinstance(part, Text) and isinstance(part.text, str) and not part.text.strip()


def _build_parts(parts: Iterable[Any], field: str) -> list[_Dict]:
    return [build_part(part, f"{field}.content[{index}]") for index, part in enumerate(parts)]


def _build_assistant(message: Message, field: str) -> _Dict:
    texts = message.parts
    if message.tool_calls or message.refusal:  # Claude itself writes blank texts before its calls
        texts = tuple(part for part in texts if not _is_blank(part))
    parts = _build_parts(texts, field)
    if message.refusal:
        parts.append(_build_text(check_text(message.refusal, f"{field}.refusal")))
    parts += [
        build_tool_use(call, f"{field}.tool_calls[{index}]")
        for index, call in enumerate(message.tool_calls)
    ]
    return {"role": "assistant", "content": _build_content(parts, f"{field}.content")}


def _build_result(message: Message, field: str) -> _Dict:
    content_field = f"{field}.content"
    match message.parts:
        case (Text(text=text),):
            # A blank text is allowed here, since a tool may return nothing.
            content: str | list[_Dict] = check_text(text, f"{content_field}[0]")
        case parts:
            content = [
                build_result_part(part, f"{content_field}[{index}]")
                for index, part in enumerate(parts)
                if not _is_blank(part)  # allowed only as the whole content
            ]
    part: _Dict = {
        "type": "tool_result",
        "tool_use_id": build_call_id(message.call_id, f"{field}.tool_call_id"),
        "content": content,
    }
    if message.is_error:
        part["is_error"] = True
    return {"role": "user", "content": [part]}


def _read_prompts(message: _Dict, field: str, control: Any, *, takes_marks: bool) -> list[_Dict]:
    """Return the texts of a system message that are not blank, as parts.

    ``control`` marks a breakpoint of the prompt cache after the message.
    """
    _refuse_other_keys(message, field, ("role", "content"))
    content = message["content"]
    parts = [_build_text(content)] if isinstance(content, str) else content
    known = ("type", "text", CACHE_KEY) if takes_marks else ("type", "text")
    for index, part in enumerate(parts):
        part_field = f"{field}.content[{index}]"
        if part["type"] != "text":
            refuse(f"a system prompt holds only text, not {describe(part['type'])}", part_field)
        _refuse_other_keys(part, part_field, known)
    prompts = [part for part in parts if part["text"].strip()]
    if prompts and control is not None and takes_marks:
        prompts[-1][CACHE_KEY] = control
    return prompts


def _refuse_other_keys(holder: _Dict, field: str, known: tuple[str, ...]) -> None:
    for key, value in holder.items():
        if key not in known and value is not None:
            msg = (
                "the system prompt is one string in the anthropic dialect and cannot carry"
                f" {describe(key)}; leave it out, or send it with extra={{'system': [...]}}"
            )
            refuse(msg, f"{field}.{key}")


def _translate_message(message: _Dict, field: str) -> _Dict:
    if message["role"] == "tool":
        return _translate_result(message, field)
    if message.get("name") is not None:
        msg = "a message has no name in the anthropic dialect; put the name into the text"
        refuse(msg, f"{field}.name")
    if message["role"] == "user":
        parts = _translate_content(message["content"], field)
        content = _build_content(parts, f"{field}.content")
        return {"role": "user", "content": content} | _copy_without(
            message, "role", "content", "name"
        )
    return _translate_assistant(message, field)


def _translate_content(content: str | list[_Dict] | None, field: str) -> list[_Dict]:
    if content is None or isinstance(content, str):
        return [_build_text(content)] if content and content.strip() else []
    return [translate_part(part, f"{field}.content[{index}]") for index, part in enumerate(content)]


def _copy_without(message: _Dict, *keys: str) -> _Dict:
    return {key: value for key, value in message.items() if key not in keys}


def _translate_assistant(message: _Dict, field: str) -> _Dict:
    if message.get("audio") is not None:
        msg = "the anthropic dialect takes no audio; give the transcript as content"
        refuse(msg, f"{field}.audio")
    parts = _translate_content(message.get("content"), field)
    refusal = message.get("refusal")
    if refusal is not None and not isinstance(refusal, str):
        refuse(f"{describe(refusal)} is not text; give a str", f"{field}.refusal")
    if refusal:
        parts.append(_build_text(refusal))
    parts += [
        _translate_tool_call(call, f"{field}.tool_calls[{index}]")
        for index, call in enumerate(message.get("tool_calls") or ())
    ]
    known = ("role", "content", "name", "refusal", "audio", "tool_calls", *_RESPONSE_ONLY)
    content = _build_content(parts, f"{field}.content")
    return {"role": "assistant", "content": content} | _copy_without(message, *known)


def _translate_tool_call(call: _Dict, field: str) -> _Dict:
    if call.get("type") not in (None, "function"):
        msg = f"the anthropic dialect has no calls of type {describe(call['type'])}; leave it out"
        refuse(msg, f"{field}.type")
    function = call["function"]
    return build_tool_use(ToolCall(call["id"], function["name"], function["arguments"]), field)


def _translate_result(message: _Dict, field: str) -> _Dict:
    content = message["content"]
    if isinstance(content, list):
        content = _translate_content(content, field)
    call_id = build_call_id(message["tool_call_id"], f"{field}.tool_call_id")
    part = {"type": "tool_result", "tool_use_id": call_id, "content": content}
    # The tool's name is left out, since the id identifies the call of the result.
    part |= _copy_without(message, "role", "content", "tool_call_id", "name")
    return {"role": "user", "content": [part]}

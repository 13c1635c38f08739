"""What a valid request asks for, read alike out of both dialects."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Literal

import attrs

from .naming import speaks

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Asked", "OfferedTool", "ToolResult", "tokens"]

_TOKEN = re.compile(r"\s*\w{1,6}|\s*[^\w\s]|\s+")
_TOKENS_PER_MESSAGE = 4
_TOKENS_PER_FILE = 256
_PARTS_WITH_FILES = frozenset({"image", "image_url", "document", "file", "input_audio"})


def tokens(text: str) -> list[str]:
    """Cut a text into what the emulator counts as tokens; joined they are the text again."""
    return _TOKEN.findall(text)


@attrs.frozen
class OfferedTool:
    """A tool that the model may call."""

    name: str
    schema: dict[str, Any]


@attrs.frozen
class ToolResult:
    """What a tool gave back, at the end of the conversation."""

    name: str
    text: str
    is_error: bool = False


@attrs.frozen
class Asked:
    """A request in neutral words."""

    model: str
    prompt: str
    prompt_tokens: int
    tools: tuple[OfferedTool, ...]
    tool_choice: Literal["none", "auto", "required"]
    named_tool: str | None
    one_call_only: bool
    results: tuple[ToolResult, ...]
    json_schema: dict[str, Any] | None
    max_tokens: int | None
    stops: tuple[str, ...]
    choices: int
    reasons: bool
    budget: int | None
    include_usage: bool

    @classmethod
    def from_body(cls, body: dict[str, Any]) -> Asked:
        """Read a request that has passed the checks."""
        openai = speaks(body["model"], body) == "openai"
        choice = body.get("tool_choice")
        budget = _object(body.get("thinking")).get("budget_tokens")
        limit = body.get("max_completion_tokens") or body.get("max_tokens")
        parallel = body.get("parallel_tool_calls") if openai else None
        return cls(
            model=body["model"],
            prompt=_last_of_the_user(body["messages"]),
            prompt_tokens=_count(body),
            tools=tuple(_tool(tool) for tool in body.get("tools") or ()),
            tool_choice=_how_to_choose(choice),
            named_tool=_named(choice),
            one_call_only=parallel is False
            or _object(choice).get("disable_parallel_tool_use") is True,
            results=tuple(_results(body["messages"])),
            json_schema=_schema_of_answer(body.get("response_format")) if openai else None,
            max_tokens=int(limit) if limit else None,
            stops=_stops(body, openai=openai),
            choices=(body.get("n") or 1) if openai else 1,
            reasons=_reasons(body),
            budget=budget,
            include_usage=_object(body.get("stream_options")).get("include_usage") is True,
        )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(part["text"] for part in parts if isinstance(part.get("text"), str))


def _last_of_the_user(messages: list[dict[str, Any]]) -> str:
    said = (_text(m.get("content")) for m in reversed(messages) if m["role"] == "user")
    return next((text for text in said if text), "")


def _count(body: dict[str, Any]) -> int:
    total = len(tokens(_text(body.get("system")))) + len(
        tokens(json.dumps(body.get("tools") or ""))
    )
    for message in body["messages"]:
        content = message.get("content")
        total += _TOKENS_PER_MESSAGE + len(tokens(_text(content)))
        if isinstance(content, list):
            files = sum(part.get("type") in _PARTS_WITH_FILES for part in content)
            total += files * _TOKENS_PER_FILE
    return total


def _tool(tool: dict[str, Any]) -> OfferedTool:
    inner = tool.get("function", tool)
    return OfferedTool(inner["name"], _object(inner.get("parameters") or inner.get("input_schema")))


def _how_to_choose(choice: Any) -> Literal["none", "auto", "required"]:
    kind = choice.get("type") if isinstance(choice, dict) else choice
    if kind in ("required", "any", "function", "tool"):
        return "required"
    return "none" if kind == "none" else "auto"


def _named(choice: Any) -> str | None:
    wanted = _object(choice)
    name = _object(wanted.get("function")).get("name") or wanted.get("name")
    return name if isinstance(name, str) else None


def _results(messages: list[dict[str, Any]]) -> list[ToolResult]:
    """Read the results that end the conversation, in the order they stand."""
    names = dict(_calls(messages))
    last = messages[-1]
    if last["role"] == "user":
        parts = last["content"] if isinstance(last["content"], list) else []
        return [
            ToolResult(
                names.get(part["tool_use_id"], "the tool"),
                _text(part.get("content")),
                part.get("is_error") is True,
            )
            for part in parts
            if part.get("type") == "tool_result"
        ]
    found: list[ToolResult] = []
    for message in reversed(messages):
        if message["role"] != "tool":
            break
        name = names.get(message["tool_call_id"], "the tool")
        found.insert(0, ToolResult(name, _text(message.get("content"))))
    return found


def _calls(messages: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Give the id and the tool's name of every call in the conversation."""
    for message in messages:
        for call in message.get("tool_calls") or ():
            yield call["id"], call["function"]["name"]
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            if part.get("type") == "tool_use":
                yield part["id"], part["name"]


def _schema_of_answer(wanted: Any) -> dict[str, Any] | None:
    """Give the schema that the answer has to fit; `{}` if any JSON object will do."""
    kind = _object(wanted).get("type")
    if kind == "json_schema":
        return _object(wanted["json_schema"].get("schema"))
    return {} if kind == "json_object" else None


def _stops(body: dict[str, Any], *, openai: bool) -> tuple[str, ...]:
    stops = body.get("stop" if openai else "stop_sequences") or ()
    return (stops,) if isinstance(stops, str) else tuple(stops)


def _reasons(body: dict[str, Any]) -> bool:
    if _object(body.get("thinking")).get("type") == "disabled":
        return False
    return body.get("reasoning_effort") != "none"

"""A valid chat request, parsed from either dialect into one neutral form."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Literal

import attrs

from .models import claude_version_of, family_of, find_model
from .prompt_cache import PromptSegment, iterate_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .models import ReasoningMode

__all__ = [
    "Dialect",
    "OfferedTool",
    "ParsedRequest",
    "ToolResult",
    "dialect_of",
    "find_prompt",
    "is_server_tool",
    "split_into_tokens",
    "takes_both_dialects",
]

Dialect = Literal["openai", "anthropic"]

# Claude models from 4.8 on, and those without a version in their name, take both dialects; 3.7
# takes the anthropic dialect together with `thinking`; 4.0 to 4.7 take only that one.
_FIRST_WITH_BOTH_DIALECTS = (4, 8)
_FIRST_ANTHROPIC_ONLY = (4, 0)
_SWITCHED_BY_THINKING = (3, 7)
_ANTHROPIC_FIELDS = frozenset({"system", "top_k", "stop_sequences"})
_ANTHROPIC_PARTS = frozenset({"tool_use", "tool_result", "thinking", "redacted_thinking"})

_TOKEN = re.compile(r"\s*\w{1,6}|\s*[^\w\s]|\s+")
_TOKENS_PER_MESSAGE = 4
_TOKENS_PER_FILE = 256
_PARTS_WITH_FILES = frozenset({"image", "image_url", "document", "file", "input_audio"})
_UNKNOWN_TOOL = "the tool"


def dialect_of(model: str, body: dict[str, Any]) -> Dialect:
    """Return the dialect in which the API reads a body for this model."""
    if family_of(model) != "claude":
        return "openai"
    version = claude_version_of(model)
    if takes_both_dialects(model):
        return "anthropic" if _looks_anthropic(body) else "openai"
    if version == _SWITCHED_BY_THINKING:
        return "anthropic" if "thinking" in body or _looks_anthropic(body) else "openai"
    return "anthropic" if version and version >= _FIRST_ANTHROPIC_ONLY else "openai"


def takes_both_dialects(model: str) -> bool:
    """Return whether a model is one of the newest Claude models."""
    version = claude_version_of(model)
    is_newest = version is None or version >= _FIRST_WITH_BOTH_DIALECTS
    return is_newest and family_of(model) == "claude"


def is_server_tool(tool: dict[str, Any]) -> bool:
    """Return whether the server runs a tool itself, so that the client gets no call of it."""
    return tool.get("type") not in (None, "custom", "function")


def split_into_tokens(text: str) -> list[str]:
    """Split a text into what the emulator counts as tokens; joined, they give the text again."""
    return _TOKEN.findall(text)


def find_prompt(messages: Any) -> str:
    """Return the text of the last user message that has any; "" if there is none."""
    contents = (m.get("content") for m in reversed(_objects(messages)) if m.get("role") == "user")
    return next((text for text in map(_join_text, contents) if text), "")


@attrs.frozen
class OfferedTool:
    """A tool that the model may call."""

    name: str
    schema: dict[str, Any]
    description: str = ""


@attrs.frozen
class ToolResult:
    """The result of a tool call, sent back at the end of the conversation."""

    name: str
    text: str
    is_error: bool = False


@attrs.frozen
class ParsedRequest:
    """A chat request in neutral form.

    Attributes:
        model: the name of the model, as the client wrote it.
        prompt: the text of the last user message that has any.
        instructions: the text of the system prompt.
        segments: the parts that the whole conversation consists of.
        tools: the tools that the model may call.
        tool_choice: whether the model may, must or must not call a tool.
        named_tool: the one tool that the client requires.
        single_call: whether parallel tool calls are forbidden.
        tool_results: the results at the end of the conversation, in order.
        json_schema: the schema that the answer has to fit; `{}` for any JSON object, None for text.
        max_tokens: the limit for reasoning and answer together.
        stop_sequences: the strings before which the answer ends.
        choice_count: how many choices are requested.
        reasoning: what becomes of the reasoning: "none" at all, "shown", or "hidden", which only
            counts in the usage.
        thinking_budget: the limit for the reasoning alone.
        include_usage: whether a stream in OpenAI's format reports its usage.
    """

    model: str
    prompt: str
    instructions: str
    segments: tuple[PromptSegment, ...]
    tools: tuple[OfferedTool, ...]
    tool_choice: Literal["none", "auto", "required"]
    named_tool: str | None
    single_call: bool
    tool_results: tuple[ToolResult, ...]
    json_schema: dict[str, Any] | None
    max_tokens: int | None
    stop_sequences: tuple[str, ...]
    choice_count: int
    reasoning: Literal["none", "shown", "hidden"]
    thinking_budget: int | None
    include_usage: bool

    @property
    def prompt_tokens(self) -> int:
        """The tokens of the whole conversation."""
        return sum(segment.tokens for segment in self.segments)

    @property
    def requested_schema(self) -> dict[str, Any] | None:
        """The schema of `json_schema`, or the one that the system prompt asks for in words."""
        if self.json_schema is not None:
            return self.json_schema
        _, found, rest = self.instructions.rpartition("JSON schema")
        start = rest.find("{") if found else -1
        if start < 0:
            return None
        try:
            schema = json.JSONDecoder().raw_decode(rest, start)[0]
        except (ValueError, RecursionError):
            return None
        return _object(schema)

    @classmethod
    def from_body(cls, body: dict[str, Any], dialect: Dialect) -> ParsedRequest:
        """Parse a body that has passed validation in a dialect."""
        openai = dialect == "openai"
        tool_choice = body.get("tool_choice")
        limit = body.get("max_completion_tokens") or body.get("max_tokens")
        parallel = body.get("parallel_tool_calls") if openai else None
        return cls(
            model=body["model"],
            prompt=find_prompt(body["messages"]),
            instructions=_find_instructions(body),
            segments=tuple(_build_segments(body)),
            tools=tuple(
                _parse_tool(tool) for tool in body.get("tools") or () if not is_server_tool(tool)
            ),
            tool_choice=_parse_tool_choice(tool_choice),
            named_tool=_parse_named_tool(tool_choice),
            single_call=parallel is False
            or _object(tool_choice).get("disable_parallel_tool_use") is True,
            tool_results=tuple(_parse_tool_results(body["messages"])),
            json_schema=_parse_json_schema(body.get("response_format")) if openai else None,
            max_tokens=int(limit) if limit else None,
            stop_sequences=_parse_stop_sequences(body, openai=openai),
            choice_count=(body.get("n") or 1) if openai else 1,
            reasoning=_choose_reasoning(body),
            thinking_budget=_object(body.get("thinking")).get("budget_tokens"),
            include_usage=_object(body.get("stream_options")).get("include_usage") is True,
        )


def _looks_anthropic(body: dict[str, Any]) -> bool:
    if not body.keys().isdisjoint(_ANTHROPIC_FIELDS):
        return True
    tool_choice = body.get("tool_choice")
    if isinstance(tool_choice, dict) and tool_choice.get("type") != "function":
        return True
    if any("input_schema" in tool for tool in _objects(body.get("tools"))):
        return True
    return any(
        part.get("type") in _ANTHROPIC_PARTS
        for message in _objects(body.get("messages"))
        for part in _objects(message.get("content"))
    )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[dict[str, Any]]:
    items = value if isinstance(value, list) else []
    return [item for item in items if isinstance(item, dict)]


def _join_text(content: Any) -> str:
    """Return the text of a message: its content, or its text parts joined by line feeds."""
    if isinstance(content, str):
        return content
    texts = (part.get("text") for part in _objects(content))
    return "\n".join(text for text in texts if isinstance(text, str))


def _find_instructions(body: dict[str, Any]) -> str:
    """Return the text of the system prompt, in either dialect."""
    systems = [body.get("system")]
    systems += [
        message.get("content")
        for message in _objects(body["messages"])
        if message.get("role") in ("system", "developer")
    ]
    return "\n\n".join(filter(None, map(_join_text, systems)))


def _build_segments(body: dict[str, Any]) -> Iterator[PromptSegment]:
    """Yield the parts of the prompt, in the order of the prompt cache."""
    # If these change, the conversation is cached again upstream, but not the tools.
    options = {name: body.get(name) for name in ("thinking", "tool_choice")}
    message = ""
    for path, role, block in iterate_blocks(body):
        tokens = _count_tokens(role, block)
        if path.startswith("messages") and path.partition(".")[0] != message:
            if not message:
                yield PromptSegment(options, 0)
            message = path.partition(".")[0]
            tokens += _TOKENS_PER_MESSAGE
        yield PromptSegment.from_block(role, block, tokens)


def _count_tokens(role: str, block: Any) -> int:
    if role == "tools":
        return len(split_into_tokens(json.dumps(block)))
    if isinstance(block, str):
        return len(split_into_tokens(block))
    block = _object(block)  # a system prompt of any other type is skipped
    kind = block.get("type")
    if kind in _PARTS_WITH_FILES:
        return _TOKENS_PER_FILE
    call = block.get("function", block)
    texts = [_join_text(value) for value in (block.get("text"), block.get("content"))]
    texts += [call[name] for name in ("name", "arguments") if isinstance(call.get(name), str)]
    if isinstance(block.get("input"), dict):
        texts.append(json.dumps(block["input"]))
    return sum(len(split_into_tokens(text)) for text in texts)


def _parse_tool(tool: dict[str, Any]) -> OfferedTool:
    definition = tool.get("function", tool)
    schema = definition.get("parameters") or definition.get("input_schema")
    description = definition.get("description")
    return OfferedTool(
        definition["name"], _object(schema), description if isinstance(description, str) else ""
    )


def _parse_tool_choice(tool_choice: Any) -> Literal["none", "auto", "required"]:
    kind = tool_choice.get("type") if isinstance(tool_choice, dict) else tool_choice
    if kind in ("required", "any", "function", "tool"):
        return "required"
    return "none" if kind == "none" else "auto"


def _parse_named_tool(tool_choice: Any) -> str | None:
    choice = _object(tool_choice)
    name = _object(choice.get("function")).get("name") or choice.get("name")
    return name if isinstance(name, str) else None


def _parse_tool_results(messages: list[dict[str, Any]]) -> list[ToolResult]:
    names = dict(_iterate_calls(messages))
    last = messages[-1]
    if last["role"] == "user" and not _holds_files_of_results(messages):
        parts = last["content"] if isinstance(last["content"], list) else []
        return [
            ToolResult(
                names.get(part["tool_use_id"], _UNKNOWN_TOOL),
                _join_text(part.get("content")),
                part.get("is_error") is True,
            )
            for part in parts
            if part.get("type") == "tool_result"
        ]
    results: list[ToolResult] = []
    for message in reversed(messages[:-1] if _holds_files_of_results(messages) else messages):
        if message["role"] != "tool":
            break
        name = names.get(message["tool_call_id"], _UNKNOWN_TOOL)
        results.insert(0, ToolResult(name, _join_text(message.get("content"))))
    return results


def _holds_files_of_results(messages: list[dict[str, Any]]) -> bool:
    """Return whether the last message has the files of results, which are texts in the openai form.

    It is a message of the user directly after the results.
    """
    *_, before, last = [{}, *messages]
    parts = last["content"] if isinstance(last.get("content"), list) else []
    has_file = any(part.get("type") in _PARTS_WITH_FILES for part in parts)
    return before.get("role") == "tool" and last["role"] == "user" and has_file


def _iterate_calls(messages: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield the id and the tool's name of every call in the conversation."""
    for message in messages:
        for call in message.get("tool_calls") or ():
            yield call["id"], call["function"]["name"]
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            if part.get("type") == "tool_use":
                yield part["id"], part["name"]


def _parse_json_schema(response_format: Any) -> dict[str, Any] | None:
    kind = _object(response_format).get("type")
    if kind == "json_schema":
        return _object(response_format["json_schema"].get("schema"))
    return {} if kind == "json_object" else None


def _parse_stop_sequences(body: dict[str, Any], *, openai: bool) -> tuple[str, ...]:
    value = body.get("stop" if openai else "stop_sequences") or ()
    return (value,) if isinstance(value, str) else tuple(value)


def _choose_reasoning(body: dict[str, Any]) -> Literal["none", "shown", "hidden"]:
    """Return what becomes of the reasoning: a few models always reason, most only on request."""
    model = find_model(body["model"])
    mode: ReasoningMode = "requested" if model is None else model.reasoning
    match mode:
        case "always":
            return "shown"
        case "hidden":
            return "none" if body.get("reasoning_effort") == "none" else "hidden"
        case "requested" if not _asks_for_reasoning(body):
            return "none"
        case "requested":
            is_omitted = _object(body.get("thinking")).get("display") == "omitted"
            return "hidden" if is_omitted else "shown"
        case "never":
            return "none"


def _asks_for_reasoning(body: dict[str, Any]) -> bool:
    """Return whether a request asks for reasoning, in any of the forms that the models take."""
    if body.get("thinking") is not None:
        return _object(body["thinking"]).get("type") != "disabled"
    reasoning = _object(body.get("reasoning"))
    if reasoning.get("exclude") is True or reasoning.get("enabled") is False:
        return False
    effort = body.get("reasoning_effort") or reasoning.get("effort")
    if effort is not None:
        return bool(effort != "none")
    return bool(reasoning) or body.get("enable_thinking") is True

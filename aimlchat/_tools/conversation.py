"""The conversation of a run: what a round adds to it, in a form that every model accepts back."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import attrs

from aimlchat._payload.json_values import to_json_value
from aimlchat.content import Text
from aimlchat.errors import InvalidRequestError, ProtocolError

from .tool_results import ResultError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aimlchat.completions import Choice, Completion
    from aimlchat.request import ChatRequest
    from aimlchat.run_events import ToolResult
    from aimlchat.tool_types import ToolCall

    from .tool_results import Content, Part

__all__ = ["add_result", "add_turn", "check_replacement", "find_argument_problem", "fit_content"]

# Every API accepts only an object as arguments. Anthropic documents this key for other values:
# https://docs.claude.com/en/docs/agents-and-tools/tool-use/fine-grained-tool-streaming
_BROKEN_KEY = "INVALID_JSON"


def find_argument_problem(call: ToolCall) -> str | None:
    """Return why the arguments of a call cannot be used, None if they can."""
    try:
        to_json_value(call.arguments, "arguments")
    except (ProtocolError, InvalidRequestError) as error:
        return str(error)
    return None


def check_replacement(call: ToolCall) -> None:
    """Raise `TypeError` for a call of ``on_tool`` whose fields are not texts."""
    values: dict[str, Any] = {"name": call.name, "raw_arguments": call.raw_arguments}
    for name, value in values.items():
        if not isinstance(value, str):
            msg = f"ToolCall.{name} is text, not an object of type {type(value).__name__}"
            raise TypeError(msg)


def add_turn(request: ChatRequest, completion: Completion[Any]) -> ChatRequest:
    """Return a request with the turn of the model added.

    A turn without anything that can be sent back is left out. Arguments that are not a JSON object
    are wrapped into one, since no API accepts them back as they are.
    """
    broken = {
        call.id: {_BROKEN_KEY: call.raw_arguments.encode(errors="backslashreplace").decode()}
        for call in completion.tool_calls
        if call.type != "custom" and find_argument_problem(call) is not None
    }
    if broken:
        choices = (
            _wrap_arguments(choice, broken)
            if choice.tool_calls == completion.tool_calls
            else choice
            for choice in completion.choices
        )
        completion = attrs.evolve(completion, choices=tuple(choices))
    with suppress(InvalidRequestError):  # the turn is empty, or has only reasoning
        return request.assistant(completion)
    return request


def _wrap_arguments(choice: Choice, broken: Mapping[str, dict[str, str]]) -> Choice:
    calls = tuple(
        attrs.evolve(call, raw_arguments=json.dumps(broken[call.id])) if call.id in broken else call
        for call in choice.tool_calls
    )
    turn = choice.turn
    if turn is not None and "content_blocks" in turn:
        blocks = [
            {**block, "input": broken[block["id"]]} if block.get("id") in broken else block
            for block in turn["content_blocks"]
        ]
        turn = {**turn, "content_blocks": blocks}
    return attrs.evolve(choice, tool_calls=calls, turn=turn)


def add_result(request: ChatRequest, result: ToolResult) -> ChatRequest:
    """Return a request with a result added."""
    return _add_content(request, result.call.id, result.content, is_error=result.is_error)


def fit_content(
    request: ChatRequest, models: Sequence[str], call_id: str, content: Content
) -> Content:
    """Return a result that each of the models accepts.

    A part that one of them does not accept becomes a text that says why it was left out. Raises
    `ResultError` if only such texts would be left.
    """
    if isinstance(content, str) or all(isinstance(part, Text) for part in content):
        return content

    def find_problem(*parts: Part) -> InvalidRequestError | None:
        following = _add_content(request, call_id, parts, is_error=False)
        try:
            for model in models or (request.model,):
                following.options(model=model).payload(stream=True)
        except InvalidRequestError as error:
            return error
        return None

    problem = find_problem(*content)
    if problem is None:
        return content
    fitted: list[Part] = []
    for part in content:
        left_out = None if isinstance(part, Text) else find_problem(part)
        fitted.append(Text(f"({_describe_left_out(part, left_out)})") if left_out else part)
    if not any(part in content for part in fitted) or find_problem(*fitted) is not None:
        raise ResultError(problem) from problem
    return tuple(fitted)


def _describe_left_out(part: Part, problem: InvalidRequestError) -> str:
    return f"{type(part).__name__} that was left out: {problem.args[0]}"


def _add_content(
    request: ChatRequest, call_id: str, content: Content, *, is_error: bool
) -> ChatRequest:
    parts: Any = content if isinstance(content, str) else list(content)
    return request.tool_result(call_id, parts, is_error=is_error)

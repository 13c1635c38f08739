"""How a typed answer is requested: the fields of the request, and the plan to read the answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import attrs

from aimlchat._schema.errors import DecodeError
from aimlchat._schema.subsets import GEMINI, OPENAI
from aimlchat.tool_types import Tool

from .cache_control import MarkedPrompt
from .json_values import is_mapping, refuse
from .limits import check_model, is_default
from .models import PLAIN_TEXT, choose_dialect, default_model, find_model_row, parse_thinking
from .tools import parse_choice

if TYPE_CHECKING:
    from aimlchat._schema.output_types import OutputType
    from aimlchat._schema.strict import RewrittenSchema

    from .model_table import ModelRow

__all__ = ["OutputPlan", "Way", "plan_output"]

Way = Literal["response_format", "tool", "offered_tool", "words"]
"""The ways of the table of models, and a tool that is offered and requested by the prompt."""

_CALL_IT = (
    "Give your final answer by calling the tool {name!r} once, with the whole answer as its"
    " arguments, and not as text."
)
_WRITE_IT = (
    "Give your final answer as one JSON value, without any text or code fence around it. It has to"
    " be valid by this JSON schema:\n{schema}"
)
_DESCRIPTION = "Gives the final answer; call it once, with the whole answer."


@attrs.frozen
class OutputPlan:
    """How one request asks for a typed answer, which determines how the answer is read.

    Attributes:
        output_type: the type.
        way: how it is requested.
        schema: the schema as it was sent, and the way back from it.
        tool_name: the name of the tool whose arguments are the answer; None without one. Unless it
            is forced, the model can still answer in text.
    """

    output_type: OutputType
    way: Way
    schema: RewrittenSchema
    tool_name: str | None = None

    def decode(self, value: Any) -> Any:
        """Return the value of the type for a JSON value as the model wrote it.

        Raises `DecodeError`, whose path refers to the type.
        """
        try:
            restored = self.schema.restore(value)
        except RecursionError as error:
            msg = "it is nested too deeply"
            raise DecodeError(msg) from error
        return self.output_type.decode(restored)


def plan_output(
    fields: Mapping[str, Any], output_type: OutputType
) -> tuple[dict[str, Any], OutputPlan]:
    """Return the fields of a request for a typed answer, and how to read the answer.

    Args:
        fields: the fields of a request, as `build_payload` takes them; they are not changed.
        output_type: the type.

    Raises:
        InvalidRequestError: the request has a response format of its own, or its ``extra`` replaces
            a field that requests the type.
    """
    model = default_model() if fields.get("model") is None else check_model(fields["model"])
    row = find_model_row(model)
    planned = {name: value for name, value in fields.items() if name != "response_format"}
    given = fields.get("response_format")
    if given is not None and not is_default(given, PLAIN_TEXT):
        msg = "output_type sets the response format; give one of them, not both"
        refuse(msg, "response_format")
    choice = fields.get("tool_choice")
    kind = None if choice is None else parse_choice(choice).kind
    way = _choose_way(model, row, fields)
    if way == "offered_tool" and kind == "none":
        way = "words"  # allowing this tool would allow the other tools, too
    if way == "words":
        schema = output_type.rewrite(None)
        text = json.dumps(schema.schema, ensure_ascii=False)
        _add_words(planned, _WRITE_IT.format(schema=text))
        return _refuse_extra(planned), OutputPlan(output_type, way, schema)
    schema = output_type.rewrite(GEMINI if row.is_gemini else None if row.is_claude else OPENAI)
    if way == "response_format":
        planned["response_format"] = {
            "type": "json_schema",
            "json_schema": {
                "name": output_type.name,
                "strict": schema.is_strict,
                "schema": schema.schema,
            },
        }
        return _refuse_extra(planned), OutputPlan(output_type, way, schema)
    tools = tuple(fields.get("tools") or ())
    name = _choose_name(output_type.name, tools)
    planned["tools"] = (*tools, Tool(name, description=_DESCRIPTION, parameters=schema.schema))
    if way == "offered_tool":
        _add_words(planned, _CALL_IT.format(name=name))
        if kind in (None, "auto"):
            planned["tool_choice"] = "auto"
    elif not tools or kind == "none":
        planned["tool_choice"] = name
    elif kind in (None, "auto"):
        planned["tool_choice"] = "required"
    plan = OutputPlan(output_type, way, schema, name)
    return _refuse_extra(planned, "tools", "tool_choice"), plan


def _choose_way(model: str, row: ModelRow, fields: Mapping[str, Any]) -> Way:
    mode, _ = parse_thinking(fields.get("thinking"))
    dialect, _ = choose_dialect(model, fields.get("dialect"), mode)
    way: Way = row.output_way
    if way == "response_format" and (
        dialect != "openai" or (row.is_gemini and fields.get("tools"))
    ):
        way = "tool"
    # A model that thinks cannot be forced to call a tool.
    return "offered_tool" if way == "tool" and _thinks(fields, mode) else way


def _thinks(fields: Mapping[str, Any], mode: str | None) -> bool:
    """Return whether a request asks its model to think, by whatever field."""
    given: Any = fields.get("extra")
    extra = given if is_mapping(given) else {}
    thinking: Any = extra.get("thinking")
    if is_mapping(thinking):
        return bool(thinking.get("type") != "disabled")
    effort = extra.get("reasoning_effort", fields.get("reasoning_effort"))
    return (
        mode in ("enabled", "adaptive")
        or effort not in (None, "none")
        or extra.get("reasoning") is not None
    )


def _add_words(planned: dict[str, Any], words: str) -> None:
    """Append a sentence to the system prompt; the text before it stays in the prompt cache."""
    system = planned.get("_system")
    has_system = isinstance(system, str) and system.strip()
    text = f"{system}\n\n{words}" if has_system else words
    planned["_system"] = (
        MarkedPrompt(text, system.ttl) if isinstance(system, MarkedPrompt) else text
    )


def _refuse_extra(planned: dict[str, Any], *names: str) -> dict[str, Any]:
    extra: Any = planned.get("extra")
    for name in ("response_format", *names):
        if is_mapping(extra) and name in extra:
            msg = f"output_type asks for the answer, and extra would replace its {name}"
            refuse(f"{msg}; leave {name} out of extra, or leave output_type out", "extra")
    return planned


def _choose_name(base: str, tools: tuple[Any, ...]) -> str:
    """Return a name for the tool that no other tool has."""
    used = set(map(_find_name, tools))
    name, number = f"answer_{base}", 1
    while name in used:
        number += 1
        name = f"answer_{base}_{number}"
    return name


def _find_name(tool: Any) -> Any:
    """Return the name of a tool: a `Tool`, a function, or a dict in either dialect's form."""
    if isinstance(tool, Mapping):
        function = tool.get("function")
        return function.get("name") if isinstance(function, Mapping) else tool.get("name")
    return getattr(tool, "name", getattr(tool, "__name__", None))

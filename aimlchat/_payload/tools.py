"""Tools and the tool choice, parsed from either dialect's form and built in the other's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from aimlchat.errors import InvalidRequestError
from aimlchat.tool_types import Tool

from .json_values import check_text, describe, is_mapping, refuse, suggest_dict, to_json_value
from .limits import check_boolean, check_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "TOOL_FIELDS",
    "ToolChoice",
    "ToolSpec",
    "add_tools",
    "parse_choice",
    "parse_tool",
    "relax_choice",
]

MAX_TOOLS = 128
# The fields of a request that `add_tools` handles.
TOOL_FIELDS = ("tools", "tool_choice")

# The form in which a tool or a choice was given: our own classes and words, one of the dialects, or
# a dict that neither dialect knows and that is sent unchanged.
_Form = Literal["neutral", "openai", "anthropic", "other"]
_ChoiceKind = Literal["none", "auto", "required", "tool", "other"]

# Both dialects' words for a choice; "any" is Anthropic's word for "required".
_CHOICE_KINDS: dict[str, _ChoiceKind] = {
    "none": "none",
    "auto": "auto",
    "required": "required",
    "any": "required",
}
_CHOICE_ADVICE = "give 'none', 'auto', 'required' or a tool's name"


class ToolSpec(NamedTuple):
    """A checked tool of a request.

    ``original`` is its dict, empty if it was a `Tool`; ``extra`` are those keys of the dict for
    which a `Tool` has no field, such as ``cache_control``. The form ``other`` is for tools that the
    server runs itself: they have no parameters to translate.
    """

    tool: Tool
    form: _Form
    original: dict[str, Any]
    extra: dict[str, Any]


class ToolChoice(NamedTuple):
    """The tool choice of a request.

    ``name`` is the tool's name for the kind ``tool``, else empty; ``original`` is the choice as a
    dict, empty if it was not one.
    """

    kind: _ChoiceKind
    name: str
    form: _Form
    original: dict[str, Any]


def add_tools(
    payload: dict[str, Any],
    parameters: Mapping[str, Any],
    build_tool: Callable[[ToolSpec, str], dict[str, Any]],
    build_choice: Callable[[ToolChoice], str | dict[str, Any]],
) -> None:
    """Add the tools and the tool choice in the parameters to the payload.

    ``build_tool`` and ``build_choice`` convert them to the form of a dialect. Raises
    `InvalidRequestError` for what is not a tool or a choice, and for a choice of a missing tool.
    """
    tools, names = _build_tools(parameters.get("tools", ()), build_tool)
    if tools:
        payload["tools"] = tools
    if "tool_choice" in parameters:
        choice = parse_choice(parameters["tool_choice"])
        _check_choice(choice, names, len(tools))
        payload["tool_choice"] = build_choice(choice)


def _build_tools(
    tools: Any, build_tool: Callable[[ToolSpec, str], dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[str]]:
    if not isinstance(tools, tuple):
        refuse(f"{describe(tools)} is not a list of tools; give [Tool(...), ...]", "tools")
    if len(tools) > MAX_TOOLS:
        refuse(f"there are {len(tools)} tools; give at most {MAX_TOOLS}", "tools")
    built, names = [], []
    for index, tool in enumerate(tools):
        field = f"tools[{index}]"
        spec = parse_tool(tool, field)
        built.append(build_tool(spec, field))
        name = spec.tool.name
        if name in names:
            refuse(f"a tool before it has the same name, {name!r}; give each its own", field)
        if name:
            names.append(name)
    return built, names


def parse_tool(tool: Any, field: str) -> ToolSpec:
    """Check a tool, in whatever form it is. Raises `InvalidRequestError`."""
    if isinstance(tool, Tool):
        return ToolSpec(_check_tool(tool, field), "neutral", {}, {})
    if not is_mapping(tool):
        advice = suggest_dict(tool, "give Tool(name, parameters=...)")
        refuse(f"{describe(tool)} is not a tool; {advice}", field)
    original = _without_nulls(to_json_value(tool, field))
    if isinstance(original.get("function"), dict):
        return _parse_openai_tool(original, field)
    if "input_schema" in original or original.get("type") == "custom":
        return _parse_anthropic_tool(original, field)
    if not isinstance(original.get("type"), str) or original["type"] == "function":
        refuse("it has neither a function nor an input_schema; give Tool(name, ...)", field)
    name = original.get("name")
    return ToolSpec(Tool(name if isinstance(name, str) else ""), "other", original, {})


def _without_nulls(holder: dict[str, Any]) -> dict[str, Any]:
    """Return a tool without its nulls, which SDKs write and servers refuse."""
    return {key: value for key, value in holder.items() if value is not None}


def _parse_openai_tool(original: dict[str, Any], field: str) -> ToolSpec:
    function = _without_nulls(original["function"])
    original = {"type": "function"} | original | {"function": function}
    tool = Tool(
        function.get("name", ""),
        description=function.get("description"),
        parameters=function.get("parameters"),
        strict=function.get("strict"),
    )
    extra = {key: item for key, item in original.items() if key not in ("type", "function")}
    return ToolSpec(_check_tool(tool, f"{field}.function"), "openai", original, extra)


def _parse_anthropic_tool(original: dict[str, Any], field: str) -> ToolSpec:
    tool = Tool(
        original.get("name", ""),
        description=original.get("description"),
        parameters=original.get("input_schema"),
        strict=original.get("strict"),
    )
    known = ("type", "name", "description", "input_schema", "strict")
    extra = {key: item for key, item in original.items() if key not in known}
    return ToolSpec(_check_tool(tool, field, "input_schema"), "anthropic", original, extra)


def _check_tool(tool: Tool, field: str, schema_key: str = "parameters") -> Tool:
    if tool.strict is not None:
        check_boolean(tool.strict, f"{field}.strict")
    name, description = check_name(tool.name, f"{field}.name"), tool.description
    if description is not None:
        description = check_text(description, f"{field}.description")
    return Tool(
        name,
        description=description,
        parameters=_check_schema(tool.parameters, f"{field}.{schema_key}"),
        strict=tool.strict,
        function=tool.function,
    )


def _check_schema(parameters: Any, field: str) -> dict[str, Any]:
    """Return the JSON schema of a tool's arguments, which has to be an object in both dialects."""
    if parameters is None or parameters == {}:
        return {"type": "object", "properties": {}}
    if not is_mapping(parameters):
        refuse(f"{describe(parameters)} is not a JSON schema; give a dict", field)
    schema: dict[str, Any] = to_json_value(parameters, field)
    kind = schema.get("type", "object")
    if kind != "object":
        msg = f"{describe(kind)} is not 'object'; wrap the value in a property of an object"
        refuse(msg, f"{field}.type")
    return schema if "type" in schema else {"type": "object"} | schema


def parse_choice(choice: Any) -> ToolChoice:
    """Return the tool choice of a request. Raises `InvalidRequestError`."""
    if isinstance(choice, Tool):
        return ToolChoice("tool", choice.name, "neutral", {})
    if isinstance(choice, str):
        kind = _CHOICE_KINDS.get(choice, "tool")
        return ToolChoice(kind, choice if kind == "tool" else "", "neutral", {})
    if not is_mapping(choice):
        refuse(f"{describe(choice)} is not a tool choice; {_CHOICE_ADVICE}", "tool_choice")
    original = to_json_value(choice, "tool_choice")
    match original:
        case {"type": "function", "function": {"name": str(name)}}:
            return ToolChoice("tool", name, "openai", original)
        case {"type": "tool", "name": str(name)}:
            return ToolChoice("tool", name, "anthropic", original)
        case {"type": "none" | "auto" | "any" as word}:
            return ToolChoice(_CHOICE_KINDS[word], "", "anthropic", original)
        case {"type": str(word)} if word not in ("function", "tool", "required"):
            return ToolChoice("other", "", "other", original)
    msg = f"the dict is not a tool choice; {_CHOICE_ADVICE}"
    raise InvalidRequestError(msg, field="tool_choice")


def relax_choice(choice: Any) -> Any:
    """Return the tool choice of the rounds after the first one, which forces no further call."""
    if choice is None:
        return None
    parsed = parse_choice(choice)
    if parsed.kind not in ("required", "tool"):
        return choice
    if parsed.form != "anthropic":
        return "auto"
    return {key: value for key, value in parsed.original.items() if key != "name"} | {
        "type": "auto"
    }


def _check_choice(choice: ToolChoice, names: list[str], tool_count: int) -> None:
    if choice.kind == "required" and not tool_count:
        refuse("a tool is required and there is none; give tools=[Tool(...)]", "tool_choice")
    if choice.kind == "tool" and choice.name not in names:
        known = f"the tools are: {', '.join(names)}" if names else "there are no tools"
        msg = f"no tool is named {describe(choice.name)}; {known}"
        if not choice.original:
            msg += " (the other choices are 'none', 'auto' and 'required')"
        refuse(msg, "tool_choice")

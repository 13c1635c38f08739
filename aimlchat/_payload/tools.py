"""Tools and the choice among them, read from any form; each dialect then writes its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from aimlchat.content import Tool
from aimlchat.errors import InvalidRequestError

from .json_values import is_mapping, plain, refuse, shown, text
from .limits import flag, name

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Asked", "Choice", "Form", "choose", "listed", "schema"]

MAX_TOOLS = 128

Form = Literal["neutral", "openai", "anthropic", "other"]


Kind = Literal["none", "auto", "required", "tool", "other"]

# What both dialects call them, and what one does.
_WORDS: dict[str, Kind] = {
    "none": "none",
    "auto": "auto",
    "required": "required",
    "any": "required",
}


class Asked(NamedTuple):
    """A tool that was asked for: read, and (unless it came as a `Tool`) as it was given.

    ``form`` is the dialect that it was given in; ``other`` is a server's own tool, with no
    parameters to translate. ``rest`` is what its dialect has no name for, such as cache_control.
    """

    tool: Tool
    form: Form
    given: dict[str, Any]
    rest: dict[str, Any]


class Choice(NamedTuple):
    """A choice of tools: its kind, the tool's name for ``tool``, and its own form if it had one."""

    kind: Kind
    name: str
    form: Form
    given: dict[str, Any]


def listed(
    tools: Any, write: Callable[[Asked, str], dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the tools as ``write`` puts them, and their names."""
    if not isinstance(tools, tuple):
        refuse(f"{shown(tools)} is not a list of tools; give [Tool(...), ...]", "tools")
    if len(tools) > MAX_TOOLS:
        refuse(f"{len(tools)} tools; give at most {MAX_TOOLS}", "tools")
    bodies, names = [], []
    for place, tool in enumerate(tools):
        field = f"tools[{place}]"
        asked = _read(tool, field)
        bodies.append(write(asked, field))
        if asked.tool.name in names:
            refuse(f"a second tool is named {asked.tool.name!r}; name each differently", field)
        if asked.tool.name:
            names.append(asked.tool.name)
    return bodies, names


def _read(tool: Any, field: str) -> Asked:
    if isinstance(tool, Tool):
        return Asked(_checked(tool, field), "neutral", {}, {})
    if not is_mapping(tool):
        refuse(f"{shown(tool)} is not a tool; give Tool(name, parameters=...)", field)
    given: dict[str, Any] = plain(tool, field)
    if isinstance(given.get("function"), dict):
        function = given["function"]
        found = Tool(
            function.get("name", ""),
            description=function.get("description"),
            parameters=function.get("parameters"),
            strict=function.get("strict"),
        )
        rest = {key: item for key, item in given.items() if key not in ("type", "function")}
        return Asked(_checked(found, f"{field}.function"), "openai", given, rest)
    if "input_schema" in given or given.get("type") == "custom":
        found = Tool(
            given.get("name", ""),
            description=given.get("description"),
            parameters=given.get("input_schema"),
            strict=given.get("strict"),
        )
        ours = ("type", "name", "description", "input_schema", "strict")
        rest = {key: item for key, item in given.items() if key not in ours}
        return Asked(_checked(found, field, "input_schema"), "anthropic", given, rest)
    if not isinstance(given.get("type"), str) or given["type"] == "function":
        refuse("it has neither a function nor an input_schema; give Tool(name, ...)", field)
    own = given.get("name")
    return Asked(Tool(own if isinstance(own, str) else ""), "other", given, {})


def _checked(tool: Tool, field: str, parameters: str = "parameters") -> Tool:
    if tool.strict is not None:
        flag(tool.strict, f"{field}.strict")
    described = tool.description
    return Tool(
        name(tool.name, f"{field}.name"),
        description=None if described is None else text(described, f"{field}.description"),
        parameters=schema(tool.parameters, f"{field}.{parameters}"),
        strict=tool.strict,
    )


def schema(parameters: Any, field: str) -> dict[str, Any]:
    """Return the JSON schema of a tool's arguments, which are always an object."""
    if parameters is None or parameters == {}:
        return {"type": "object", "properties": {}}
    if not is_mapping(parameters):
        refuse(f"{shown(parameters)} is not a JSON schema; give a dict", field)
    found: dict[str, Any] = plain(parameters, field)
    kind = found.get("type", "object")
    if kind != "object":
        msg = f"{shown(kind)} is not 'object'; wrap the value in a property of an object"
        refuse(msg, f"{field}.type")
    return found if "type" in found else {"type": "object"} | found


def choose(choice: Any, names: list[str], count: int) -> Choice:
    """Read a choice of tools, and check it against the tools that are there."""
    found = _choice(choice)
    if found.kind == "required" and not count:
        refuse("a tool is required and there is none; give tools=[Tool(...)]", "tool_choice")
    if found.kind == "tool" and found.name not in names:
        there = f"there are: {', '.join(names)}" if names else "there are no tools"
        msg = f"no tool is named {shown(found.name)}; {there}"
        if not found.given:
            msg += " (the other choices are 'none', 'auto' and 'required')"
        refuse(msg, "tool_choice")
    return found


def _choice(choice: Any) -> Choice:
    if isinstance(choice, Tool):
        return Choice("tool", choice.name, "neutral", {})
    if isinstance(choice, str):
        kind = _WORDS.get(choice, "tool")
        return Choice(kind, choice if kind == "tool" else "", "neutral", {})
    if not is_mapping(choice):
        msg = f"{shown(choice)} is no choice; give 'none', 'auto', 'required' or a tool's name"
        refuse(msg, "tool_choice")
    return _wire_choice(plain(choice, "tool_choice"))


def _wire_choice(given: dict[str, Any]) -> Choice:
    match given:
        case {"type": "function", "function": {"name": str(chosen)}}:
            return Choice("tool", chosen, "openai", given)
        case {"type": "tool", "name": str(chosen)}:
            return Choice("tool", chosen, "anthropic", given)
        case {"type": "none" | "auto" | "any" as word}:
            return Choice(_WORDS[word], "", "anthropic", given)
        case {"type": str(word)} if word not in ("function", "tool", "required"):
            return Choice("other", "", "other", given)
    msg = "the dict is no choice; give 'none', 'auto', 'required' or a tool's name"
    raise InvalidRequestError(msg, field="tool_choice")

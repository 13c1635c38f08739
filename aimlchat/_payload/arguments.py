"""The arguments of tool calls that are sent back: a call whose arguments are broken is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

from aimlchat.errors import InvalidRequestError, ProtocolError

from .json_values import check_text, to_json_value

if TYPE_CHECKING:
    from aimlchat.tool_types import ToolCall

__all__ = ["build_arguments", "parse_arguments"]


def parse_arguments(call: ToolCall, field: str) -> dict[str, Any]:
    """Return the arguments of a call.

    Raises `InvalidRequestError`, which names the call, if they are cut off or not a JSON object.
    """
    try:
        return call.arguments
    except ProtocolError as error:
        msg = f"{error}; correct them, or leave the call and its result out"
        raise InvalidRequestError(msg, field=field) from error


def build_arguments(call: ToolCall, field: str) -> str:
    """Return the arguments of a call as JSON text.

    It is the text of the call, unless only a lenient parser reads that: blank text, control
    characters in strings, an object that is encoded twice. Raises what `parse_arguments` raises.
    """
    arguments = parse_arguments(call, field)
    text = call.raw_arguments
    try:
        is_strict = isinstance(json.loads(text, parse_constant=_refuse_constant), dict)
    except ValueError:
        is_strict = False
    return check_text(text, field) if is_strict else json.dumps(to_json_value(arguments, field))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity, which `json.loads` reads by default

"""OpenAI's deprecated ``function_call`` and role ``function``, as a tool call and its result."""

from __future__ import annotations

from typing import Any

from .json_values import describe, refuse

__all__ = ["replace_function_call"]


def replace_function_call(
    message: dict[str, Any], index: int, field: str, ids: dict[str, str]
) -> str:
    """Replace both in a parsed message, and return the new role of the message.

    The deprecated form has no ids, so one is made from the index of the message, in a form that no
    other call has; ``ids`` holds those of the calls without a result, by the name of the function.
    Raises `InvalidRequestError` for a result without a call, and for a message with two calls.
    """
    role: str = message["role"]
    if role == "assistant" and "function_call" in message:
        call = message.pop("function_call")
        calls = message.get("tool_calls") or []
        if not calls:
            call_id = f"function_call_{index}"
            ids[call["name"]] = call_id
            message["tool_calls"] = [{"id": call_id, "type": "function", "function": call}]
        elif call["name"] not in [other.get("function", {}).get("name") for other in calls]:
            # Some servers send one call in both forms, but this is another one.
            msg = (
                f"the message has a function_call of {describe(call['name'])} and other tool_calls;"
                " give all of them as tool_calls"
            )
            refuse(msg, f"{field}.function_call")
    elif role == "function":
        name = message.pop("name", None)
        call_id = ids.pop(name, "") if isinstance(name, str) else ""
        if not call_id:
            msg = (
                f"no function_call before it is named {describe(name)}, so the call is unknown;"
                " give the role 'tool' and a tool_call_id"
            )
            refuse(msg, f"{field}.name")
        role = message["role"] = "tool"
        message["tool_call_id"] = call_id
        message["content"] = message.get("content") or ""
    return role

"""OpenAI's deprecated ``function_call`` and role ``function``, as a tool call and its result."""

from __future__ import annotations

from typing import Any

from .json_values import describe, refuse

__all__ = ["replace_function_call"]


def replace_function_call(
    message: dict[str, Any], index: int, field: str, ids: dict[str, str]
) -> str:
    """Replace both in a parsed message, and return the role that it has then.

    The deprecated form has no ids, so one is made from the index of the message; ``ids`` holds
    those of the calls without a result, by the name of the function. Raises `InvalidRequestError`
    for a result without a call.
    """
    role: str = message["role"]
    if role == "assistant" and "function_call" in message:
        call = message.pop("function_call")
        if not message.get("tool_calls"):  # some servers send the call in both forms
            call_id = f"call_{index}"
            ids[call["name"]] = call_id
            message["tool_calls"] = [{"id": call_id, "type": "function", "function": call}]
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

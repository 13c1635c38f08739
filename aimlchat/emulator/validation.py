"""What the API rejects in a chat request; each dialect adds rules of its own."""

from __future__ import annotations

import math
from typing import Any

from .errors import RejectedRequestError
from .field_checks import MAX_TOOLS, check_boolean, check_number, check_object, reject, require
from .models import MISSING_MODEL, claude_version_of, family_of
from .request import dialect_of
from .validation_anthropic import validate_anthropic
from .validation_openai import validate_openai

__all__ = ["validate_request"]

_MIN_THINKING_BUDGET = 1024
_DEFAULT_MAX_TOKENS = 32_000
_FIRST_WITH_ADAPTIVE_THINKING = (4, 8)


def validate_request(body: Any) -> dict[str, Any]:
    """Return the body if the API accepts it.

    Raises:
        RejectedRequestError: 400 with the field's name in the message, or 404 for the missing
            model.
    """
    check_object(body, "body", "Expected a JSON object")
    request: dict[str, Any] = body
    _validate_model(request.get("model"))
    _validate_common_fields(request)
    if dialect_of(request["model"], request) == "anthropic":
        validate_anthropic(request)
    else:
        validate_openai(request)
    if family_of(request["model"]) == "claude" and request.get("thinking") is not None:
        _validate_thinking(request["model"], request["thinking"], request.get("max_tokens"))
    return request


def _validate_model(model: Any) -> None:
    require(isinstance(model, str) and bool(model.strip()), "model", "Required, a string")
    if model == MISSING_MODEL:
        raise RejectedRequestError(404, f"The model '{model}' was not found")


def _validate_common_fields(body: dict[str, Any]) -> None:
    messages = body.get("messages")
    require(isinstance(messages, list), "messages", "Required, an array")
    require(bool(messages), "messages", "Array must contain at least 1 element(s)")
    for index, message in enumerate(messages or ()):
        check_object(message, f"messages[{index}]")
    check_boolean(body, "stream")
    check_number(body, "max_tokens", low=1)
    check_number(body, "top_p", low=0, high=1)
    tools = body.get("tools")
    require(tools is None or isinstance(tools, list), "tools", "Expected an array")
    require(len(tools or ()) <= MAX_TOOLS, "tools", f"At most {MAX_TOOLS} element(s)")


def _validate_thinking(model: str, thinking: Any, max_tokens: float | None) -> None:
    check_object(thinking, "thinking")
    version = claude_version_of(model)
    is_adaptive = version is None or version >= _FIRST_WITH_ADAPTIVE_THINKING
    kinds = ("enabled", "disabled", "adaptive") if is_adaptive else ("enabled",)
    if thinking.get("type") not in kinds:
        expected = " | ".join(repr(kind) for kind in kinds)
        reject("thinking.type", f"Invalid enum value. Expected {expected}")
    if thinking["type"] == "enabled":
        _validate_thinking_budget(thinking, max_tokens)


def _validate_thinking_budget(thinking: dict[str, Any], max_tokens: float | None) -> None:
    field = "thinking.budget_tokens"
    require(thinking.get("budget_tokens") is not None, field, "Required, an integer")
    check_number(
        thinking, "budget_tokens", low=_MIN_THINKING_BUDGET, integer=True, prefix="thinking."
    )
    limit = _DEFAULT_MAX_TOKENS if max_tokens is None else math.ceil(max_tokens)
    require(thinking["budget_tokens"] < limit, field, f"Must be less than max_tokens ({limit})")

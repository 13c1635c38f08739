"""What the API refuses, whichever dialect a request is in; the dialects add their own."""

from __future__ import annotations

import math
from typing import Any

from . import validation_anthropic, validation_openai
from .errors import Refusal
from .field_checks import MOST_TOOLS, boolean, number, refuse, require
from .naming import MISSING_MODEL, kin, speaks, version

__all__ = ["check"]

_SMALLEST_BUDGET = 1024
_USUAL_MAX_TOKENS = 32_000
_FIRST_TO_ADAPT = (4, 8)


def check(body: Any) -> dict[str, Any]:
    """Give the body back if the API would take it.

    Raises:
        Refusal: 400 with the field's name in the message, or 404 for the model that is missing.
    """
    require(isinstance(body, dict), "body", "Expected a JSON object")
    request: dict[str, Any] = body
    _model(request.get("model"))
    _common(request)
    if speaks(request["model"], request) == "anthropic":
        validation_anthropic.check(request)
    else:
        validation_openai.check(request)
    if kin(request["model"]) == "claude":
        _thinking(request)
    return request


def _model(model: Any) -> None:
    require(isinstance(model, str) and bool(model.strip()), "model", "Required, a string")
    if model == MISSING_MODEL:
        raise Refusal(404, f"The model '{model}' was not found")


def _common(body: dict[str, Any]) -> None:
    messages = body.get("messages")
    require(isinstance(messages, list), "messages", "Required, an array")
    require(bool(messages), "messages", "Array must contain at least 1 element(s)")
    for index, message in enumerate(messages or ()):
        require(isinstance(message, dict), f"messages[{index}]", "Expected an object")
    boolean(body, "stream")
    number(body, "max_tokens", low=1)
    number(body, "top_p", low=0, high=1)
    tools = body.get("tools")
    require(tools is None or isinstance(tools, list), "tools", "Expected an array")
    require(len(tools or ()) <= MOST_TOOLS, "tools", f"At most {MOST_TOOLS} element(s)")


def _thinking(body: dict[str, Any]) -> None:
    thinking = body.get("thinking")
    if thinking is None:
        return
    require(isinstance(thinking, dict), "thinking", "Expected an object")
    number_of_version = version(body["model"])
    adapts = number_of_version is None or number_of_version >= _FIRST_TO_ADAPT
    kinds = ("enabled", "disabled", "adaptive") if adapts else ("enabled",)
    if thinking.get("type") not in kinds:
        expected = " | ".join(repr(kind) for kind in kinds)
        refuse("thinking.type", f"Invalid enum value. Expected {expected}")
    if thinking["type"] == "enabled":
        _budget(thinking, body.get("max_tokens"))


def _budget(thinking: dict[str, Any], max_tokens: float | None) -> None:
    field = "thinking.budget_tokens"
    require(thinking.get("budget_tokens") is not None, field, "Required, an integer")
    number(thinking, "budget_tokens", low=_SMALLEST_BUDGET, whole=True, within="thinking.")
    ceiling = _USUAL_MAX_TOKENS if max_tokens is None else math.ceil(max_tokens)
    require(thinking["budget_tokens"] < ceiling, field, f"Must be less than max_tokens ({ceiling})")

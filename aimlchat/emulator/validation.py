"""What the API rejects in a chat request; each dialect adds rules of its own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .context_length import check_context_length
from .field_checks import MAX_TOOLS, check_boolean, check_number, check_object, reject, require
from .models import claude_version_of, family_of
from .request import ParsedRequest, dialect_of, takes_both_dialects
from .validation_anthropic import validate_anthropic
from .validation_cache import validate_cache_control
from .validation_gemini import validate_signed_calls
from .validation_messages import validate_message_request
from .validation_openai import validate_openai

if TYPE_CHECKING:
    from .catalog import Catalog
    from .request import Dialect
    from .signatures import Signer

__all__ = ["read_request"]

_MIN_THINKING_BUDGET = 1024
_DEFAULT_MAX_TOKENS = 32_000
# The newest Claude models have none of these fields.
_SAMPLING_FIELDS = ("temperature", "top_p", "top_k")
_FIELDS_OF_OLDER_CLAUDE = (*_SAMPLING_FIELDS, "response_format", "stream_options")


def read_request(
    body: Any, catalog: Catalog, signer: Signer, *, is_message: bool = False
) -> ParsedRequest:
    """Parse a body that the API accepts.

    Args:
        body: the body.
        catalog: the models that are served.
        signer: checks the signatures of the model's earlier turns.
        is_message: whether the request is in Claude's own message format.

    Raises:
        RejectedRequestError: 400 with the field's name in the message or for a prompt that is too
            long, or 404 for a model that is unknown or retired.
    """
    check_object(body, "body", "Expected a JSON object")
    model = body.get("model")
    require(isinstance(model, str) and bool(model.strip()), "model", "Required, a string")
    catalog.check(model)
    dialect = "anthropic" if is_message else dialect_of(model, body)
    _validate(body, dialect, signer.sent_types, is_message=is_message)
    if is_message:
        validate_message_request(body, signer)
    if family_of(model) == "gemini":
        validate_signed_calls(body, signer)
    validate_cache_control(body)
    request = ParsedRequest.from_body(body, dialect)
    check_context_length(request)
    return request


def _validate(
    request: dict[str, Any], dialect: Dialect, sent_types: set[str], *, is_message: bool
) -> None:
    _validate_common_fields(request)
    for name in _find_unknown_fields(request["model"]):
        require(request.get(name) is None, name, "Unrecognized key for this model")
    if dialect == "anthropic":
        validate_anthropic(request, is_message=is_message, sent_types=sent_types)
    else:
        validate_openai(request)
    if family_of(request["model"]) == "claude" and request.get("thinking") is not None:
        _validate_thinking(request["model"], request["thinking"], request.get("max_tokens"))


def _find_unknown_fields(model: str) -> tuple[str, ...]:
    """Return the fields that the model lacks, though its dialect has them."""
    if takes_both_dialects(model):
        return _FIELDS_OF_OLDER_CLAUDE
    is_opus_4_7 = family_of(model) == "claude" and claude_version_of(model) == (4, 7)
    return _SAMPLING_FIELDS if is_opus_4_7 else ()


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
    is_newest = takes_both_dialects(model)
    kinds = ("enabled", "disabled", "adaptive") if is_newest else ("enabled",)
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

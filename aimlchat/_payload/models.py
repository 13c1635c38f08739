"""What the table of models says about one model, and about its thinking."""

from __future__ import annotations

import functools
import os
import re
from typing import Any

from aimlchat.content import Thinking
from aimlchat.errors import InvalidRequestError

from .json_values import describe, refuse
from .limits import build_integer_check, is_default
from .model_table import (
    MODEL_TABLE,
    TABLE_DATE,
    TEXT_ONLY_MODELS,
    Dialect,
    ModelRow,
    ThinkingMode,
)

__all__ = [
    "DEFAULT_MODEL",
    "PLAIN_TEXT",
    "choose_dialect",
    "default_model",
    "find_model_row",
    "parse_thinking",
    "resolve_max_tokens",
    "take_out_refused_fields",
    "takes_images",
]

DEFAULT_MODEL = "anthropic/claude-3.7-sonnet"
_VARIABLE = "AIMLAPI_MODEL"

_MIN_BUDGET = 1024
# The tokens left for the answer when a request has a thinking budget and no max_tokens.
_ANSWER_TOKENS = 4096
_BUDGET_FIELD = "thinking.budget_tokens"
_check_budget = build_integer_check(_MIN_BUDGET)
_check_max_tokens = build_integer_check(1)
# The response format that requests the default.
PLAIN_TEXT = {"type": "text"}
_ALTERNATIVES = {
    "response_format": "give a tool whose parameters are the schema and name it in tool_choice, ",
}


def default_model() -> str:
    """Return the model of requests that do not name one.

    The environment variable ``AIMLAPI_MODEL`` names it, unless it is blank.
    """
    return os.environ.get(_VARIABLE, "").strip() or DEFAULT_MODEL


@functools.lru_cache(maxsize=256)
def find_model_row(model: str) -> ModelRow:
    """Return the first row of the table that matches the model's name."""
    return next(row for row in MODEL_TABLE if re.search(row.pattern, model, re.IGNORECASE))


def takes_images(model: str) -> bool:
    """Return whether a model takes images, as far as the table knows: most models do."""
    return re.search(TEXT_ONLY_MODELS, model, re.IGNORECASE) is None


def choose_dialect(
    model: str,
    dialect: Dialect | None,
    mode: ThinkingMode | None,
    *,
    needs_signatures: bool = False,
) -> tuple[Dialect, bool]:
    """Return the dialect of a request, and whether its payload has a ``thinking`` parameter.

    Args:
        model: the model's name.
        dialect: the caller's choice, which overrides the table; None for no choice.
        mode: the mode of thinking; None if the request has none. ``disabled`` is not sent to a
            model that does not accept it, since such a model does not think by default.
        needs_signatures: whether Claude's thinking has to be signed, so that it can be sent back;
            only the messages dialect signs it.

    Raises:
        InvalidRequestError: with the field ``thinking``, for a mode that the model or the dialect
            does not support.
    """
    row = find_model_row(model)
    modes, thinking_dialect = row.thinking_modes, row.thinking_dialect
    if dialect in ("anthropic", "messages") and row is MODEL_TABLE[-1]:
        # The table does not have the name, perhaps an alias; its dialect shows that it is Claude.
        modes, thinking_dialect = ("enabled",), "anthropic"
    if needs_signatures and row.is_claude and modes:  # Claude before 3.7 has no thinking
        dialect = dialect or "messages"
    if mode is None or (mode == "disabled" and mode not in modes):
        return dialect or row.dialects[0], False
    if not modes:
        refuse(
            f"{model} takes no thinking parameter; leave thinking out, give reasoning_effort if the"
            " model reasons, or choose a model that thinks, such as anthropic/claude-3.7-sonnet",
            "thinking",
        )
    if mode not in modes:
        advice = "give a budget, as in thinking=2048"
        if "enabled" not in modes:
            advice = "give False, which turns its thinking off, or leave thinking out"
        refuse(f"{model} does not support {mode} thinking; {advice}", "thinking")
    if (dialect == "openai" and thinking_dialect == "anthropic") or (
        dialect in ("openai", "anthropic") and thinking_dialect == "messages"
    ):
        msg = (
            f"{model} thinks in the {thinking_dialect} dialect only; leave out dialect or thinking"
        )
        refuse(msg, "thinking")
    return dialect or thinking_dialect or row.dialects[0], True


def take_out_refused_fields(model: str, parameters: dict[str, Any]) -> None:
    """Refuse the parameters that the model does not accept, though its dialect has them.

    A response format of plain text is the default, so it is only removed. Raises
    `InvalidRequestError`, with the name of the field.
    """
    for name in find_model_row(model).refused_fields:
        if name not in parameters:
            continue
        if name == "response_format" and is_default(parameters[name], PLAIN_TEXT):
            del parameters[name]
            continue
        msg = (
            f"{model} takes no {name}, by the vendor's documents of {TABLE_DATE};"
            f" {_ALTERNATIVES.get(name, '')}leave it out, or send it unchecked with"
            f" extra={{{name!r}: ...}}"
        )
        refuse(msg, name)


def parse_thinking(thinking: Any) -> tuple[ThinkingMode | None, int | None]:
    """Return the mode and the budget, in tokens, for a request's ``thinking``.

    Either is None if the value does not specify it. Raises `InvalidRequestError` for any other
    value, and for a budget under 1024 tokens.
    """
    if thinking is None:
        return None, None
    if thinking is False:
        return "disabled", None
    if isinstance(thinking, Thinking):
        return "enabled", _check_budget(thinking.budget_tokens, _BUDGET_FIELD)
    if isinstance(thinking, int) and thinking is not True:
        return "enabled", _check_budget(thinking, _BUDGET_FIELD)
    if isinstance(thinking, str) and thinking == "adaptive":
        return "adaptive", None
    problem = "True names no budget" if thinking is True else f"{describe(thinking)} is not a value"
    msg = f"{problem}; give a budget in tokens, as in thinking=2048, or 'adaptive', or False"
    raise InvalidRequestError(msg, field="thinking")


def resolve_max_tokens(budget: int, max_tokens: Any) -> int:
    """Return the ``max_tokens`` to send with a thinking budget; both are in tokens.

    The default is the budget plus 4096. Raises `InvalidRequestError` unless the budget is below
    ``max_tokens``, as the API requires.
    """
    if max_tokens is None:
        return budget + _ANSWER_TOKENS
    limit: int = _check_max_tokens(max_tokens, "max_tokens")
    if budget >= limit:
        msg = (
            f"the budget of {budget} tokens is not below max_tokens, {limit}; raise max_tokens, or"
            f" leave it out to send the budget + {_ANSWER_TOKENS}"
        )
        refuse(msg, _BUDGET_FIELD)
    return limit

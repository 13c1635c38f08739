"""The table of models: the dialect that each uses, and the modes of thinking it supports."""

from __future__ import annotations

import functools
import re
from typing import Any, Literal, NamedTuple

from aimlchat.content import Thinking
from aimlchat.errors import InvalidRequestError

from .json_values import describe, refuse
from .limits import build_integer_check

__all__ = [
    "DEFAULT_MODEL",
    "MODEL_TABLE",
    "Dialect",
    "ModelRow",
    "ThinkingMode",
    "choose_dialect",
    "find_model_row",
    "parse_thinking",
    "resolve_max_tokens",
]

DEFAULT_MODEL = "anthropic/claude-3.7-sonnet"

Dialect = Literal["openai", "anthropic"]
ThinkingMode = Literal["enabled", "disabled", "adaptive"]

_MIN_BUDGET = 1024
# The tokens left for the answer when a request has a thinking budget and no max_tokens.
_ANSWER_TOKENS = 4096
_BUDGET_FIELD = "thinking.budget_tokens"
_check_budget = build_integer_check(_MIN_BUDGET)
_check_max_tokens = build_integer_check(1)


class ModelRow(NamedTuple):
    """The properties of all models whose name contains a match of ``pattern``, ignoring case.

    ``dialect`` is for requests without thinking, ``thinking_dialect`` for requests with it (None if
    the models do not think), and ``thinking_modes`` are the values of ``thinking.type`` that the
    models accept.
    """

    # Not compiled: `re` does that on first use, which makes `import aimlchat` faster.
    pattern: str
    dialect: Dialect
    thinking_dialect: Dialect | None
    thinking_modes: tuple[ThinkingMode, ...]


# The first row that matches is used. In a name the family may be before or after the version, the
# version may have a dot or a dash, and a date may follow: claude-opus-4-20250514 is 4.0.
MODEL_TABLE = (
    # Claude 3.7
    ModelRow(r"claude-(\w+-)?3[.-]7(?!\d)", "openai", "anthropic", ("enabled",)),
    # Claude before 3.7
    ModelRow(r"claude-(instant|(\w+-)?v?[123](?!\d))", "openai", None, ()),
    # Claude 4 to 4.7
    ModelRow(
        r"claude-(\w+-)?4([.-][0-7](?!\d)|(?!\d|[.-]\d{1,2}(?!\d)))",
        "anthropic",
        "anthropic",
        ("enabled",),
    ),
    # Claude from 4.8 on, and names without a version
    ModelRow(r"claude", "openai", "openai", ("enabled", "disabled", "adaptive")),
    # All other models
    ModelRow(r"", "openai", None, ()),
)


@functools.lru_cache(maxsize=256)
def find_model_row(model: str) -> ModelRow:
    """Return the first row of the table that matches the model's name."""
    return next(row for row in MODEL_TABLE if re.search(row.pattern, model, re.IGNORECASE))


def choose_dialect(
    model: str, dialect: Dialect | None, mode: ThinkingMode | None
) -> tuple[Dialect, bool]:
    """Return the dialect of a request, and whether its payload has a ``thinking`` parameter.

    Args:
        model: the model's name.
        dialect: the caller's choice, which overrides the table; None for no choice.
        mode: the mode of thinking; None if the request has none. ``disabled`` is not sent to a
            model that does not accept it, since such a model does not think by default.

    Raises:
        InvalidRequestError: with the field ``thinking``, for a mode that the model or the dialect
            does not support.
    """
    row = find_model_row(model)
    modes, thinking_dialect = row.thinking_modes, row.thinking_dialect
    if dialect == "anthropic" and row is MODEL_TABLE[-1]:
        # The table does not know the name, perhaps an alias; by its dialect it is a Claude model.
        modes, thinking_dialect = ("enabled",), "anthropic"
    if mode is None or (mode == "disabled" and mode not in modes):
        return dialect or row.dialect, False
    if not modes:
        refuse(
            f"{model} takes no thinking parameter; leave thinking out, give reasoning_effort if the"
            " model reasons, or choose a model that thinks, such as anthropic/claude-3.7-sonnet",
            "thinking",
        )
    if mode not in modes:
        msg = f"{model} does not support {mode} thinking; give a budget, as in thinking=2048"
        refuse(msg, "thinking")
    if dialect == "openai" and thinking_dialect == "anthropic":
        msg = f"{model} thinks in the anthropic dialect only; leave out dialect or thinking"
        refuse(msg, "thinking")
    return dialect or thinking_dialect or row.dialect, True


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
    ``max_tokens``, as the API demands.
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

"""Which dialect a model takes, and how it can be made to think."""

from __future__ import annotations

import functools
import re
from typing import Literal, NamedTuple

from .json_values import refuse

__all__ = ["DEFAULT_MODEL", "TABLE", "Dialect", "Mode", "Row", "route", "row_of"]

DEFAULT_MODEL = "anthropic/claude-3.7-sonnet"

Dialect = Literal["openai", "anthropic"]
Mode = Literal["enabled", "disabled", "adaptive"]


class Row(NamedTuple):
    """What holds for the models whose name has ``name`` in it (a pattern, in either case).

    ``plain`` is the dialect of a request that says nothing of thinking, ``thinking`` the one of a
    request that does, and ``modes`` are the values of ``thinking.type`` that the models know.
    """

    name: re.Pattern[str]
    plain: Dialect
    thinking: Dialect | None
    modes: tuple[Mode, ...]


def _row(name: str, plain: Dialect, thinking: Dialect | None, *modes: Mode) -> Row:
    return Row(re.compile(name, re.IGNORECASE), plain, thinking, modes)


# The first row that matches holds. A name may have its kind before the version or after it, a
# dot or a dash within the version, and a date behind it: claude-opus-4-20250514 is 4.0.
TABLE = (
    # Claude 3.7
    _row(r"claude-(\w+-)?3[.-]7(?!\d)", "openai", "anthropic", "enabled"),
    # Claude before 3.7
    _row(r"claude-(instant|(\w+-)?v?[123](?!\d))", "openai", None),
    # Claude 4 to 4.7
    _row(
        r"claude-(\w+-)?4([.-][0-7](?!\d)|(?!\d|[.-]\d{1,2}(?!\d)))",
        "anthropic",
        "anthropic",
        "enabled",
    ),
    # Claude since then, and the names without a version
    _row(r"claude", "openai", "openai", "enabled", "disabled", "adaptive"),
    # everything else
    _row(r"", "openai", None),
)


@functools.lru_cache(maxsize=256)
def row_of(model: str) -> Row:
    """Return the first row of the table that the model's name matches."""
    return next(row for row in TABLE if row.name.search(model))


def route(model: str, dialect: Dialect | None, mode: Mode | None) -> tuple[Dialect, bool]:
    """Return the dialect of a request, and whether it says its mode of thinking.

    A given ``dialect`` wins over the table. A model that knows no ``disabled`` is not told of it,
    since it does not think unless it is asked to. Raises `InvalidRequestError` (``thinking``) for
    a mode that the model does not know.
    """
    row = row_of(model)
    modes, thinks_in = row.modes, row.thinking
    if dialect == "anthropic" and row is TABLE[-1]:
        # A name that the table does not know, from a caller who does.
        modes, thinks_in = ("enabled",), "anthropic"
    if mode is None or (mode == "disabled" and mode not in modes):
        return dialect or row.plain, False
    if not modes:
        refuse(
            f"{model} takes no thinking parameter; leave it out, or give reasoning_effort where the"
            " model reasons, or a model that thinks, such as anthropic/claude-3.7-sonnet",
            "thinking",
        )
    if mode not in modes:
        refuse(f"{model} knows no {mode} thinking; give a budget, as thinking=2048", "thinking")
    if dialect == "openai" and thinks_in == "anthropic":
        msg = f"{model} thinks in the anthropic dialect only; leave out dialect, or thinking"
        refuse(msg, "thinking")
    return dialect or thinks_in or row.plain, True

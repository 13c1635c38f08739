"""The table of models, and what the name of any model says about it."""

from __future__ import annotations

import csv
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Literal, get_args

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Family",
    "ListedModel",
    "ReasoningMode",
    "claude_version_of",
    "family_of",
    "find_model",
    "load_models",
    "prices_of",
    "upstream_name_of",
]

Family = Literal["claude", "gpt", "gemini", "tagged", "other"]
ReasoningMode = Literal["never", "requested", "always", "hidden"]

_CLAUDE_VERSION = re.compile(r"claude-(?:[a-z]+-)?(\d{1,2})(?:[.-](\d{1,2}))?(?!\d)")
_UNLISTED_PRICES = (1.0, 4.0)


def _split(names: str) -> tuple[str, ...]:
    return tuple(names.split())


def _to_int(text: str) -> int | None:
    return int(text) if text else None


def _to_float(text: str) -> float | None:
    return float(text) if text else None


def _to_reasoning_mode(text: str) -> ReasoningMode:
    modes: dict[str, ReasoningMode] = {mode: mode for mode in get_args(ReasoningMode)}
    return modes[text]


def _is_retired(status: str) -> bool:
    return {"available": False, "retired": True}[status]


@attrs.frozen
class ListedModel:
    """A row of `models.csv`, which describes the columns; None stands for an empty field."""

    id: str
    aliases: tuple[str, ...] = attrs.field(converter=_split)
    upstream: str
    name: str
    developer: str
    context: int = attrs.field(converter=int)
    max_output: int | None = attrs.field(converter=_to_int)
    input_price: float | None = attrs.field(converter=_to_float)
    output_price: float | None = attrs.field(converter=_to_float)
    released: str
    image: str
    reasoning: ReasoningMode = attrs.field(converter=_to_reasoning_mode)
    is_retired: bool = attrs.field(alias="status", converter=_is_retired)

    @property
    def all_aliases(self) -> tuple[str, ...]:
        """Every name of the model except its id."""
        short = self.id.rpartition("/")[2]
        return tuple(dict.fromkeys((*([short] if short != self.id else []), *self.aliases)))


@cache
def load_models() -> tuple[ListedModel, ...]:
    """Read the table."""
    text = files(__package__).joinpath("models.csv").read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return tuple(ListedModel(**row) for row in csv.DictReader(lines))


@cache
def _models_by_name() -> Mapping[str, ListedModel]:
    return {name: model for model in load_models() for name in (model.id, *model.all_aliases)}


def find_model(name: str) -> ListedModel | None:
    """Look a model up by its id or by an alias, whether it is available or not."""
    return _models_by_name().get(name)


def prices_of(name: str) -> tuple[float, float]:
    """Return US dollars for a million tokens in and out; the same guess for all without a price."""
    model = find_model(name)
    if model is None or model.input_price is None or model.output_price is None:
        return _UNLISTED_PRICES
    return model.input_price, model.output_price


def upstream_name_of(name: str) -> str:
    """Return the name that the model's maker uses, which is the name in responses."""
    model = find_model(name)
    if model is not None:
        return model.upstream
    short = name.rpartition("/")[2]
    return short.replace(".", "-") if family_of(name) == "claude" else short


def family_of(name: str) -> Family:
    """Classify a model by the shape of its responses; "tagged" ones write `<think>` in the text."""
    short = name.rpartition("/")[2].lower()
    if "claude" in short:
        return "claude"
    if re.match(r"(chat)?gpt|o[134]\b", short):
        return "gpt"
    if "gemini" in short:
        return "gemini"
    is_tagged = re.match(r"minimax|m[123]\b|qwq|qwen3", short) is not None
    return "tagged" if is_tagged else "other"


def claude_version_of(name: str) -> tuple[int, int] | None:
    """Read the version from the name of a Claude model; None for a name without a version."""
    match = _CLAUDE_VERSION.search(name.lower())
    return (int(match[1]), int(match[2] or 0)) if match else None

"""The models that the emulator lists, and what the name of any model says about it."""

from __future__ import annotations

import re
from typing import Any, Literal

import attrs

__all__ = [
    "MISSING_MODEL",
    "Family",
    "ListedModel",
    "claude_version_of",
    "family_of",
    "find_model",
    "list_models",
    "prices_of",
    "upstream_name_of",
]

MISSING_MODEL = "no-such-model"
"""The only model that gets a 404; the emulator serves every other name."""

Family = Literal["claude", "gpt", "gemini", "tagged", "other"]

_CLAUDE_VERSION = re.compile(r"claude-(?:[a-z]+-)?(\d{1,2})(?:[.-](\d{1,2}))?(?!\d)")
_UNLISTED_PRICES = (1.0, 4.0)


def _split(names: str) -> tuple[str, ...]:
    return tuple(names.split())


@attrs.frozen
class ListedModel:
    """A model of `GET /v1/models`; the prices are US dollars for a million tokens."""

    id: str
    upstream: str
    name: str
    developer: str
    aliases: tuple[str, ...] = attrs.field(converter=_split)
    description: str
    context: int
    max_output: int
    input_price: float
    output_price: float
    released: str
    has_vision: bool


# The formatter would give each value a line of its own.
# fmt: off
_TABLE = (
    # id, upstream name, display name, developer,
    # aliases, description,
    # context, longest output, prices of input and output, release date, vision
    ("anthropic/claude-3.7-sonnet", "claude-3-7-sonnet-20250219", "Claude 3.7 Sonnet", "Anthropic",
     "claude-3-7-sonnet-20250219 claude-3-7-sonnet-latest",
     "Answers at once or thinks first, within a budget that the caller sets.",
     200_000, 64_000, 3.9, 19.5, "2025-02-24", True),
    ("anthropic/claude-sonnet-4.5", "claude-sonnet-4-5-20250929", "Claude Sonnet 4.5", "Anthropic",
     "claude-sonnet-4-5 claude-sonnet-4-5-20250929", "A model for long work with tools and code.",
     200_000, 64_000, 3.9, 19.5, "2025-09-29", True),
    ("anthropic/claude-opus-4.1", "claude-opus-4-1-20250805", "Claude Opus 4.1", "Anthropic",
     "claude-opus-4-1 claude-opus-4-1-20250805", "A large model for hard questions.",
     200_000, 32_000, 19.5, 97.5, "2025-08-05", True),
    ("anthropic/claude-haiku-4.5", "claude-haiku-4-5-20251001", "Claude Haiku 4.5", "Anthropic",
     "claude-haiku-4-5 claude-haiku-4-5-20251001", "A small and quick model.",
     200_000, 64_000, 1.3, 6.5, "2025-10-15", True),
    ("openai/gpt-4o", "gpt-4o-2024-08-06", "GPT-4o", "Open AI",
     "gpt-4o gpt-4o-2024-08-06", "Takes text, pictures and files.",
     128_000, 16_384, 3.25, 13.0, "2024-08-06", True),
    ("openai/o3", "o3-2025-04-16", "o3", "Open AI",
     "o3 o3-2025-04-16", "Reasons before it answers.",
     200_000, 100_000, 2.6, 10.4, "2025-04-16", True),
    ("google/gemini-3-flash-preview", "google/gemini-3-flash-preview", "Gemini 3 Flash", "Google",
     "gemini-3-flash-preview", "A quick model with a long context.",
     1_000_000, 65_536, 0.65, 3.9, "2025-12-17", True),
    ("deepseek/deepseek-r1", "deepseek-ai/DeepSeek-R1", "DeepSeek R1", "DeepSeek",
     "deepseek-r1", "An open model that shows its reasoning.",
     128_000, 32_000, 0.715, 2.847, "2025-01-20", False),
    ("minimax/m3", "MiniMax-M3", "MiniMax M3", "MiniMax",
     "MiniMax-M3", "Writes its reasoning between tags, in front of the answer.",
     200_000, 128_000, 0.39, 1.56, "2026-06-01", False),
    ("alibaba/qwq-32b", "Qwen/QwQ-32B", "QwQ 32B", "Alibaba Cloud",
     "Qwen/QwQ-32B qwq-32b", "A small open model that thinks aloud.",
     131_072, 32_768, 1.56, 1.56, "2025-03-05", False),
    ("x-ai/grok-4-fast-reasoning", "grok-4-fast-reasoning", "Grok 4 Fast", "xAI",
     "grok-4-fast-reasoning", "Reasons over very long inputs.",
     2_000_000, 30_000, 0.26, 0.65, "2025-09-19", True),
)
# fmt: on

_MODELS = tuple(ListedModel(*row) for row in _TABLE)
_BY_NAME = {name: model for model in _MODELS for name in (model.id, *model.aliases)}


def find_model(model: str) -> ListedModel | None:
    """Look a model up by its id or by an alias."""
    return _BY_NAME.get(model)


def prices_of(model: str) -> tuple[float, float]:
    """Return US dollars for a million tokens in and out; the same guess for all unlisted models."""
    listed = find_model(model)
    return (listed.input_price, listed.output_price) if listed else _UNLISTED_PRICES


def list_models() -> dict[str, Any]:
    """Build the body of `GET /v1/models`."""
    return {"object": "list", "data": [_build_item(model) for model in _MODELS]}


def upstream_name_of(model: str) -> str:
    """Return the name that the model's maker uses, which is the name in responses."""
    listed = find_model(model)
    if listed is not None:
        return listed.upstream
    name = model.rsplit("/", 1)[-1]
    return name.replace(".", "-") if family_of(model) == "claude" else name


def family_of(model: str) -> Family:
    """Classify a model by the shape of its responses; "tagged" ones write `<think>` in the text."""
    name = model.rsplit("/", 1)[-1].lower()
    if "claude" in name:
        return "claude"
    if re.match(r"(chat)?gpt|o[134]\b", name):
        return "gpt"
    if "gemini" in name:
        return "gemini"
    return "tagged" if re.match(r"minimax|m3\b|qwq|qwen3", name) else "other"


def claude_version_of(model: str) -> tuple[int, int] | None:
    """Read the version from the name of a Claude model; None for a name without a version."""
    match = _CLAUDE_VERSION.search(model.lower())
    return (int(match[1]), int(match[2] or 0)) if match else None


def _build_item(model: ListedModel) -> dict[str, Any]:
    has_vision = model.has_vision
    return {
        "id": model.id,
        "info": {
            "releasedAt": model.released,
            "name": model.name,
            "developer": model.developer,
            "description": model.description,
            "contextLength": model.context,
            "outputMax": model.max_output,
            "url": "",
            "docsUrl": "",
        },
        "type": "openai/chat-completions",
        "aliases": list(model.aliases),
        "tags": ["playground:chat", "tier:tier_2"],
        "modalities": {"input": ["image", "text"] if has_vision else ["text"], "output": ["text"]},
        "capabilities": ["streaming", "tools", *(["vision"] if has_vision else [])],
        "pricing": {
            "kind": "fixed",
            "currency": "USD",
            "units": [
                {"name": "token", "measure": measure, "price": price, "per": 1_000_000}
                for measure, price in (("input", model.input_price), ("output", model.output_price))
            ],
        },
    }

"""The models that the emulator lists."""

from __future__ import annotations

from typing import Any

import attrs

__all__ = ["find", "listing", "prices"]


@attrs.frozen
class Listed:
    """A model of `GET /v1/models`; prices are US dollars for a million tokens."""

    id: str
    upstream: str
    name: str
    developer: str
    description: str
    context: int
    output_max: int
    input_price: float
    output_price: float
    released: str
    aliases: tuple[str, ...] = ()
    sees: bool = True


_LISTED = (
    Listed(
        id="anthropic/claude-3.7-sonnet",
        upstream="claude-3-7-sonnet-20250219",
        name="Claude 3.7 Sonnet",
        developer="Anthropic",
        description="Answers at once or thinks first, within a budget that the caller sets.",
        context=200_000,
        output_max=64_000,
        input_price=3.9,
        output_price=19.5,
        released="2025-02-24",
        aliases=("claude-3-7-sonnet-20250219", "claude-3-7-sonnet-latest"),
    ),
    Listed(
        id="anthropic/claude-sonnet-4.5",
        upstream="claude-sonnet-4-5-20250929",
        name="Claude Sonnet 4.5",
        developer="Anthropic",
        description="A model for long work with tools and code.",
        context=200_000,
        output_max=64_000,
        input_price=3.9,
        output_price=19.5,
        released="2025-09-29",
        aliases=("claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
    ),
    Listed(
        id="anthropic/claude-opus-4.1",
        upstream="claude-opus-4-1-20250805",
        name="Claude Opus 4.1",
        developer="Anthropic",
        description="A large model for hard questions.",
        context=200_000,
        output_max=32_000,
        input_price=19.5,
        output_price=97.5,
        released="2025-08-05",
        aliases=("claude-opus-4-1", "claude-opus-4-1-20250805"),
    ),
    Listed(
        id="anthropic/claude-haiku-4.5",
        upstream="claude-haiku-4-5-20251001",
        name="Claude Haiku 4.5",
        developer="Anthropic",
        description="A small and quick model.",
        context=200_000,
        output_max=64_000,
        input_price=1.3,
        output_price=6.5,
        released="2025-10-15",
        aliases=("claude-haiku-4-5", "claude-haiku-4-5-20251001"),
    ),
    Listed(
        id="openai/gpt-4o",
        upstream="gpt-4o-2024-08-06",
        name="GPT-4o",
        developer="Open AI",
        description="Takes text, pictures and files.",
        context=128_000,
        output_max=16_384,
        input_price=3.25,
        output_price=13.0,
        released="2024-08-06",
        aliases=("gpt-4o", "gpt-4o-2024-08-06"),
    ),
    Listed(
        id="openai/o3",
        upstream="o3-2025-04-16",
        name="o3",
        developer="Open AI",
        description="Reasons before it answers.",
        context=200_000,
        output_max=100_000,
        input_price=2.6,
        output_price=10.4,
        released="2025-04-16",
        aliases=("o3", "o3-2025-04-16"),
    ),
    Listed(
        id="google/gemini-3-flash-preview",
        upstream="google/gemini-3-flash-preview",
        name="Gemini 3 Flash",
        developer="Google",
        description="A quick model with a long context.",
        context=1_000_000,
        output_max=65_536,
        input_price=0.65,
        output_price=3.9,
        released="2025-12-17",
        aliases=("gemini-3-flash-preview",),
    ),
    Listed(
        id="deepseek/deepseek-r1",
        upstream="deepseek-ai/DeepSeek-R1",
        name="DeepSeek R1",
        developer="DeepSeek",
        description="An open model that shows its reasoning.",
        context=128_000,
        output_max=32_000,
        input_price=0.715,
        output_price=2.847,
        released="2025-01-20",
        aliases=("deepseek-r1",),
        sees=False,
    ),
    Listed(
        id="minimax/m3",
        upstream="MiniMax-M3",
        name="MiniMax M3",
        developer="MiniMax",
        description="Writes its reasoning between tags, in front of the answer.",
        context=200_000,
        output_max=128_000,
        input_price=0.39,
        output_price=1.56,
        released="2026-06-01",
        aliases=("MiniMax-M3",),
        sees=False,
    ),
    Listed(
        id="alibaba/qwq-32b",
        upstream="Qwen/QwQ-32B",
        name="QwQ 32B",
        developer="Alibaba Cloud",
        description="A small open model that thinks aloud.",
        context=131_072,
        output_max=32_768,
        input_price=1.56,
        output_price=1.56,
        released="2025-03-05",
        aliases=("Qwen/QwQ-32B", "qwq-32b"),
        sees=False,
    ),
    Listed(
        id="x-ai/grok-4-fast-reasoning",
        upstream="grok-4-fast-reasoning",
        name="Grok 4 Fast",
        developer="xAI",
        description="Reasons over very long inputs.",
        context=2_000_000,
        output_max=30_000,
        input_price=0.26,
        output_price=0.65,
        released="2025-09-19",
        aliases=("grok-4-fast-reasoning",),
    ),
)

_BY_NAME = {name: model for model in _LISTED for name in (model.id, *model.aliases)}


def find(model: str) -> Listed | None:
    """Look a model up by its id or by an alias."""
    return _BY_NAME.get(model)


def prices(model: str) -> tuple[float, float]:
    """Give US dollars for a million tokens in and out; a plain guess for a model not listed."""
    listed = find(model)
    return (listed.input_price, listed.output_price) if listed else (1.0, 4.0)


def listing() -> dict[str, Any]:
    """Make the body of `GET /v1/models`."""
    return {"object": "list", "data": [_item(model) for model in _LISTED]}


def _item(model: Listed) -> dict[str, Any]:
    return {
        "id": model.id,
        "info": {
            "releasedAt": model.released,
            "name": model.name,
            "developer": model.developer,
            "description": model.description,
            "contextLength": model.context,
            "outputMax": model.output_max,
            "url": "",
            "docsUrl": "",
        },
        "type": "openai/chat-completions",
        "aliases": list(model.aliases),
        "tags": ["playground:chat", "tier:tier_2"],
        "modalities": {"input": ["image", "text"] if model.sees else ["text"], "output": ["text"]},
        "capabilities": ["streaming", "tools", *(["vision"] if model.sees else [])],
        "pricing": {
            "kind": "fixed",
            "currency": "USD",
            "units": [
                {"name": "token", "measure": measure, "price": price, "per": 1_000_000}
                for measure, price in (("input", model.input_price), ("output", model.output_price))
            ],
        },
    }

"""The table of models: what the vendor's documents say that each model takes.

`docs/check_models.py` compares it with a folder of the vendor's schemas.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = [
    "MODEL_TABLE",
    "TABLE_DATE",
    "Dialect",
    "ModelRow",
    "ReasoningReturn",
    "ThinkingMode",
]

Dialect = Literal["openai", "anthropic", "messages"]
ThinkingMode = Literal["enabled", "disabled", "adaptive"]
ReasoningReturn = Literal["never", "with_calls", "always"]

TABLE_DATE = "2026-08-21"
"""The date of the documents that the table was read from."""


class ModelRow(msgspec.Struct, frozen=True, kw_only=True):
    """What all models take whose name contains a match of ``pattern``, ignoring case.

    - ``dialects``: the dialects that the models take; requests without thinking use the first one.
    - ``thinking_dialect``: the dialect of requests with thinking, None if the models do not think.
    - ``thinking_modes``: the values of ``thinking.type`` that the models take.
    - ``refused_fields``: fields that the models do not take, though their dialects have them.
    - ``is_claude``: whether ``/v1/messages`` serves the models as well, and whether they take the
      breakpoints of the prompt cache.
    - ``returns_reasoning``: which turns take back the reasoning that came with them, in the openai
      dialect. Some models go on with it, and others refuse a request that contains it.
    """

    # Not compiled: `re` does that on first use, which makes `import aimlchat` faster.
    pattern: str
    dialects: tuple[Dialect, ...]
    thinking_dialect: Dialect | None = None
    thinking_modes: tuple[ThinkingMode, ...] = ()
    refused_fields: tuple[str, ...] = ()
    is_claude: bool = False
    returns_reasoning: ReasoningReturn = "never"


# The first row that matches is used. In a name the family may be before or after the version, the
# version may have a dot or a dash, and a date may follow: claude-opus-4-20250514 is 4.0.
MODEL_TABLE = (
    # Claude 3.7, which the documents list as retired since 2026-03-29
    ModelRow(
        pattern=r"claude-(\w+-)?3[.-]7(?!\d)",
        dialects=("openai", "anthropic"),
        thinking_dialect="anthropic",
        thinking_modes=("enabled",),
        is_claude=True,
    ),
    # Claude before 3.7
    ModelRow(
        pattern=r"claude-(instant|(\w+-)?v?[123](?!\d))",
        dialects=("openai",),
        is_claude=True,
    ),
    # Claude Sonnet 4 and Opus 4, which take both dialects since 2026-07-07
    ModelRow(
        pattern=(
            r"claude-((sonnet|opus)-4([.-]0(?!\d)|(?!\d|[.-]\d{1,2}(?!\d)))"
            r"|4([.-]0)?-(sonnet|opus))"
        ),
        dialects=("anthropic", "openai"),
        thinking_dialect="anthropic",
        thinking_modes=("enabled",),
        is_claude=True,
    ),
    # Claude 4 to 4.7, all others
    ModelRow(
        pattern=r"claude-(\w+-)?4([.-][0-7](?!\d)|(?!\d|[.-]\d{1,2}(?!\d)))",
        dialects=("anthropic",),
        thinking_dialect="anthropic",
        thinking_modes=("enabled",),
        is_claude=True,
    ),
    # Claude from 4.8 on, and the names that always mean the newest
    ModelRow(
        pattern=r"claude-(\w+-)?(4[.-]([89]|\d\d)(?!\d)|([5-9]|[1-9]\d)(?!\d))|claude.*-latest",
        dialects=("openai", "anthropic"),
        thinking_dialect="openai",
        thinking_modes=("enabled", "disabled", "adaptive"),
        refused_fields=("temperature", "top_p", "top_k", "response_format", "stream_options"),
        is_claude=True,
        returns_reasoning="always",
    ),
    # Claude without a version, such as an alias of a gateway: which fields it takes is not known.
    ModelRow(
        pattern=r"claude",
        dialects=("openai", "anthropic"),
        thinking_dialect="openai",
        thinking_modes=("enabled", "disabled", "adaptive"),
        is_claude=True,
    ),
    # DeepSeek, which goes on with the reasoning before its calls, and whose R1 refuses any other
    ModelRow(pattern=r"deepseek", dialects=("openai",), returns_reasoning="with_calls"),
    # Kimi, MiniMax and GLM, which go on with the reasoning of every turn
    ModelRow(
        pattern=r"kimi|minimax|(^|[/-])glm-",
        dialects=("openai",),
        returns_reasoning="always",
    ),
    # All other models
    ModelRow(pattern=r"", dialects=("openai",)),
)

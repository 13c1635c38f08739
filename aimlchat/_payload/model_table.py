"""The table of models: what each model accepts according to the vendor's documents.

`docs/check_models.py` compares it with a folder of the vendor's schemas.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = [
    "MODEL_TABLE",
    "TABLE_DATE",
    "TEXT_ONLY_MODELS",
    "Dialect",
    "ModelRow",
    "OutputWay",
    "ReasoningReturn",
    "ThinkingMode",
]

Dialect = Literal["openai", "anthropic", "messages"]
ThinkingMode = Literal["enabled", "disabled", "adaptive"]
OutputWay = Literal["response_format", "tool", "words"]
ReasoningReturn = Literal["never", "with_calls", "always"]

TABLE_DATE = "2026-08-21"
"""The date of the documents that the table was read from."""


class ModelRow(msgspec.Struct, frozen=True, kw_only=True):
    """What the models accept whose names contain a match of ``pattern``, ignoring case.

    - ``dialects``: the dialects that the models take; requests without thinking use the first one.
    - ``thinking_dialect``: the dialect of requests with thinking, None if the models do not think.
    - ``thinking_modes``: the values of ``thinking.type`` that the models take; ``enabled`` only if
      they take a budget.
    - ``refused_fields``: fields that the models do not take, though their dialects have them.
    - ``is_claude``: whether ``/v1/messages`` serves the models as well, and whether they accept the
      breakpoints of the prompt cache.
    - ``returns_reasoning``: which turns are sent back with their reasoning, in the openai
      dialect. Some models continue from it, and others refuse a request that contains it.
    - ``output_way``: how a typed answer is requested: by a response format with a strict
      schema; by a tool that has to be called, for models without one; or by the prompt, for models
      that lack both.
    - ``is_gemini``: whether the schemas have to be in Gemini's subset, and whether the models
      refuse a response format beside tools.
    - ``signs_calls``: whether the first call of a turn has to be sent back with a signature.
    """

    # Not compiled: `re` does that on first use, which makes `import aimlchat` faster.
    pattern: str
    dialects: tuple[Dialect, ...]
    thinking_dialect: Dialect | None = None
    thinking_modes: tuple[ThinkingMode, ...] = ()
    refused_fields: tuple[str, ...] = ()
    is_claude: bool = False
    returns_reasoning: ReasoningReturn = "never"
    output_way: OutputWay = "response_format"
    is_gemini: bool = False
    signs_calls: bool = False


# The first row that matches is used. In a name the family may be before or after the version, the
# version may have a dot or a dash, and a date may follow: claude-opus-4-20250514 is 4.0.
MODEL_TABLE = (
    # Claude calls tools; OpenAI's form of its maker's API ignores response_format and strict tools
    # (https://platform.claude.com/docs/en/api/openai-sdk).
    #
    # Claude 3.7, which the documents list as retired since 2026-03-29
    ModelRow(
        pattern=r"claude-(\w+-)?3[.-]7(?!\d)",
        dialects=("openai", "anthropic"),
        thinking_dialect="anthropic",
        thinking_modes=("enabled",),
        is_claude=True,
        output_way="tool",
    ),
    # Claude before 3.7
    ModelRow(
        pattern=r"claude-(instant|(\w+-)?v?[123](?!\d))",
        dialects=("openai",),
        is_claude=True,
        output_way="tool",
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
        output_way="tool",
    ),
    # Claude Opus 4.7
    ModelRow(
        pattern=r"claude-(opus-4[.-]7|4[.-]7-opus)(?!\d)",
        dialects=("anthropic",),
        thinking_dialect="anthropic",
        thinking_modes=("enabled",),
        refused_fields=("temperature", "top_p", "top_k"),
        is_claude=True,
        output_way="tool",
    ),
    # Claude 4 to 4.7, all others
    ModelRow(
        pattern=r"claude-(\w+-)?4([.-][0-7](?!\d)|(?!\d|[.-]\d{1,2}(?!\d)))",
        dialects=("anthropic",),
        thinking_dialect="anthropic",
        thinking_modes=("enabled",),
        is_claude=True,
        output_way="tool",
    ),
    # Claude Opus 4.8 in its fast form, which thinks on /v1/messages only
    ModelRow(
        pattern=r"claude-(opus-4[.-]8|4[.-]8-opus)-fast",
        dialects=("openai",),
        thinking_dialect="messages",
        thinking_modes=("enabled", "disabled", "adaptive"),
        is_claude=True,
        output_way="tool",
    ),
    # Claude from 4.8 on, and the names that always mean the newest
    ModelRow(
        pattern=r"claude-(\w+-)?(4[.-]([89]|\d\d)(?!\d)|([5-9]|[1-9]\d)(?!\d))|claude.*-latest",
        dialects=("openai", "anthropic"),
        thinking_dialect="openai",
        thinking_modes=("enabled", "disabled", "adaptive"),
        refused_fields=("temperature", "top_p", "top_k", "response_format", "stream_options"),
        is_claude=True,
        output_way="tool",
        returns_reasoning="always",
    ),
    # Claude without a version, such as an alias of a gateway: which fields it takes is not known.
    ModelRow(
        pattern=r"claude",
        dialects=("openai", "anthropic"),
        thinking_dialect="openai",
        thinking_modes=("enabled", "disabled", "adaptive"),
        is_claude=True,
        output_way="tool",
    ),
    # DeepSeek, which continues from the reasoning before its calls, and whose R1 refuses any other
    # content. Its API refuses a schema as response format, and a tool choice while it thinks, which
    # newer models do by default (https://github.com/deepseek-ai/DeepSeek-V3/issues/1376).
    ModelRow(
        pattern=r"deepseek",
        dialects=("openai",),
        returns_reasoning="with_calls",
        output_way="words",
    ),
    # MiniMax, those models whose schemas have no response_format
    ModelRow(
        pattern=r"minimax.*m2-(7-2|her)",
        dialects=("openai",),
        returns_reasoning="always",
        output_way="tool",
    ),
    # GLM, those models whose thinking can be turned off, and has no budget
    ModelRow(
        pattern=r"(^|[/-])glm-(4[.-]5(-air)?|5[.-]3)$",
        dialects=("openai",),
        thinking_dialect="openai",
        thinking_modes=("disabled",),
        returns_reasoning="always",
    ),
    # LongCat, whose thinking can be turned off, and has no budget
    ModelRow(
        pattern=r"longcat-2",
        dialects=("openai",),
        thinking_dialect="openai",
        thinking_modes=("disabled",),
    ),
    # Kimi, MiniMax and GLM, which continue from the reasoning of every turn
    ModelRow(
        pattern=r"kimi|minimax|(^|[/-])glm-",
        dialects=("openai",),
        returns_reasoning="always",
    ),
    # Models whose schemas have no response_format, and OpenAI's models before gpt-4o-2024-08-06,
    # which refuse a schema in it
    ModelRow(
        pattern=(
            r"grok-(beta|4-(07-09|(1-)?fast|[56]))|(^|/)gpt-(3\.5|4($|-(turbo|0|1106|32k|vision))"
            r"|4o-2024-05-13|4o(-mini)?-audio)"
        ),
        dialects=("openai",),
        output_way="tool",
    ),
    # Models whose schemas have no tools either, or whose API refuses a tool choice, and with it a
    # schema as response format, while they think
    ModelRow(
        pattern=(
            r"qwen.*thinking|qwq|qvq|qwen3[.-][78]-max|dola-seed-2-0-(code|pro)|ling-3[.-]0"
            r"|(^|/)o1-(mini|preview)|search-(preview|v1)|nemotron-nano-12b|inkling-small|hy-mt2"
            r"|ox-alpha|llama-?guard|llama-(vision|3)|gemma-3|mythomax|(mistral|mixtral)-(7b|8x)|gemini-1\."
        ),
        dialects=("openai",),
        output_way="words",
    ),
    # Gemini from 3 on, and the names that always mean the newest
    ModelRow(
        pattern=r"gemini-([3-9]|[1-9]\d)|gemini-.*-latest",
        dialects=("openai",),
        is_gemini=True,
        signs_calls=True,
    ),
    # Gemini, whose schemas know fewer keywords
    ModelRow(pattern=r"gemini", dialects=("openai",), is_gemini=True),
    # All other models
    ModelRow(pattern=r"", dialects=("openai",)),
)

TEXT_ONLY_MODELS = (
    r"deepseek(?!.*(latest|llm-))|gpt-(oss-\d|3\.5|4o-(mini-)?audio)|(^|/)(gpt-4|o3-mini)$|qwq"
    r"|qwen(-|2\.?5?-|3-(?!.*(vl|omni))|3\.5-plus|3\.6-(flash|max|plus)|3\.7-max|3\.8-2)"
    r"|(zhipu|alibaba)/glm-\d([.-]\d)?($|-(air|fast))|moonshot/kimi-k2-(?!5)"
    r"|minimax/(m1|m2$|m2-7-2|minimax-m3)|mimo-v2(-flash|\.5-pro)|ernie-(?!.*vl|5\.0$)|command-a"
    r"|hy3|longcat|grok-(3|4-[56]|beta|code)|nemotron-(70|3-(nano-30|super|ultra)|3\.5|nano)"
    r"|hermes-4-405|ling-3|lumimaid|magnum|leanstral|codestral-2501|mistral-(nemo|tiny)"
    r"|(meta-|/)llama-3([.-]([23].*(3b|70b)|1-70b)|-8b|-70b-chat)|llama-?guard-(2|3-8b)"
)
"""A pattern, as in `MODEL_TABLE`, of the models that take tools, but no images, by their schemas.

Those of Llama 3.1 8B differ from each other.
"""

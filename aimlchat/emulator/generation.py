"""What was generated, before it is put into a wire format, with its tokens and their cost."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Literal

import attrs

from .request import split_into_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .models import Family
    from .prompt_cache import CacheUse

__all__ = [
    "GeneratedCall",
    "GeneratedChoice",
    "Generation",
    "ReasoningAs",
    "Usage",
    "build_meta_usage",
    "compute_cost",
    "count_usage",
    "cut_text",
]

ReasoningAs = Literal["reasoning_content", "reasoning", "reasoning_details", "thinking", "inline"]

_MAX_PIECE_LENGTH = 18

# The client has this constant too. It is repeated here on purpose: the emulator shares no code with
# the client, so a wrong rate on one side fails the tests instead of hiding on both.
_CREDITS_PER_USD = 2_000_000


@attrs.frozen
class GeneratedCall:
    """A tool call; `arguments` is JSON, or whatever text a script puts there.

    `extra` has fields of the call that only some models send, and require back.
    """

    id: str
    name: str
    arguments: str
    extra: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen
class GeneratedChoice:
    """One choice.

    Attributes:
        text: the answer.
        reasoning: the reasoning before it.
        hidden_reasoning: reasoning that is not sent, and only counts in the usage.
        refusal: the refusal; None if the model did not refuse.
        calls: the tool calls.
        finish: "stop", "stop_sequence", "length", "tool_calls" or "content_filter", which each wire
            format translates to its own words; any other word is sent unchanged.
        stop_sequence: the string before which the answer ends, with that finish reason.
        chunks: the exact pieces of `text` in a stream; None to cut it anywhere.
        blocks: the content blocks that a script gives for Claude's own message format; their texts
            and calls are in the fields above, too.
    """

    text: str = ""
    reasoning: str = ""
    hidden_reasoning: str = ""
    refusal: str | None = None
    calls: tuple[GeneratedCall, ...] = ()
    finish: str = "stop"
    stop_sequence: str | None = None
    chunks: tuple[str, ...] | None = None
    blocks: tuple[dict[str, Any], ...] = ()

    def cut_answer(self) -> Iterator[str]:
        """Yield the pieces of the text."""
        return cut_text(self.text) if self.chunks is None else iter(self.chunks)


@attrs.frozen
class Usage:
    """Numbers of tokens.

    Attributes:
        prompt: the whole prompt, with what was read from the cache or written to it.
        completion: reasoning, answers and calls.
        reasoning: the reasoning alone.
        cache: what the prompt read from and wrote to the cache.
        verbatim: a mapping that a script sends instead.
    """

    prompt: int
    completion: int
    reasoning: int
    cache: CacheUse
    verbatim: Mapping[str, Any] | None = None


@attrs.frozen
class Generation:
    """Everything that a wire format needs to know.

    Attributes:
        id: the id of the completion.
        model: the name that the response carries.
        family: the family of the model, which decides the shape of the response.
        choices: what was generated.
        reasoning_as: the field that carries the reasoning.
        usage: the tokens of all choices together.
        meta_usage: the value of `meta.usage`; empty to send none.
        include_usage: whether a stream in OpenAI's format reports its usage.
        clock: returns the current time in seconds since the epoch.
    """

    id: str
    model: str
    family: Family
    choices: tuple[GeneratedChoice, ...]
    reasoning_as: ReasoningAs
    usage: Usage
    meta_usage: Mapping[str, Any]
    include_usage: bool
    clock: Callable[[], float]


def cut_text(text: str) -> Iterator[str]:
    """Cut a text into short pieces, within words too; the same text always gives the same ones."""
    # A script may contain a lone surrogate, which plain UTF-8 cannot encode.
    sizes = random.Random(text.encode(errors="surrogatepass"))  # noqa: S311 - not a secret
    start = 0
    while start < len(text):
        end = start + sizes.randint(1, _MAX_PIECE_LENGTH)
        yield text[start:end]
        start = end


def count_usage(prompt_tokens: int, choices: tuple[GeneratedChoice, ...], cache: CacheUse) -> Usage:
    """Count the tokens of all choices together, as the API does."""
    reasoning = sum(
        len(split_into_tokens(choice.reasoning + choice.hidden_reasoning)) for choice in choices
    )
    written = sum(
        len(split_into_tokens(choice.text or choice.refusal or ""))
        + sum(len(split_into_tokens(call.name + call.arguments)) for call in choice.calls)
        for choice in choices
    )
    return Usage(prompt_tokens, reasoning + written, reasoning, cache)


def compute_cost(usage: Usage, prices: tuple[float, float]) -> dict[str, Any]:
    """Build the `meta.usage` of these tokens; prices are US dollars per million, in and out."""
    cache = usage.cache
    prompt: float = usage.prompt - cache.read - cache.written
    # Reading costs a tenth; writing costs a quarter more, or twice as much for an hour.
    prompt += 0.1 * cache.read + 1.25 * cache.written_5m + 2 * cache.written_1h
    usd = (prompt * prices[0] + usage.completion * prices[1]) / 1_000_000
    return build_meta_usage(round(usd * _CREDITS_PER_USD) / _CREDITS_PER_USD)


def build_meta_usage(usd: float) -> dict[str, Any]:
    """Build the `meta.usage` of an amount in US dollars; credits are integers."""
    return {"credits_used": round(usd * _CREDITS_PER_USD), "usd_spent": usd}

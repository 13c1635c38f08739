"""What was generated, before it takes a form on the wire."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Literal

import attrs

from .request import tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .naming import Kin

__all__ = ["Answer", "Call", "Generation", "ReasoningAs", "Usage", "charge", "cost", "count", "cut"]

ReasoningAs = Literal["reasoning_content", "reasoning", "reasoning_details", "thinking", "inline"]

_LONGEST_PIECE = 18
_CREDITS_PER_USD = 2_000_000


@attrs.frozen
class Call:
    """A tool call; its arguments are JSON, or what a test wants to stand in its place."""

    id: str
    name: str
    arguments: str


@attrs.frozen
class Answer:
    """One choice.

    `finish` is "stop", "stop_sequence", "length", "tool_calls" or "content_filter", which each form
    says in its own words; any other word is sent as it is.
    """

    text: str = ""
    reasoning: str = ""
    refusal: str | None = None
    calls: tuple[Call, ...] = ()
    finish: str = "stop"
    chunks: tuple[str, ...] | None = None

    def text_pieces(self) -> Iterator[str]:
        """Cut the text as the script says, else anywhere."""
        return cut(self.text) if self.chunks is None else iter(self.chunks)


@attrs.frozen
class Usage:
    """Tokens; `verbatim` is what a script wants to be sent in their place."""

    prompt: int
    completion: int
    reasoning: int
    verbatim: Mapping[str, Any] | None = None


@attrs.frozen
class Generation:
    """Everything that a form needs to know."""

    id: str
    model: str
    kin: Kin
    answers: tuple[Answer, ...]
    reasoning_as: ReasoningAs
    usage: Usage
    meta_usage: Mapping[str, Any]
    include_usage: bool
    now: Callable[[], float]


def cut(text: str) -> Iterator[str]:
    """Cut a text into short pieces anywhere, words included; the same text always alike."""
    # A script may hold half an emoji, which has no plain UTF-8.
    sizes = random.Random(text.encode(errors="surrogatepass"))  # noqa: S311 - not a secret
    start = 0
    while start < len(text):
        end = start + sizes.randint(1, _LONGEST_PIECE)
        yield text[start:end]
        start = end


def count(prompt_tokens: int, answers: tuple[Answer, ...]) -> Usage:
    """Count the tokens of all choices together, as the API does."""
    reasoning = sum(len(tokens(answer.reasoning)) for answer in answers)
    written = sum(
        len(tokens(answer.text or answer.refusal or ""))
        + sum(len(tokens(call.name + call.arguments)) for call in answer.calls)
        for answer in answers
    )
    return Usage(prompt_tokens, reasoning + written, reasoning)


def cost(usage: Usage, prices: tuple[float, float]) -> dict[str, Any]:
    """Say what the tokens cost, in the words of `meta.usage`."""
    usd = (usage.prompt * prices[0] + usage.completion * prices[1]) / 1_000_000
    return charge(round(usd * _CREDITS_PER_USD) / _CREDITS_PER_USD)


def charge(usd: float) -> dict[str, Any]:
    """Say an amount in the words of `meta.usage`; credits are whole numbers."""
    return {"credits_used": round(usd * _CREDITS_PER_USD), "usd_spent": usd}

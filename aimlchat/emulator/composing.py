"""From a request, and a reply if one is scripted, to what is generated."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .answers import default_answer
from .generation import Answer, Generation, Usage, charge, cost, count
from .models import prices
from .naming import kin, upstream_name

if TYPE_CHECKING:
    from .generation import ReasoningAs
    from .identities import Identities
    from .naming import Kin
    from .request import Asked
    from .script import Reply

__all__ = ["compose"]

_REASONING_AS: dict[Kin, ReasoningAs] = {"tagged": "inline", "gemini": "reasoning"}


def compose(asked: Asked, reply: Reply, identities: Identities) -> Generation:
    """Make what the forms and bodies word."""
    of_kin = kin(asked.model)
    answers = tuple(_answer(asked, reply, identities, choice) for choice in range(asked.choices))
    usage = count(asked.prompt_tokens, answers)
    return Generation(
        id=_answer_id(of_kin, identities),
        model=reply.model or upstream_name(asked.model),
        kin=of_kin,
        answers=answers,
        reasoning_as=reply.reasoning_as or _REASONING_AS.get(of_kin, "reasoning_content"),
        usage=Usage(usage.prompt, usage.completion, usage.reasoning, reply.usage),
        meta_usage=_meta_usage(reply, cost(usage, prices(asked.model))),
        include_usage=asked.include_usage,
        now=time.time,
    )


def _answer(asked: Asked, reply: Reply, identities: Identities, choice: int) -> Answer:
    claude = kin(asked.model) == "claude"

    def call_id(number: int) -> str:
        word = identities.word(f"call {choice} {number}", 22)
        return f"toolu_01{word}" if claude else f"call_{word}"

    if reply.made_up:
        return default_answer(asked, choice, identities.seed, call_id)
    # Claude has a finish reason of its own for a refusal, OpenAI's models just stop.
    return reply.answer(call_id, usual_refusal="content_filter" if claude else "stop")


def _answer_id(of_kin: Kin, identities: Identities) -> str:
    if of_kin == "claude":
        return f"msg_01{identities.word('answer', 22)}"
    return f"chatcmpl-{identities.word('answer', 29)}"


def _meta_usage(reply: Reply, computed: dict[str, Any]) -> Mapping[str, Any]:
    if reply.cost is None:
        return computed
    return reply.cost if isinstance(reply.cost, Mapping) else charge(reply.cost)

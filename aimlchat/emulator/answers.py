"""Generate the response to a request: the scripted reply, or one built from the prompt."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from .generation import (
    GeneratedCall,
    GeneratedChoice,
    Generation,
    build_meta_usage,
    compute_cost,
    count_usage,
)
from .json_samples import build_sample
from .keywords import find_keywords
from .models import family_of, prices_of, upstream_name_of
from .prompt_cache import CacheUse
from .request import split_into_tokens
from .sample_answers import find_sample_answer
from .script import DefaultReply
from .tool_selection import choose_argument_words, choose_tools

if TYPE_CHECKING:
    from collections.abc import Callable

    from .generation import ReasoningAs
    from .models import Family
    from .records import RequestIds
    from .request import OfferedTool, ParsedRequest
    from .script import Reply
    from .signatures import Signer

__all__ = ["generate"]

_REASONING_AS: dict[Family, ReasoningAs] = {"tagged": "inline", "gemini": "reasoning"}

_NO_CACHE = CacheUse()
_MAX_KEYWORDS = 4
_MAX_QUOTE_LENGTH = 120

_OPENINGS = (
    "Your question turns on two things, **{first}** and **{second}**.",
    "It comes down to **{first}**, and to what **{second}** changes about it.",
    "Take **{first}** first: **{second}** is easier to judge after that.",
)
_MIDDLES = (
    "I would put *{first}* into one sentence first, and only then ask what *{second}* adds.",
    "Three steps:\n\n1. Say what *{first}* is for.\n2. See how *{second}* limits it.\n3. Try it.",
    "Where the two pull in different directions, *{first}* wins, and *{second}* has to follow.",
)
_ENDINGS = (
    "These sentences come from the emulator: they are made of your words, not of knowledge.",
    "I am the emulator, so read this for its form; a real model would know more about {first}.",
    "The emulator wrote this out of your prompt: it has the shape of an answer and no more.",
)


def generate(
    request: ParsedRequest,
    reply: Reply,
    ids: RequestIds,
    signer: Signer,
    cache: CacheUse = _NO_CACHE,
) -> Generation:
    """Generate the response to a request, as the reply scripts it.

    Args:
        request: the request.
        reply: the script, or the default reply.
        ids: the ids of the response.
        signer: signs the tool calls of Gemini.
        cache: what the prompt uses of the cache.
    """
    family = family_of(request.model)
    choices = tuple(
        _generate_choice(request, reply, ids, index) for index in range(request.choice_count)
    )
    if family == "gemini":
        choices = tuple(_sign_first_call(choice, signer) for choice in choices)
    usage = count_usage(request.prompt_tokens, choices, cache)
    return Generation(
        id=_make_completion_id(family, ids),
        model=reply.model or upstream_name_of(request.model),
        family=family,
        choices=choices,
        reasoning_as=reply.reasoning_as or _REASONING_AS.get(family, "reasoning_content"),
        usage=attrs.evolve(usage, verbatim=reply.usage),
        meta_usage=_choose_meta_usage(reply, compute_cost(usage, prices_of(request.model))),
        include_usage=request.include_usage,
        clock=time.time,
    )


def _generate_choice(
    request: ParsedRequest, reply: Reply, ids: RequestIds, index: int
) -> GeneratedChoice:
    claude = family_of(request.model) == "claude"

    def make_call_id(number: int) -> str:
        token = ids.make_token(f"call {index} {number}", 22)
        return f"toolu_01{token}" if claude else f"call_{token}"

    if isinstance(reply, DefaultReply):
        return _build_default_choice(request, index, ids.seed, make_call_id)
    # Claude has a finish reason of its own for a refusal; OpenAI's models just stop.
    refusal_finish = "content_filter" if claude else "stop"
    return reply.build_choice(request, make_call_id, refusal_finish=refusal_finish)


def _sign_first_call(choice: GeneratedChoice, signer: Signer) -> GeneratedChoice:
    """Add the signature that Gemini requires back with the first call of a turn."""
    if not choice.calls:
        return choice
    first, *others = choice.calls
    google = first.extra.get("extra_content", {}).get("google", {})
    signature = signer.sign_call(first.name, first.arguments, google.get("thought_signature"))
    extra = {"extra_content": {"google": {**google, "thought_signature": signature}}}
    signed = attrs.evolve(first, extra={**first.extra, **extra})
    return attrs.evolve(choice, calls=(signed, *others))


def _make_completion_id(family: Family, ids: RequestIds) -> str:
    if family == "claude":
        return f"msg_01{ids.make_token('answer', 22)}"
    return f"chatcmpl-{ids.make_token('answer', 29)}"


def _choose_meta_usage(reply: Reply, computed: dict[str, Any]) -> Mapping[str, Any]:
    if reply.cost is None:
        return computed
    return reply.cost if isinstance(reply.cost, Mapping) else build_meta_usage(reply.cost)


def _build_default_choice(
    request: ParsedRequest, index: int, seed: int, make_call_id: Callable[[int], str]
) -> GeneratedChoice:
    """Build one choice from the prompt.

    The same request, index and seed always give the same choice.

    Args:
        request: the request.
        index: the index of the choice; each one is worded differently.
        seed: the emulator's seed.
        make_call_id: makes the id of the n-th tool call.
    """
    tools = choose_tools(request)
    if tools:
        choice = _build_calls(request, tools, make_call_id)
    else:
        reasoning, text = _build_texts(request, index, seed)
        choice = _apply_limits(request, "" if request.reasoning == "none" else reasoning, text)
    if request.reasoning == "shown":
        return choice
    hidden = choice.reasoning if request.reasoning == "hidden" else ""
    return attrs.evolve(choice, reasoning="", hidden_reasoning=hidden)


def _build_calls(
    request: ParsedRequest, tools: list[OfferedTool], make_call_id: Callable[[int], str]
) -> GeneratedChoice:
    calls = tuple(
        GeneratedCall(
            make_call_id(number),
            tool.name,
            _dump_readable_json(build_sample(tool.schema, choose_argument_words(request, tool))),
        )
        for number, tool in enumerate(tools)
    )
    names = " and ".join(tool.name for tool in tools)
    reasoning = f"The request is: “{_quote(request.prompt)}”. For this I need {names}."
    return GeneratedChoice(reasoning=reasoning, calls=calls, finish="tool_calls")


def _build_texts(request: ParsedRequest, index: int, seed: int) -> tuple[str, str]:
    """Build the reasoning and the answer."""
    schema = request.requested_schema
    if schema is not None:
        return _build_json_texts(request, schema)
    if request.tool_results:
        return _build_result_texts(request)
    sample = find_sample_answer(request.prompt)
    if sample is None:
        return _build_generic_texts(request.prompt, index, seed)
    if index == 0:
        return sample.reasoning, sample.text
    summary = sample.text.split("\n\n", 1)[0]
    return sample.reasoning, f"In short ({index + 1}): {summary}"


def _build_json_texts(request: ParsedRequest, schema: dict[str, Any]) -> tuple[str, str]:
    words = find_keywords(request.prompt)
    if schema:
        value = build_sample(schema, words)
    else:
        value = {"answer": _quote(request.prompt), "words": words[:_MAX_KEYWORDS]}
    reasoning = f"The request is: “{_quote(request.prompt)}”. The answer has to be JSON, alone."
    return reasoning, _dump_readable_json(value)


def _build_result_texts(request: ParsedRequest) -> tuple[str, str]:
    lines = [
        f"`{result.name}` {'failed' if result.is_error else 'says'}: {result.text}"
        for result in request.tool_results
    ]
    names = " and ".join(result.name for result in request.tool_results)
    quote = _quote(request.prompt)
    reasoning = f"I have what {names} gave back. It answers “{quote}”, so I use it."
    return reasoning, "\n\n".join(lines)


def _build_generic_texts(prompt: str, index: int, seed: int) -> tuple[str, str]:
    words = sorted(find_keywords(prompt), key=len, reverse=True)[:_MAX_KEYWORDS] or ["this"]
    first, second = words[0], words[1] if len(words) > 1 else "what you need it for"
    reasoning = (
        f"The user writes: “{_quote(prompt)}”. What carries it: {', '.join(words)}. I should say"
        f" what matters about {first}, then how {second} comes into it, and keep it short."
    )
    rng = random.Random(f"{seed}/{index}/{prompt}".encode(errors="surrogatepass"))  # noqa: S311
    paragraphs = (rng.choice(templates) for templates in (_OPENINGS, _MIDDLES, _ENDINGS))
    return reasoning, "\n\n".join(text.format(first=first, second=second) for text in paragraphs)


def _quote(prompt: str) -> str:
    """Return a prompt on one line, cut to the length of a quotation."""
    line = " ".join(prompt.split())
    return line if len(line) <= _MAX_QUOTE_LENGTH else f"{line[:_MAX_QUOTE_LENGTH]}…"


def _apply_limits(request: ParsedRequest, reasoning: str, text: str) -> GeneratedChoice:
    """Apply the stop sequences, the thinking budget and `max_tokens`."""
    found = [(text.find(stop), stop) for stop in request.stop_sequences if stop in text]
    finish, stop_sequence = "stop", None
    if found:
        position, stop_sequence = min(found)
        text = text[:position]
        finish = "stop_sequence"
    budget = request.thinking_budget
    if budget is None and request.max_tokens is not None:
        # Without a budget the reasoning must not use up the whole limit: leave half to the answer.
        budget = request.max_tokens // 2
    reasoning_tokens = split_into_tokens(reasoning)[:budget]
    if request.max_tokens is not None:
        text_tokens = split_into_tokens(text)
        remaining = request.max_tokens - len(reasoning_tokens)
        if len(text_tokens) > remaining:
            text = "".join(text_tokens[:remaining])
            finish, stop_sequence = "length", None
    return GeneratedChoice(
        text=text,
        reasoning="".join(reasoning_tokens),
        finish=finish,
        stop_sequence=stop_sequence,
    )


def _dump_readable_json(value: Any) -> str:
    """Serialize a value as models write JSON: with spaces, and without escapes."""
    return json.dumps(value, ensure_ascii=False)

"""What the emulator says when nothing is scripted: the same answer to the same request."""

from __future__ import annotations

import json
import random
import re
from typing import TYPE_CHECKING, Any

from .generation import Answer, Call
from .json_samples import fitting
from .request import tokens
from .sample_answers import topic_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .request import Asked, OfferedTool

__all__ = ["default_answer"]

_DULL_WORDS = (
    "about after again also and any are because been before being between both but can could did"
    " does doing each explain few for from give had has have how into just let like make many me"
    " more most much must not one only other our out over please say should show some such tell"
    " than that the their them then there these they this those through too under use very was"
    " were what when where which while who why will with would write you your"
)
_DULL = frozenset(_DULL_WORDS.split())
_MOST_WORDS = 4
_QUOTED = 120

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


def default_answer(asked: Asked, choice: int, seed: int, call_id: Callable[[int], str]) -> Answer:
    """Make up one choice.

    Args:
        asked: the request.
        choice: the number of the choice; each says it another way.
        seed: the emulator's seed.
        call_id: makes the id of the n-th tool call.
    """
    wanted = _tools_to_call(asked)
    if wanted:
        return _calling(asked, wanted, call_id)
    reasoning, text = _thought_and_text(asked, choice, seed)
    return _limited(asked, reasoning if asked.reasons else "", text)


def _words(prompt: str) -> list[str]:
    """Find the words that carry a prompt, each once."""
    found = dict.fromkeys(re.findall(r"\w[\w'-]+\w|\d+", prompt))
    return [word for word in found if word.lower() not in _DULL]


def _quoted(prompt: str) -> str:
    line = " ".join(prompt.split())
    return line if len(line) <= _QUOTED else f"{line[:_QUOTED]}…"


def _tools_to_call(asked: Asked) -> list[OfferedTool]:
    if asked.tool_choice == "none" or (asked.tool_choice == "auto" and asked.results):
        return []
    if asked.named_tool is not None:
        return [tool for tool in asked.tools if tool.name == asked.named_tool]
    wanted = _said(asked)
    if not wanted and asked.tool_choice == "required":
        wanted = list(asked.tools[:1])
    return wanted[:1] if asked.one_call_only else wanted


def _said(asked: Asked) -> list[OfferedTool]:
    """Find the tools that the prompt names, as `get_weather` or as "get weather"."""
    said = _spaced(asked.prompt)
    return [tool for tool in asked.tools if _spaced(tool.name) in said]


def _spaced(name: str) -> str:
    return re.sub(r"[_-]", " ", name.lower())


def _calling(asked: Asked, wanted: list[OfferedTool], call_id: Callable[[int], str]) -> Answer:
    calls = tuple(
        Call(call_id(number), tool.name, _json(fitting(tool.schema, _arguments(asked, tool))))
        for number, tool in enumerate(wanted)
    )
    names = " and ".join(tool.name for tool in wanted)
    reasoning = f"The request is: “{_quoted(asked.prompt)}”. For this I need {names}."
    return Answer(reasoning=reasoning if asked.reasons else "", calls=calls, finish="tool_calls")


def _arguments(asked: Asked, tool: OfferedTool) -> list[str]:
    """Choose the words for a tool's strings: names of things first, never the tool's own name."""
    own = {tool.name, *re.split(r"[_-]", tool.name)}
    words = [word for word in _words(asked.prompt) if word.lower() not in own]
    # The first word of a sentence is capital anyway, so it says nothing.
    return sorted(words, key=lambda word: word == words[0] or not word[0].isupper())


def _thought_and_text(asked: Asked, choice: int, seed: int) -> tuple[str, str]:
    if asked.json_schema is not None:
        return _as_json(asked)
    if asked.results:
        return _out_of_results(asked)
    topic = topic_of(asked.prompt)
    if topic is None:
        return _general(asked.prompt, choice, seed)
    if choice == 0:
        return topic.reasoning, topic.text
    gist = topic.text.split("\n\n", 1)[0]
    return topic.reasoning, f"In short ({choice + 1}): {gist}"


def _as_json(asked: Asked) -> tuple[str, str]:
    words = _words(asked.prompt)
    value = fitting(asked.json_schema or {}, words)
    if not asked.json_schema:
        value = {"answer": _quoted(asked.prompt), "words": words[:_MOST_WORDS]}
    reasoning = f"The request is: “{_quoted(asked.prompt)}”. The answer has to be JSON, alone."
    return reasoning, _json(value)


def _out_of_results(asked: Asked) -> tuple[str, str]:
    lines = [
        f"`{result.name}` failed: {result.text}"
        if result.is_error
        else f"`{result.name}` says: {result.text}"
        for result in asked.results
    ]
    names = " and ".join(result.name for result in asked.results)
    reasoning = f"I have what {names} gave back. It answers “{_quoted(asked.prompt)}”, so I use it."
    return reasoning, "\n\n".join(lines)


def _general(prompt: str, choice: int, seed: int) -> tuple[str, str]:
    words = sorted(_words(prompt), key=len, reverse=True)[:_MOST_WORDS] or ["this"]
    first, second = words[0], words[1] if len(words) > 1 else "what you need it for"
    reasoning = (
        f"The user writes: “{_quoted(prompt)}”. What carries it: {', '.join(words)}. I should say"
        f" what matters about {first}, then how {second} comes into it, and keep it short."
    )
    pick = random.Random(f"{seed}/{choice}/{prompt}".encode(errors="surrogatepass"))  # noqa: S311
    parts = (pick.choice(said) for said in (_OPENINGS, _MIDDLES, _ENDINGS))
    return reasoning, "\n\n".join(part.format(first=first, second=second) for part in parts)


def _limited(asked: Asked, reasoning: str, text: str) -> Answer:
    """Apply stop sequences, the thinking budget and the limit of tokens."""
    ends = [(text.find(stop), stop) for stop in asked.stops if stop in text]
    finish = "stop"
    if ends:
        text = text[: min(ends)[0]]
        finish = "stop_sequence"
    most = asked.budget
    if most is None and asked.max_tokens is not None:
        # Who sets a limit and no budget wants to see some of the answer.
        most = asked.max_tokens // 2
    thought = tokens(reasoning)[:most]
    if asked.max_tokens is not None:
        written = tokens(text)
        room = asked.max_tokens - len(thought)
        if len(written) > room:
            text = "".join(written[:room])
            finish = "length"
    return Answer(text=text, reasoning="".join(thought), finish=finish)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)

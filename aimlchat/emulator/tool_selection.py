"""Which tools a generated answer calls, the ones that the prompt names, and with which words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .keywords import find_keywords

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .request import OfferedTool, ParsedRequest

__all__ = ["choose_argument_words", "choose_tools", "find_answer_tool"]

# Words that say nothing about what a tool does.
_EMPTY_WORDS = frozenset(
    """
    answer ask call change check compute create current delete fetch find function get given handle
    information list load look lookup name need new number open query read return run save send set
    specific take test text this tool update user value want word write
    """.split()  # noqa: SIM905 - as a list it would fill forty lines
)


def choose_tools(request: ParsedRequest) -> list[OfferedTool]:
    """Choose the tools to call: the one that is forced, else those that the prompt names."""
    if request.tool_choice == "none":
        return []
    answer_tool = find_answer_tool(request)
    if request.tool_results and (request.tool_choice == "auto" or answer_tool is not None):
        return [] if answer_tool is None else [answer_tool]
    if request.named_tool is not None:
        return [tool for tool in request.tools if tool.name == request.named_tool]
    words = set(_split_words(request.prompt))
    words.update(*(topic for topic in _TOPICS if words & topic))
    prompt = _normalize_name(request.prompt)
    tools = [
        tool
        for tool in request.tools
        if _normalize_name(tool.name) in prompt or words & _find_subject(tool)
    ]
    if answer_tool is not None:
        others = [tool for tool in tools if tool.name != answer_tool.name]
        tools = others or [answer_tool]
    if not tools and request.tool_choice == "required":
        tools = list(request.tools[:1])
    return tools[:1] if request.single_call else tools


def find_answer_tool(request: ParsedRequest) -> OfferedTool | None:
    """Return the tool by which the request wants the answer, None if there is none.

    It is the tool that the system prompt reserves for the answer: a sentence of it has the name,
    and the words "answer" and "call". Or, if a tool has to be called, it is the tool whose
    description says that it is for the answer.
    """
    for sentence in re.split(r"(?<=[.!?])\s|\n", request.instructions):
        if re.search(r"\banswer\b", sentence) and re.search(r"\bcall(?:ing)?\b", sentence):
            for tool in request.tools:
                if re.search(rf"\b{re.escape(tool.name)}\b", sentence):
                    return tool
    if request.tool_choice == "required" and request.named_tool is None:
        for tool in request.tools:
            if re.search(r"\banswer\b", tool.description.partition(".")[0]):
                return tool
    return None


def choose_argument_words(request: ParsedRequest, tool: OfferedTool) -> list[str]:
    """Choose the words for a tool's strings: proper nouns first, never the tool's own name."""
    own_words = {tool.name, *re.split(r"[_-]", tool.name)}
    words = [word for word in find_keywords(request.prompt) if word.lower() not in own_words]
    # The first word of a sentence has a capital anyway, so it does not count as a proper noun.
    return sorted(words, key=lambda word: word == words[0] or not word[0].isupper())


def _find_subject(tool: OfferedTool) -> set[str]:
    """Return the words that say what a tool does, from its name and its description.

    The names of its parameters are not among them: "a city" is what a tool needs, not what it does.
    """
    parameters = tool.schema.get("properties")
    names = " ".join(parameters) if isinstance(parameters, dict) else ""
    words = set(_split_words(f"{tool.name} {tool.description.partition('.')[0]}"))
    return words - _EMPTY_WORDS - set(_split_words(names))


def _split_words(text: str) -> Iterable[str]:
    """Yield the words of a text in lower case and in the singular, stop words left out."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text.replace("_", " "))
    for word in find_keywords(spaced):
        lower = word.lower().removesuffix("'s")
        is_plural = lower.endswith("s") and not lower.endswith("ss")
        yield lower[:-1] if is_plural else lower


def _normalize_name(name: str) -> str:
    """Make `get_weather` and "Get weather" comparable."""
    return re.sub(r"[_-]", " ", name.lower())


# Words on one topic: a prompt with one of them names a tool whose words include another one.
_TOPICS = tuple(
    frozenset(_split_words(words))
    for words in (
        "weather forecast temperature rain rainy snow sunny wind storm umbrella coat cold hot",
        "time clock hour o'clock timezone",
        "search web internet google",
        "calculate calculator calculation arithmetic math add sum plus minus divided multiply",
        "email e-mail mail inbox",
        "price cost cheap expensive",
        "stock share ticker",
        "calendar appointment meeting schedule",
        "translate translation translator",
        "route direction drive distance map",
    )
)

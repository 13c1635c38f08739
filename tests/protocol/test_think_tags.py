"""Reasoning between tags at the start of the text, wherever the text is cut."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from soak import examples

from aimlchat._protocol.think_tags import ThinkTagSplitter, may_use_tags

OPEN, CLOSE = "<think>", "</think>"


def by_definition(text):
    """Split a whole text into reasoning and answer, as the rules are written down."""
    start = text.lstrip()
    if not start.startswith(OPEN):
        return "", text.removesuffix(CLOSE)
    reasoning, _, answer = start.removeprefix(OPEN).partition(CLOSE)
    return reasoning.strip(), answer.lstrip().removesuffix(CLOSE)


def split(*pieces):
    tags = ThinkTagSplitter()
    pairs = [tags.feed(piece) for piece in pieces]
    pairs.append(tags.close())
    return "".join(pair[0] for pair in pairs), "".join(pair[1] for pair in pairs)


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        ("<think>a</think>b", "a", "b"),
        ("<think>\n a\n b \n</think>\n\n b \n", "a\n b", "b \n"),
        (" \n<think>a</think>b", "a", "b"),
        ("<think></think>b", "", "b"),
        ("<think> \n </think> b", "", "b"),
        ("<think>a", "a", ""),
        ("<think> a </thin", "a </thin", ""),
        ("<think>a</think>", "a", ""),
        ("<think>a</think> \n", "a", ""),
        ("<think>a<think>b</think>c", "a<think>b", "c"),
        ("<think>a</think>b</think>c", "a", "b</think>c"),
        ("<think>a</think>b</think>", "a", "b"),
        ("<think>a</think> <think>b</think>c", "a", "<think>b</think>c"),
        ("b</think>", "", "b"),
        ("b</think> ", "", "b</think> "),
        ("b</think></think>", "", "b</think>"),
        ("</think>", "", ""),
        ("</think>b", "", "</think>b"),
        ("b <think>a</think>", "", "b <think>a"),
        ("<Think>a</Think>b", "", "<Think>a</Think>b"),
        ("<thinking>a</thinking>b", "", "<thinking>a</thinking>b"),
        (" <thin", "", " <thin"),
        (" b ", "", " b "),
        (" \n", "", " \n"),
        ("", "", ""),
        ("\u3000<think>\u3000a\u3000</think>\u3000b", "a", "b"),
    ],
)
def test_text_is_split_by_tags_at_its_start(text, reasoning, answer):
    assert by_definition(text) == (reasoning, answer)
    assert split(text) == (reasoning, answer)


@pytest.mark.parametrize("length", range(1, 7))
def test_every_short_text_is_split_by_the_definition(length):
    for pieces in itertools.product((OPEN, CLOSE, " ", "a", "<", "</th"), repeat=length):
        text = "".join(pieces)
        assert split(*pieces) == by_definition(text), pieces
        if length <= 4:
            assert split(*text) == by_definition(text), text


@pytest.mark.parametrize(
    "text", [" <think> a </think> b", "<think>a</t</think>b<", "a</think>", "\n<think>a ", " <thin"]
)
def test_every_cut_of_a_text_gives_the_same_split(text):
    for count in range(4):
        for positions in itertools.combinations(range(len(text) + 1), count):
            ends = [0, *positions, len(text)]
            pieces = [text[a:b] for a, b in itertools.pairwise(ends)]
            assert split(*pieces) == by_definition(text), pieces


@given(
    st.lists(
        st.sampled_from([OPEN, CLOSE, " ", "\n", "a", "<", "</", "think", ">", "\u2003", ""])
        | st.text(max_size=3),
        max_size=40,
    )
)
@examples(400)
def test_long_texts_are_split_by_the_definition(pieces):
    text = "".join(pieces)
    assert split(*pieces) == by_definition(text)
    assert split(*text) == by_definition(text)


def test_reasoning_is_returned_before_its_tag_is_closed():
    tags = ThinkTagSplitter()
    assert tags.feed("<think>one two") == ("one two", "")
    assert tags.feed(" three") == (" three", "")


def test_only_a_possible_tag_is_buffered():
    tags = ThinkTagSplitter()
    assert tags.feed("one < two </thin") == ("", "one < two ")
    assert tags.feed("g>") == ("", "</thing>")


def test_one_piece_may_hold_reasoning_and_answer():
    assert ThinkTagSplitter().feed("<think>a</think>b") == ("a", "b")


@pytest.mark.parametrize(
    "model",
    [
        "anthropic/claude-3.7-sonnet",
        "claude-opus-4-7",
        "openai/gpt-4o",
        "GPT-5",
        "chatgpt-4o-latest",
        "openai/o1",
        "o1-mini",
        "o3",
        "openai/o3-2025-04-16",
        "o4-mini",
        "google/gemini-2.5-flash",
        "x-ai/grok-4-fast-reasoning",
        "Grok-Build-0.1",
    ],
)
def test_these_models_never_use_tags(model):
    assert not may_use_tags(model)


@pytest.mark.parametrize(
    "model",
    [
        "",
        "Qwen/QwQ-32B",
        "qwen3-32b",
        "minimax/m3",
        "zhipu/glm-4.5",
        "deepseek/deepseek-r1",
        "moonshot/kimi-k2-6",
        "tencent/hy3",
        "o2",
        "foo3",
        "sonar",
    ],
)
def test_all_other_models_may_use_tags(model):
    assert may_use_tags(model)

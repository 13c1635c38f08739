"""Which models are nearest to a name that none has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimlchat._client.model_names import rank_models

IDS = """
anthropic/claude-opus-4.8 anthropic/claude-sonnet-5 anthropic/claude-sonnet-4.6
anthropic/claude-sonnet-4.5 anthropic/claude-sonnet-4 anthropic/claude-opus-4.1
anthropic/claude-haiku-4.5 openai/gpt-5 openai/gpt-5-mini openai/gpt-4.1 openai/gpt-4.1-mini
openai/gpt-4o openai/gpt-4o-mini openai/o3 openai/o4-mini google/gemini-2.5-pro
google/gemini-2.5-flash google/gemini-3-flash-preview deepseek/deepseek-r1
deepseek/deepseek-chat-v3.1 deepseek/deepseek-v3.2 alibaba/qwen3-32b
alibaba/qwen3-235b-a22b-thinking-2507 alibaba/qwq-32b meta-llama/llama-3.3-70b-instruct-turbo
mistralai/mistral-large-2411 mistralai/mistral-nemo x-ai/grok-4-fast-reasoning minimax/m3
""".split()

SONNETS = "sonnet-5 sonnet-4.6 sonnet-4.5"
NEAREST = {
    # the newest of the same family
    "anthropic/claude-3.7-sonnet": SONNETS,
    "claude-3-7-sonnet-20250219": SONNETS,
    "claude-3-7-sonnet-latest": SONNETS,
    "claude-3-opus-20240229": "opus-4.8 opus-4.1 sonnet-5",
    "claude-3-5-haiku-latest": "haiku-4.5 sonnet-5 opus-4.8",
    "claude-2.1": "sonnet-5 opus-4.8 sonnet-4.6",
    "sonnet": SONNETS,
    "gpt-3.5-turbo": "gpt-5 gpt-4.1",
    "o1-mini": "o4-mini o3",
    "o1": "o3 o4-mini",
    "gemini-1.5-pro": "gemini-2.5-pro gemini-3-flash-preview gemini-2.5-flash",
    "google/gemini-2.0-flash": "gemini-3-flash-preview gemini-2.5-flash gemini-2.5-pro",
    "deepseek-chat": "deepseek-chat-v3.1 deepseek-v3.2 deepseek-r1",
    "meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo": "llama-3.3-70b-instruct-turbo",
    "mistral-large-2407": "mistral-large-2411 mistral-nemo",
    "minimax-m2": "minimax/m3",
    # another notation of the same name
    "Anthropic/Claude-Sonnet-4.5": "sonnet-4.5 sonnet-5",
    "claude-4.5-sonnet": "sonnet-4.5 sonnet-5",
    "claude-sonnet-4-5-20250929": "sonnet-4.5 sonnet-5",
    "claudesonnet4.5": "sonnet-4.5 sonnet-5",
    "gpt4o": "gpt-4o gpt-4o-mini",
    "anthropic.claude-sonnet-4-20250514-v1:0": "sonnet-4 sonnet-5",
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0": "sonnet-4.5 sonnet-5",
    "meta.llama3-1-70b-instruct-v1:0": "llama-3.3-70b-instruct-turbo",
    "deepseek/deepseek-r1:free": "deepseek-r1",
    "chatgpt-4o-latest": "gpt-4o",
    # a misspelled word
    "anthropic/claude-sonet-4.5": "sonnet-4.5 sonnet-5 sonnet-4.6",
    "cluade-sonnet-4.5": "sonnet-4.5 sonnet-5",
    "gtp-4o": "gpt-4o",
    "openai/gpt-4.1-mni": "gpt-4.1-mini",
    "claude-sonet-9": SONNETS,
    # the same vendor
    "openai/davinci": "gpt-5",
    # nothing that is near
    "no-such-model": "",
    "x": "",
    "": "",
    "/": "",
    "模型": "",
}


@pytest.mark.parametrize(("model", "nearest"), NEAREST.items(), ids=[*NEAREST][:-4] + list("abcd"))
def test_the_nearest_models_come_first(model, nearest):
    names = nearest.split()
    ranked = rank_models(model, IDS)[: len(names)]

    assert all(found.endswith(name) for found, name in zip(ranked, names, strict=True)), ranked
    if not names:
        assert rank_models(model, IDS) == []


def test_the_newest_version_is_not_the_one_with_the_highest_digit():
    assert rank_models("m-1", ["m-9", "m-10", "m-9.5", "m-4.20"])[0] == "m-10"
    assert rank_models("m-1", ["m-4.9", "m-4.10"])[0] == "m-4.10"
    assert rank_models("m-1", ["m-3-400b", "m-4-8b"])[0] == "m-4-8b"


def test_a_name_that_always_means_the_latest_is_the_newest():
    assert rank_models("m-pro-1", ["m-pro-9", "m-pro-latest"])[0] == "m-pro-latest"


NAMES = st.lists(
    st.sampled_from(
        "claude gpt sonnet sonet 4 4.5 -latest 20250101 70b / - . o ü 三 ٣ \0".split(" ")
    )
).map("-".join)


@given(NAMES | st.text(), st.lists(NAMES | st.text()))
def test_any_names_are_ranked_and_none_is_invented(model, ids):
    ranked = rank_models(model, ids)

    assert len(ranked) == len(set(ranked))
    assert set(ranked) <= {*ids} - {model}


@given(
    NAMES,
    st.lists(NAMES, unique=True).flatmap(lambda ids: st.tuples(st.just(ids), st.permutations(ids))),
)
def test_the_order_of_the_list_does_not_matter(model, lists):
    assert rank_models(model, lists[0]) == rank_models(model, lists[1])


@given(st.sampled_from(IDS))
def test_the_same_name_in_upper_case_is_the_nearest(name):
    assert rank_models(name.upper(), IDS)[0] == name


def test_names_that_are_too_long_are_not_compared():
    assert rank_models("m" * 101, IDS) == []
    assert rank_models("m-1", ["m-2", "m-3" + "x" * 100]) == ["m-2"]

"""Breakpoints of the prompt cache."""

import copy
import pickle

import pytest

from aimlchat import ChatRequest, Completion, InvalidRequestError
from aimlchat._payload.build import build_payload
from aimlchat.completions import Choice

CLAUDE, OPENAI_CLAUDE = "anthropic/claude-sonnet-4.5", "anthropic/claude-3.7-sonnet"
FIVE_MINUTES = {"type": "ephemeral", "ttl": "5m"}
HOUR = {"type": "ephemeral", "ttl": "1h"}


def marked(text, control=FIVE_MINUTES):
    return {"type": "text", "text": text, "cache_control": control}


@pytest.mark.parametrize("model", [CLAUDE, OPENAI_CLAUDE, "anthropic/claude-opus-4.8"])
def test_the_last_message_is_marked(model):
    payload = ChatRequest(model).user("a").cache().user("b").payload()
    assert payload["messages"] == [
        {"role": "user", "content": [marked("a")]},
        {"role": "user", "content": "b"},
    ]


def test_the_last_part_of_a_message_is_marked():
    payload = ChatRequest(CLAUDE).user("a", "b").cache("1h").payload()
    content = [{"type": "text", "text": "a"}, marked("b", HOUR)]
    assert payload["messages"] == [{"role": "user", "content": content}]


def test_the_system_prompt_is_marked_if_there_is_no_message():
    request = ChatRequest(CLAUDE).system("S").cache().user("a")
    assert request.options(dialect="messages").payload()["system"] == [marked("S")]
    sent = request.options(model=OPENAI_CLAUDE).payload()["messages"]
    assert sent == [
        {"role": "system", "content": [marked("S")]},
        {"role": "user", "content": "a"},
    ]


def test_the_anthropic_dialect_has_no_mark_behind_the_system_prompt():
    assert ChatRequest(CLAUDE).system("S").cache().user("a").payload()["system"] == "S"


def test_tool_results_and_turns_of_the_model_are_marked():
    thinking = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
    blocks = [
        {"type": "text", "text": "b"},
        {"type": "tool_use", "id": "t", "name": "f", "input": {}},
    ]
    blocks.insert(1, thinking)
    turn = {"role": "assistant", "content": "b", "content_blocks": blocks}
    request = ChatRequest(CLAUDE).user("a").assistant(turn).cache().tool_result("t", "1").cache()
    _, answer, result = request.payload()["messages"]
    assert answer["content"][2]["cache_control"] == FIVE_MINUTES
    assert "cache_control" not in answer["content"][1]
    assert result["content"][0]["cache_control"] == FIVE_MINUTES


def test_a_marked_system_prompt_can_be_replaced():
    marked = ChatRequest(CLAUDE, dialect="messages").system("A").cache("1h").user("Hi")
    assert marked.system("B").payload()["system"] == "B"
    assert marked.options(system="B").payload()["system"] == "B"
    assert "system" not in marked.system(None).payload()


def test_a_marked_system_prompt_is_not_equal_to_a_plain_one():
    plain = ChatRequest(CLAUDE, system="A")
    marked = plain.cache("1h")
    assert plain != marked != plain.cache("5m")
    assert marked == plain.cache("1h") == pickle.loads(pickle.dumps(marked)) == copy.copy(marked)
    assert hash(marked) == hash(plain.cache("1h"))


def test_a_fifth_breakpoint_in_one_message_is_refused(refusal):
    messages = [{"role": "user", "content": [marked("a")] * 5}]
    assert refusal(ChatRequest(CLAUDE, messages=messages)).field.startswith("messages[0]")
    with pytest.raises(InvalidRequestError, match="more than 4"):  # as a session sends it
        build_payload({"model": CLAUDE, "messages": messages}, stream=False)


def test_a_breakpoint_inside_the_result_of_a_tool_counts(refusal):
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [marked("a")] * 4}
    messages = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result, marked("b")]},
    ]
    request = ChatRequest(CLAUDE, messages=messages)
    assert refusal(request).field == "messages[2].content[1].cache_control"


def test_a_dict_among_the_messages_is_marked():
    messages = [{"role": "user", "content": "a"}]
    payload = ChatRequest(CLAUDE, messages=messages).cache().payload()
    assert payload["messages"] == [{"role": "user", "content": [marked("a")]}]
    assert messages == [{"role": "user", "content": "a"}]


def test_nothing_is_sent_to_other_models():
    base = ChatRequest("openai/gpt-4o").system("S")
    payload = base.cache().user("a").cache().payload()
    assert payload["messages"] == base.user("a").payload()["messages"]


def test_a_fifth_breakpoint_is_refused():
    request = ChatRequest("openai/gpt-4o").system("S").cache()
    for text in "abc":
        request = request.user(text).cache()
    with pytest.raises(InvalidRequestError, match="more than 4"):
        request.user("d").cache()
    assert request.cache("1h") != request  # the same place once more


def test_breakpoints_in_dicts_count_as_well(refusal):
    request = ChatRequest(CLAUDE, messages=[{"role": "user", "content": [marked("a")] * 4}])
    assert refusal(request.user("b").cache()).field == "messages[1].content[0].cache_control"


def test_an_hour_behind_five_minutes_is_refused(refusal):
    request = ChatRequest(CLAUDE).user("a").cache().user("b").cache("1h")
    assert refusal(request).field == "messages[1].content[0].cache_control"
    assert ChatRequest(CLAUDE).user("a").cache("1h").user("b").cache().payload()


@pytest.mark.parametrize("ttl", ["2h", 5, None, ["5m"]])
def test_another_time_to_live_is_refused(ttl):
    with pytest.raises(InvalidRequestError, match="'5m' or '1h'"):
        ChatRequest().user("a").cache(ttl)


@pytest.mark.parametrize("request_", [ChatRequest(), ChatRequest(system=" ")])
def test_there_has_to_be_something_to_mark(request_):
    with pytest.raises(InvalidRequestError, match="nothing to mark"):
        request_.cache()


def test_a_marked_request_compares_pickles_and_copies():
    completion = Completion((Choice(0, "b", turn={"content_blocks": [{"type": "x"}]}),))
    request = ChatRequest(CLAUDE).user("a").assistant(completion).cache()
    assert pickle.loads(pickle.dumps(request)) == copy.deepcopy(request) == request
    assert request != ChatRequest(CLAUDE).user("a").assistant(completion)

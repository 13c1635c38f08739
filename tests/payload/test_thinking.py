import pytest

from aimlchat import ChatRequest, Thinking

V3_7, V3_5, V4, NEWER, OTHER = (
    "anthropic/claude-3.7-sonnet",
    "claude-3.5-sonnet",
    "claude-sonnet-4-5",
    "claude-sonnet-5",
    "gpt-4o",
)


@pytest.mark.parametrize("thinking", [2048, Thinking(2048), Thinking(budget_tokens=2048)])
@pytest.mark.parametrize("model", [V3_7, V4, NEWER])
def test_a_budget_is_sent_with_room_for_the_answer(model, thinking):
    body = ChatRequest(model, thinking=thinking).user("Hi").payload()
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 2048}
    assert body["max_tokens"] == 2048 + 4096


def test_max_tokens_beside_a_budget_are_kept():
    assert ChatRequest(thinking=2048, max_tokens=2049).user("Hi").payload()["max_tokens"] == 2049


def test_claude_3_7_thinks_in_the_anthropic_dialect():
    body = ChatRequest(V3_7, system="S", thinking=1024).user("Hi").payload()
    assert body["system"] == "S"


def test_newer_claude_thinks_in_the_openai_dialect():
    body = ChatRequest(NEWER, system="S", thinking=1024).user("Hi").payload()
    assert body["messages"][0] == {"role": "system", "content": "S"}


def test_newer_claude_can_be_asked_to_think_in_the_anthropic_dialect():
    request = ChatRequest(NEWER, system="S", thinking="adaptive", dialect="anthropic").user("Hi")
    assert request.payload()["system"] == "S"
    assert request.payload()["thinking"] == {"type": "adaptive"}


def test_newer_claude_thinks_adaptively():
    body = ChatRequest(NEWER, thinking="adaptive").user("Hi").payload()
    assert body["thinking"] == {"type": "adaptive"}
    assert "max_tokens" not in body


def test_newer_claude_is_told_not_to_think():
    body = ChatRequest(NEWER, thinking=False).user("Hi").payload()
    assert body["thinking"] == {"type": "disabled"}


@pytest.mark.parametrize("model", [V3_7, V3_5, V4, OTHER])
def test_a_model_that_knows_no_disabled_is_not_told(model):
    plain = ChatRequest(model, system="S").user("Hi")
    assert plain.options(thinking=False).payload() == plain.payload()


@pytest.mark.parametrize("model", [V3_5, OTHER])
@pytest.mark.parametrize("thinking", [2048, "adaptive"])
def test_thinking_on_a_model_without_it_is_refused(model, thinking, refusal):
    error = refusal(ChatRequest(model, thinking=thinking).user("Hi"))
    assert error.field == "thinking"
    assert "reasoning_effort" in str(error)


@pytest.mark.parametrize("model", [V3_7, V4])
def test_adaptive_thinking_is_refused_where_only_a_budget_is_known(model, refusal):
    error = refusal(ChatRequest(model, thinking="adaptive").user("Hi"))
    assert error.field == "thinking"
    assert "thinking=2048" in str(error)


@pytest.mark.parametrize("model", [V3_7, V4])
def test_thinking_is_refused_in_a_dialect_that_cannot_say_it(model, refusal):
    error = refusal(ChatRequest(model, thinking=2048, dialect="openai").user("Hi"))
    assert error.field == "thinking"
    assert "dialect" in str(error)


def test_an_unknown_name_may_think_in_the_anthropic_dialect():
    body = ChatRequest("my-alias", thinking=2048, dialect="anthropic").user("Hi").payload()
    assert body["thinking"]["budget_tokens"] == 2048


def test_an_older_claude_may_not_even_there(refusal):
    error = refusal(ChatRequest(V3_5, thinking=2048, dialect="anthropic").user("Hi"))
    assert error.field == "thinking"


def test_true_is_refused_for_want_of_a_number(refusal):
    error = refusal(ChatRequest(thinking=True).user("Hi"))
    assert error.field == "thinking"
    assert "thinking=2048" in str(error)


@pytest.mark.parametrize("thinking", ["low", "", 2048.0, [2048], {"type": "enabled"}, object()])
def test_other_values_are_refused(thinking, refusal):
    assert refusal(ChatRequest(thinking=thinking).user("Hi")).field == "thinking"


@pytest.mark.parametrize("budget", [1023, 0, -1, "2048", None, 2048.5, True, float("nan")])
def test_a_budget_is_a_whole_number_of_at_least_1024(budget, refusal):
    error = refusal(ChatRequest(thinking=Thinking(budget)).user("Hi"))
    assert error.field == "thinking.budget_tokens"
    assert "1024" in str(error)


@pytest.mark.parametrize("max_tokens", [1, 2047, 2048])
def test_a_budget_is_below_max_tokens(max_tokens, refusal):
    error = refusal(ChatRequest(thinking=2048, max_tokens=max_tokens).user("Hi"))
    assert error.field == "thinking.budget_tokens"
    assert "max_tokens" in str(error)


@pytest.mark.parametrize("max_tokens", [0, "9999", 9999.5])
def test_max_tokens_beside_a_budget_are_checked_too(max_tokens, refusal):
    assert refusal(ChatRequest(thinking=2048, max_tokens=max_tokens).user("Hi")).field == (
        "max_tokens"
    )


@pytest.mark.parametrize("model", [V3_7, V4])
def test_effort_and_budget_are_refused_together_where_the_dialect_has_no_effort(model, refusal):
    request = ChatRequest(model, thinking=2048, reasoning_effort="low").user("Hi")
    assert refusal(request).field == "reasoning_effort"


def test_effort_and_budget_go_together_where_the_dialect_has_both():
    body = ChatRequest(NEWER, thinking=2048, reasoning_effort="low").user("Hi").payload()
    assert body["reasoning_effort"] == "low"
    assert body["thinking"]["type"] == "enabled"

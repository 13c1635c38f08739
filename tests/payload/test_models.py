"""Which dialect a model takes, and how it thinks."""

import pytest

from aimlchat import ChatRequest, Thinking
from aimlchat._payload.model_table import MODEL_TABLE
from aimlchat._payload.models import find_model_row

(
    ROW_3_7,
    ROW_BEFORE_3_7,
    ROW_4_0,
    ROW_OPUS_4_7,
    ROW_4,
    ROW_OF_FAST,
    ROW_SINCE_4_8,
    ROW_WITHOUT_VERSION,
    ROW_OF_DEEPSEEK,
    ROW_OF_MINIMAX_TOOLS,
    ROW_OF_GLM,
    ROW_OF_LONGCAT,
    ROW_THAT_RETURNS_REASONING,
    ROW_OF_TOOLS,
    ROW_OF_WORDS,
    ROW_OF_SIGNED_CALLS,
    ROW_OF_GEMINI,
    ROW_OF_OTHERS,
) = MODEL_TABLE

ROWS = {
    "anthropic/claude-3.7-sonnet": ROW_3_7,
    "claude-3-7-sonnet-20250219": ROW_3_7,
    "claude-3-7-sonnet-latest": ROW_3_7,
    "Anthropic/Claude-3.7-Sonnet": ROW_3_7,
    "claude-sonnet-3.7": ROW_3_7,
    "claude-3-opus-20240229": ROW_BEFORE_3_7,
    "anthropic/claude-3.5-sonnet": ROW_BEFORE_3_7,
    "claude-3-5-sonnet-20241022": ROW_BEFORE_3_7,
    "claude-3-5-haiku-latest": ROW_BEFORE_3_7,
    "claude-2": ROW_BEFORE_3_7,
    "claude-2.1": ROW_BEFORE_3_7,
    "claude-v1": ROW_BEFORE_3_7,
    "claude-instant-1.2": ROW_BEFORE_3_7,
    "claude-haiku-3": ROW_BEFORE_3_7,
    "claude-sonnet-4.5": ROW_4,
    "claude-sonnet-4-5": ROW_4,
    "claude-sonnet-4-5-20250929": ROW_4,
    "claude-opus-4-20250514": ROW_4_0,
    "claude-opus-4-1-20250805": ROW_4,
    "anthropic/claude-opus-4.1": ROW_4,
    "anthropic/claude-opus-4": ROW_4_0,
    "anthropic/claude-4.7-opus": ROW_OPUS_4_7,
    "claude-4-sonnet": ROW_4_0,
    "claude-4-sonnet-20250514": ROW_4_0,
    "claude-sonnet-4.0": ROW_4_0,
    "claude-sonnet-4-0": ROW_4_0,
    "claude-4.0-opus": ROW_4_0,
    "CLAUDE-SONNET-4": ROW_4_0,
    "claude-haiku-4": ROW_4,
    "claude-4-5-haiku": ROW_4,
    "claude-haiku-4-5": ROW_4,
    "claude-opus-4-7": ROW_OPUS_4_7,
    "claude-opus-4-7-20260416": ROW_OPUS_4_7,
    "claude-sonnet-4-7": ROW_4,
    "anthropic/claude-opus-4.8-fast": ROW_OF_FAST,
    "CLAUDE-OPUS-4-6": ROW_4,
    "claude-opus-4.8": ROW_SINCE_4_8,
    "claude-opus-4-8": ROW_SINCE_4_8,
    "claude-opus-4-8-20260101": ROW_SINCE_4_8,
    "claude-opus-4.10": ROW_SINCE_4_8,
    "claude-4.8-opus": ROW_SINCE_4_8,
    "claude-sonnet-5": ROW_SINCE_4_8,
    "anthropic/claude-sonnet-5": ROW_SINCE_4_8,
    "claude-sonnet-latest": ROW_SINCE_4_8,
    "claude-opus-latest": ROW_SINCE_4_8,
    "claude-5-sonnet": ROW_SINCE_4_8,
    "claude-opus-5-1-20270101": ROW_SINCE_4_8,
    "claude-sonnet-10": ROW_SINCE_4_8,
    "claude-latest": ROW_SINCE_4_8,
    "claude": ROW_WITHOUT_VERSION,
    "our-claude": ROW_WITHOUT_VERSION,
    "claude-opus-20260301": ROW_WITHOUT_VERSION,
    "gpt-4o": ROW_OF_OTHERS,
    "openai/gpt-4.1": ROW_OF_OTHERS,
    "o3": ROW_OF_OTHERS,
    "deepseek/deepseek-r1": ROW_OF_DEEPSEEK,
    "deepseek/deepseek-chat-v3.1": ROW_OF_DEEPSEEK,
    "deepseek/deepseek-v4-pro": ROW_OF_DEEPSEEK,
    "moonshot/kimi-k2-6": ROW_THAT_RETURNS_REASONING,
    "minimax/m2-7-20260402": ROW_OF_MINIMAX_TOOLS,
    "minimax/m2-7-highspeed": ROW_THAT_RETURNS_REASONING,
    "minimax/m2-5": ROW_THAT_RETURNS_REASONING,
    "zhipu/glm-4.6": ROW_THAT_RETURNS_REASONING,
    "glm-5": ROW_THAT_RETURNS_REASONING,
    "z-ai/glm-4.5v": ROW_THAT_RETURNS_REASONING,
    "zhipu/glm-4.5": ROW_OF_GLM,
    "zhipu/glm-4.5-air": ROW_OF_GLM,
    "zhipu/glm-5-3": ROW_OF_GLM,
    "meituan/longcat-2.0": ROW_OF_LONGCAT,
    "meta-llama/LlamaGuard-2-8b": ROW_OF_WORDS,
    "alibaba/qwen3.8-max": ROW_OF_WORDS,
    "qwen3-235b-a22b-thinking-2507": ROW_OF_WORDS,
    "alibaba/qwen3-max-preview": ROW_OF_OTHERS,
    "x-ai/grok-4-fast-reasoning": ROW_OF_TOOLS,
    "x-ai/grok-4-1-fast-reasoning": ROW_OF_TOOLS,
    "x-ai/grok-4-20-0309-reasoning": ROW_OF_OTHERS,
    "gpt-4": ROW_OF_TOOLS,
    "openai/gpt-4-turbo-preview": ROW_OF_TOOLS,
    "gpt-4-0125-preview": ROW_OF_TOOLS,
    "gpt-4o-2024-05-13": ROW_OF_TOOLS,
    "gpt-4o-2024-08-06": ROW_OF_OTHERS,
    "gpt-4.5-preview": ROW_OF_OTHERS,
    "o1-mini": ROW_OF_WORDS,
    "o1": ROW_OF_OTHERS,
    "google/gemini-1.5-pro": ROW_OF_WORDS,
    "meta-llama/Llama-3.3-70B-Instruct-Turbo": ROW_OF_WORDS,
    "meta-llama/llama-4-scout": ROW_OF_OTHERS,
    "google/gemini-3-flash-preview": ROW_OF_SIGNED_CALLS,
    "google/gemini-3.1-pro-preview": ROW_OF_SIGNED_CALLS,
    "google/gemini-flash-latest": ROW_OF_SIGNED_CALLS,
    "google/gemini-2.5-pro": ROW_OF_GEMINI,
    "x": ROW_OF_OTHERS,
}


@pytest.mark.parametrize(("model", "row"), ROWS.items(), ids=ROWS)
def test_a_model_name_selects_its_row(model, row):
    assert find_model_row(model) is row


def _dialect_of(body):
    return "anthropic" if isinstance(body.get("system"), str) else "openai"


@pytest.mark.parametrize(("model", "row"), ROWS.items(), ids=ROWS)
def test_a_request_without_thinking_uses_the_dialect_of_its_row(model, row):
    body = ChatRequest(model, system="S").user("Hi").payload()
    assert _dialect_of(body) == row.dialects[0]
    assert "thinking" not in body


@pytest.mark.parametrize(
    ("model", "dialect", "modes"),
    [
        ("claude-3.7-sonnet", "anthropic", {"enabled"}),
        ("claude-3.5-sonnet", None, set()),
        ("claude-sonnet-4-5", "anthropic", {"enabled"}),
        ("claude-sonnet-4", "anthropic", {"enabled"}),
        ("claude-opus-4.8-fast", "messages", {"enabled", "disabled", "adaptive"}),
        ("zhipu/glm-4.5", "openai", {"disabled"}),
        ("claude-sonnet-5", "openai", {"enabled", "disabled", "adaptive"}),
        ("gpt-4o", None, set()),
    ],
)
def test_a_row_has_the_dialect_and_the_modes_of_thinking(model, dialect, modes):
    row = find_model_row(model)
    assert row.thinking_dialect == dialect
    assert set(row.thinking_modes) == modes


@pytest.mark.parametrize("model", ["gpt-4o", "claude-3.7-sonnet", "claude-sonnet-4-5"])
@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_dialect_in_the_request_overrules_the_table(model, dialect):
    body = ChatRequest(model, system="S", dialect=dialect).user("Hi").payload()
    assert _dialect_of(body) == dialect


CLAUDE_3_7, CLAUDE_3_5, CLAUDE_4_5, CLAUDE_5, GPT_4O = (
    "anthropic/claude-3.7-sonnet",
    "claude-3.5-sonnet",
    "claude-sonnet-4-5",
    "claude-sonnet-5",
    "gpt-4o",
)


@pytest.mark.parametrize("thinking", [2048, Thinking(2048), Thinking(budget_tokens=2048)])
@pytest.mark.parametrize("model", [CLAUDE_3_7, CLAUDE_4_5, CLAUDE_5])
def test_max_tokens_default_to_the_budget_plus_4096(model, thinking):
    body = ChatRequest(model, thinking=thinking).user("Hi").payload()
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 2048}
    assert body["max_tokens"] == 2048 + 4096


def test_max_tokens_given_with_a_budget_are_sent():
    assert ChatRequest(thinking=2048, max_tokens=2049).user("Hi").payload()["max_tokens"] == 2049


def test_claude_3_7_thinks_in_the_anthropic_dialect():
    body = ChatRequest(CLAUDE_3_7, system="S", thinking=1024).user("Hi").payload()
    assert body["system"] == "S"


def test_claude_5_thinks_in_the_openai_dialect():
    body = ChatRequest(CLAUDE_5, system="S", thinking=1024).user("Hi").payload()
    assert body["messages"][0] == {"role": "system", "content": "S"}


def test_claude_5_thinks_in_the_anthropic_dialect_if_the_request_says_so():
    request = ChatRequest(CLAUDE_5, system="S", thinking="adaptive", dialect="anthropic").user("Hi")
    assert request.payload()["system"] == "S"
    assert request.payload()["thinking"] == {"type": "adaptive"}


def test_claude_5_takes_adaptive_thinking():
    body = ChatRequest(CLAUDE_5, thinking="adaptive").user("Hi").payload()
    assert body["thinking"] == {"type": "adaptive"}
    assert "max_tokens" not in body


def test_claude_5_takes_disabled_thinking():
    body = ChatRequest(CLAUDE_5, thinking=False).user("Hi").payload()
    assert body["thinking"] == {"type": "disabled"}


@pytest.mark.parametrize("model", ["zhipu/glm-4.5", "zhipu/glm-5.3", "meituan/longcat-2.0"])
def test_thinking_without_a_budget_can_only_be_turned_off(model, refusal):
    request = ChatRequest(model).user("Hi")
    assert request.options(thinking=False).payload()["thinking"] == {"type": "disabled"}
    for thinking in (2048, "adaptive"):
        error = refusal(request.options(thinking=thinking))
        assert error.field == "thinking"
        assert "give False, which turns its thinking off" in str(error)


def test_the_fast_claude_opus_thinks_in_the_messages_dialect_only(refusal):
    request = ChatRequest("anthropic/claude-opus-4.8-fast", system="S").user("Hi")
    assert request.payload()["messages"][0]["role"] == "system"
    assert request.options(thinking=2048).payload()["system"] == "S"
    for dialect in ("openai", "anthropic"):
        error = refusal(request.options(thinking=2048, dialect=dialect))
        assert "thinks in the messages dialect only" in str(error)


@pytest.mark.parametrize("model", [CLAUDE_3_7, CLAUDE_3_5, CLAUDE_4_5, GPT_4O])
def test_disabled_thinking_is_not_sent_to_a_model_that_does_not_take_it(model):
    plain = ChatRequest(model, system="S").user("Hi")
    assert plain.options(thinking=False).payload() == plain.payload()


@pytest.mark.parametrize("model", [CLAUDE_3_5, GPT_4O])
@pytest.mark.parametrize("thinking", [2048, "adaptive"])
def test_thinking_is_refused_on_a_model_without_it(model, thinking, refusal):
    error = refusal(ChatRequest(model, thinking=thinking).user("Hi"))
    assert error.field == "thinking"
    assert "reasoning_effort" in str(error)


@pytest.mark.parametrize("model", [CLAUDE_3_7, CLAUDE_4_5])
def test_adaptive_thinking_is_refused_on_a_model_that_takes_only_a_budget(model, refusal):
    error = refusal(ChatRequest(model, thinking="adaptive").user("Hi"))
    assert error.field == "thinking"
    assert "thinking=2048" in str(error)


@pytest.mark.parametrize("model", [CLAUDE_3_7, CLAUDE_4_5])
def test_thinking_is_refused_in_the_openai_dialect_on_a_model_that_thinks_in_the_other(
    model, refusal
):
    error = refusal(ChatRequest(model, thinking=2048, dialect="openai").user("Hi"))
    assert error.field == "thinking"
    assert "dialect" in str(error)


def test_a_model_that_the_table_does_not_know_may_think_in_the_anthropic_dialect():
    body = ChatRequest("my-alias", thinking=2048, dialect="anthropic").user("Hi").payload()
    assert body["thinking"]["budget_tokens"] == 2048


def test_claude_3_5_may_not_think_in_the_anthropic_dialect_either(refusal):
    error = refusal(ChatRequest(CLAUDE_3_5, thinking=2048, dialect="anthropic").user("Hi"))
    assert error.field == "thinking"


def test_thinking_true_is_refused_because_it_names_no_budget(refusal):
    error = refusal(ChatRequest(thinking=True).user("Hi"))
    assert error.field == "thinking"
    assert "thinking=2048" in str(error)


@pytest.mark.parametrize("thinking", ["low", "", 2048.0, [2048], {"type": "enabled"}, object()])
def test_thinking_of_any_other_value_is_refused(thinking, refusal):
    assert refusal(ChatRequest(thinking=thinking).user("Hi")).field == "thinking"


@pytest.mark.parametrize("budget", [1023, 0, -1, "2048", None, 2048.5, True, float("nan")])
def test_a_budget_is_an_int_of_at_least_1024(budget, refusal):
    error = refusal(ChatRequest(thinking=Thinking(budget)).user("Hi"))
    assert error.field == "thinking.budget_tokens"
    assert "1024" in str(error)


@pytest.mark.parametrize("max_tokens", [1, 2047, 2048])
def test_a_budget_that_is_not_below_max_tokens_is_refused(max_tokens, refusal):
    error = refusal(ChatRequest(thinking=2048, max_tokens=max_tokens).user("Hi"))
    assert error.field == "thinking.budget_tokens"
    assert "max_tokens" in str(error)


@pytest.mark.parametrize("max_tokens", [0, "9999", 9999.5])
def test_max_tokens_given_with_a_budget_are_checked(max_tokens, refusal):
    assert refusal(ChatRequest(thinking=2048, max_tokens=max_tokens).user("Hi")).field == (
        "max_tokens"
    )


@pytest.mark.parametrize("model", [CLAUDE_3_7, CLAUDE_4_5])
def test_effort_with_a_budget_is_refused_in_the_anthropic_dialect(model, refusal):
    request = ChatRequest(model, thinking=2048, reasoning_effort="low").user("Hi")
    assert refusal(request).field == "reasoning_effort"


def test_effort_with_a_budget_is_sent_in_the_openai_dialect():
    body = ChatRequest(CLAUDE_5, thinking=2048, reasoning_effort="low").user("Hi").payload()
    assert body["reasoning_effort"] == "low"
    assert body["thinking"]["type"] == "enabled"

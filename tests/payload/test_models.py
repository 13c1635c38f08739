import pytest

from aimlchat._payload.models import MODEL_TABLE, find_model_row
from aimlchat.request import ChatRequest

V3_7, OLDER, V4, NEWER, OTHERS = MODEL_TABLE

ROWS = {
    "anthropic/claude-3.7-sonnet": V3_7,
    "claude-3-7-sonnet-20250219": V3_7,
    "claude-3-7-sonnet-latest": V3_7,
    "Anthropic/Claude-3.7-Sonnet": V3_7,
    "claude-sonnet-3.7": V3_7,
    "claude-3-opus-20240229": OLDER,
    "anthropic/claude-3.5-sonnet": OLDER,
    "claude-3-5-sonnet-20241022": OLDER,
    "claude-3-5-haiku-latest": OLDER,
    "claude-2": OLDER,
    "claude-2.1": OLDER,
    "claude-v1": OLDER,
    "claude-instant-1.2": OLDER,
    "claude-haiku-3": OLDER,
    "claude-sonnet-4.5": V4,
    "claude-sonnet-4-5": V4,
    "claude-sonnet-4-5-20250929": V4,
    "claude-opus-4-20250514": V4,
    "claude-opus-4-1-20250805": V4,
    "anthropic/claude-opus-4.1": V4,
    "anthropic/claude-opus-4": V4,
    "anthropic/claude-4.7-opus": V4,
    "claude-4-sonnet": V4,
    "claude-4-sonnet-20250514": V4,
    "claude-4-5-haiku": V4,
    "claude-haiku-4-5": V4,
    "claude-opus-4-7": V4,
    "CLAUDE-OPUS-4-6": V4,
    "claude-opus-4.8": NEWER,
    "claude-opus-4-8": NEWER,
    "claude-opus-4-8-20260101": NEWER,
    "claude-opus-4.10": NEWER,
    "claude-4.8-opus": NEWER,
    "claude-sonnet-5": NEWER,
    "anthropic/claude-sonnet-5": NEWER,
    "claude-sonnet-latest": NEWER,
    "claude-opus-latest": NEWER,
    "claude-opus-20260301": NEWER,
    "gpt-4o": OTHERS,
    "openai/gpt-4.1": OTHERS,
    "o3": OTHERS,
    "deepseek/deepseek-r1": OTHERS,
    "google/gemini-3-flash-preview": OTHERS,
    "x": OTHERS,
}


@pytest.mark.parametrize(("model", "row"), ROWS.items(), ids=ROWS)
def test_a_name_finds_its_row(model, row):
    assert find_model_row(model) is row


def _dialect_of(body):
    return "anthropic" if isinstance(body.get("system"), str) else "openai"


@pytest.mark.parametrize(("model", "row"), ROWS.items(), ids=ROWS)
def test_a_plain_request_is_made_in_the_dialect_of_its_row(model, row):
    body = ChatRequest(model, system="S").user("Hi").payload()
    assert _dialect_of(body) == row.dialect
    assert "thinking" not in body


@pytest.mark.parametrize(
    ("model", "dialect", "modes"),
    [
        ("claude-3.7-sonnet", "anthropic", {"enabled"}),
        ("claude-3.5-sonnet", None, set()),
        ("claude-sonnet-4-5", "anthropic", {"enabled"}),
        ("claude-sonnet-5", "openai", {"enabled", "disabled", "adaptive"}),
        ("gpt-4o", None, set()),
    ],
)
def test_the_table_says_how_a_model_thinks(model, dialect, modes):
    row = find_model_row(model)
    assert row.thinking_dialect == dialect
    assert set(row.thinking_modes) == modes


@pytest.mark.parametrize("model", ["gpt-4o", "claude-3.7-sonnet", "claude-sonnet-4-5"])
@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_given_dialect_wins_over_the_table(model, dialect):
    body = ChatRequest(model, system="S", dialect=dialect).user("Hi").payload()
    assert _dialect_of(body) == dialect

"""Tools and tool choices, in any form for either dialect."""

import pytest

from aimlchat.request import ChatRequest
from aimlchat.tool_types import Tool

OPENAI, ANTHROPIC = "gpt-4o", "claude-sonnet-4-5"
BOTH = pytest.mark.parametrize("model", [OPENAI, ANTHROPIC])
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
NOTHING = {"type": "object", "properties": {}}

WEATHER = Tool("weather", description="Returns the weather.", parameters=SCHEMA)
IN_OPENAI = {
    "type": "function",
    "function": {"name": "weather", "description": "Returns the weather.", "parameters": SCHEMA},
}
IN_ANTHROPIC = {"name": "weather", "description": "Returns the weather.", "input_schema": SCHEMA}
HOSTED = {"type": "web_search_20250305", "name": "web_search", "max_uses": 5}
CACHED = {"cache_control": {"type": "ephemeral"}}


def _build_payload(model, *tools, **options):
    return ChatRequest(model, tools=tools, **options).user("Hi").payload()


@pytest.mark.parametrize("tool", [WEATHER, IN_OPENAI, IN_ANTHROPIC])
@pytest.mark.parametrize(("model", "sent"), [(OPENAI, IN_OPENAI), (ANTHROPIC, IN_ANTHROPIC)])
def test_a_tool_in_any_form_is_sent_in_the_form_of_the_dialect(model, tool, sent):
    assert _build_payload(model, tool)["tools"] == [sent]


def test_a_tool_without_its_type_is_sent_with_it():
    tool = {"function": IN_OPENAI["function"]}
    assert _build_payload(OPENAI, tool)["tools"] == [IN_OPENAI]


@pytest.mark.parametrize("tool", [IN_OPENAI | CACHED, IN_ANTHROPIC | CACHED])
@BOTH
def test_other_keys_of_a_tool_dict_are_kept(model, tool):
    assert _build_payload(model, tool)["tools"][0]["cache_control"] == {"type": "ephemeral"}


@BOTH
def test_a_tool_that_the_server_runs_passes_unchanged(model):
    assert _build_payload(model, HOSTED, tool_choice="required")["tools"] == [HOSTED]


@pytest.mark.parametrize("parameters", [None, {}])
def test_a_tool_without_parameters_takes_an_empty_object(parameters):
    tool = Tool("now", parameters=parameters)
    assert _build_payload(OPENAI, tool)["tools"] == [
        {"type": "function", "function": {"name": "now", "parameters": NOTHING}}
    ]
    assert _build_payload(ANTHROPIC, tool)["tools"] == [{"name": "now", "input_schema": NOTHING}]


@pytest.mark.parametrize(
    ("model", "schema_key"), [(OPENAI, "parameters"), (ANTHROPIC, "input_schema")]
)
def test_a_schema_without_a_type_is_sent_as_one_of_an_object(model, schema_key):
    (tool,) = _build_payload(model, Tool("f", parameters={"properties": {}}))["tools"]
    assert (tool.get("function") or tool)[schema_key] == {"type": "object", "properties": {}}


@BOTH
def test_a_schema_of_another_type_is_refused(model, refusal):
    error = refusal(ChatRequest(model, tools=[Tool("f", parameters={"type": "string"})]).user("x"))
    assert error.field == "tools[0].parameters.type"
    assert "wrap" in str(error)


@pytest.mark.parametrize("strict", [True, False])
def test_strict_is_sent_in_the_openai_dialect(strict):
    (tool,) = _build_payload(OPENAI, Tool("f", strict=strict))["tools"]
    assert tool["function"]["strict"] is strict


@pytest.mark.parametrize(
    ("tool", "field"),
    [
        (Tool("f", strict=True), "tools[0].strict"),
        (
            {"type": "function", "function": {"name": "f", "strict": True}},
            "tools[0].function.strict",
        ),
    ],
)
def test_strict_is_refused_in_the_anthropic_dialect(tool, field, refusal):
    assert refusal(ChatRequest(ANTHROPIC, tools=[tool]).user("Hi")).field == field


@pytest.mark.parametrize("name", ["", "a b", "é", "x" * 65, "a.b", "f\n", 5, None, ["f"]])
@BOTH
def test_a_name_that_the_api_does_not_take_is_refused(model, name, refusal):
    error = refusal(ChatRequest(model, tools=[Tool("ok"), Tool(name)]).user("Hi"))
    assert error.field == "tools[1].name"
    assert "64" in str(error)


@pytest.mark.parametrize("name", ["f", "x" * 64, "A-b_9"])
@BOTH
def test_a_name_within_the_limits_is_sent(model, name):
    assert _build_payload(model, Tool(name))["tools"]


@pytest.mark.parametrize(
    ("tool", "field"),
    [
        (Tool("f", description=5), "tools[0].description"),
        (Tool("f", parameters=[1]), "tools[0].parameters"),
        (Tool("f", parameters={"default": float("nan")}), "tools[0].parameters.default"),
        (Tool("f", strict="yes"), "tools[0].strict"),
        ({"type": "function"}, "tools[0]"),
        ({"type": "function", "function": {}}, "tools[0].function.name"),
        ({"type": "function", "function": "f"}, "tools[0]"),
        ({"name": "a b", "input_schema": SCHEMA}, "tools[0].name"),
        ({"name": "f", "input_schema": "x"}, "tools[0].input_schema"),
        ({"type": 5}, "tools[0]"),
        ({}, "tools[0]"),
        ("f", "tools[0]"),
        (None, "tools[0]"),
    ],
)
@BOTH
def test_a_malformed_tool_is_refused_by_its_path(model, tool, field, refusal):
    assert refusal(ChatRequest(model, tools=[tool]).user("Hi")).field == field


@BOTH
def test_two_tools_with_the_same_name_are_refused(model, refusal):
    error = refusal(ChatRequest(model, tools=[Tool("f"), Tool("g"), Tool("f")]).user("Hi"))
    assert error.field == "tools[2]"


@BOTH
def test_at_most_128_tools_are_taken(model, refusal):
    tools = [Tool(f"f{index}") for index in range(129)]
    assert len(_build_payload(model, *tools[:128])["tools"]) == 128
    error = refusal(ChatRequest(model, tools=tools).user("Hi"))
    assert error.field == "tools"
    assert "128" in str(error)


NAMED = {"type": "function", "function": {"name": "weather"}}


@pytest.mark.parametrize(
    ("choice", "openai", "anthropic"),
    [
        ("none", "none", {"type": "none"}),
        ("auto", "auto", {"type": "auto"}),
        ("required", "required", {"type": "any"}),
        ("any", "required", {"type": "any"}),
        ("weather", NAMED, {"type": "tool", "name": "weather"}),
        (WEATHER, NAMED, {"type": "tool", "name": "weather"}),
        (NAMED, NAMED, {"type": "tool", "name": "weather"}),
        ({"type": "tool", "name": "weather"}, NAMED, {"type": "tool", "name": "weather"}),
        ({"type": "any"}, "required", {"type": "any"}),
        ({"type": "auto"}, "auto", {"type": "auto"}),
        ({"type": "none"}, "none", {"type": "none"}),
    ],
)
def test_a_tool_choice_in_any_form_is_sent_in_the_form_of_the_dialect(choice, openai, anthropic):
    assert _build_payload(OPENAI, WEATHER, tool_choice=choice)["tool_choice"] == openai
    assert _build_payload(ANTHROPIC, WEATHER, tool_choice=choice)["tool_choice"] == anthropic


@BOTH
def test_a_tool_choice_of_an_unknown_type_passes_unchanged(model):
    choice = {"type": "allowed_tools", "tools": []}
    assert _build_payload(model, WEATHER, tool_choice=choice)["tool_choice"] == choice


def test_a_tool_choice_in_the_form_of_the_dialect_keeps_its_other_keys():
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    assert _build_payload(ANTHROPIC, WEATHER, tool_choice=choice)["tool_choice"] == choice


def test_a_tool_choice_that_the_openai_dialect_lacks_is_refused(refusal):
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    error = refusal(ChatRequest(OPENAI, tools=[WEATHER], tool_choice=choice).user("Hi"))
    assert error.field == "tool_choice"
    assert "parallel_tool_calls" in str(error)


@pytest.mark.parametrize("choice", ["time", Tool("time"), {"type": "tool", "name": "time"}, ""])
@BOTH
def test_the_choice_of_a_missing_tool_is_refused(model, choice, refusal):
    error = refusal(ChatRequest(model, tools=[WEATHER], tool_choice=choice).user("Hi"))
    assert error.field == "tool_choice"
    assert "weather" in str(error)


@pytest.mark.parametrize("choice", ["required", "any", "weather", WEATHER, {"type": "any"}, NAMED])
@BOTH
def test_a_required_tool_choice_without_tools_is_refused(model, choice, refusal):
    assert refusal(ChatRequest(model, tool_choice=choice).user("Hi")).field == "tool_choice"


@pytest.mark.parametrize(
    "choice", [5, True, ["auto"], {}, {"type": "function"}, {"type": "tool"}, {"type": ["auto"]}]
)
@BOTH
def test_a_malformed_tool_choice_is_refused(model, choice, refusal):
    error = refusal(ChatRequest(model, tools=[WEATHER], tool_choice=choice).user("Hi"))
    assert error.field == "tool_choice"

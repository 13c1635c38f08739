import pytest

from aimlchat.content import Tool
from aimlchat.request import ChatRequest

OPENAI, ANTHROPIC = "gpt-4o", "claude-sonnet-4-5"
BOTH = pytest.mark.parametrize("model", [OPENAI, ANTHROPIC])
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
NOTHING = {"type": "object", "properties": {}}

WEATHER = Tool("weather", description="Tells it.", parameters=SCHEMA)
IN_OPENAI = {
    "type": "function",
    "function": {"name": "weather", "description": "Tells it.", "parameters": SCHEMA},
}
IN_ANTHROPIC = {"name": "weather", "description": "Tells it.", "input_schema": SCHEMA}
HOSTED = {"type": "web_search_20250305", "name": "web_search", "max_uses": 5}
CACHED = {"cache_control": {"type": "ephemeral"}}


def _body(model, *tools, **options):
    return ChatRequest(model, tools=tools, **options).user("Hi").payload()


@pytest.mark.parametrize("tool", [WEATHER, IN_OPENAI, IN_ANTHROPIC])
@pytest.mark.parametrize(("model", "sent"), [(OPENAI, IN_OPENAI), (ANTHROPIC, IN_ANTHROPIC)])
def test_a_tool_in_any_form_is_sent_in_the_form_of_the_dialect(model, tool, sent):
    assert _body(model, tool)["tools"] == [sent]


@pytest.mark.parametrize("tool", [IN_OPENAI | CACHED, IN_ANTHROPIC | CACHED])
@BOTH
def test_keys_beside_the_tools_own_are_kept(model, tool):
    assert _body(model, tool)["tools"][0]["cache_control"] == {"type": "ephemeral"}


@BOTH
def test_a_tool_of_the_servers_own_passes(model):
    assert _body(model, HOSTED, tool_choice="required")["tools"] == [HOSTED]


@pytest.mark.parametrize("parameters", [None, {}])
def test_a_tool_without_parameters_takes_an_empty_object(parameters):
    tool = Tool("now", parameters=parameters)
    assert _body(OPENAI, tool)["tools"] == [
        {"type": "function", "function": {"name": "now", "parameters": NOTHING}}
    ]
    assert _body(ANTHROPIC, tool)["tools"] == [{"name": "now", "input_schema": NOTHING}]


@pytest.mark.parametrize(("model", "place"), [(OPENAI, "parameters"), (ANTHROPIC, "input_schema")])
def test_a_schema_without_a_type_is_an_object(model, place):
    (tool,) = _body(model, Tool("f", parameters={"properties": {}}))["tools"]
    assert (tool.get("function") or tool)[place] == {"type": "object", "properties": {}}


@BOTH
def test_a_schema_of_another_type_is_refused(model, refusal):
    error = refusal(ChatRequest(model, tools=[Tool("f", parameters={"type": "string"})]).user("x"))
    assert error.field == "tools[0].parameters.type"
    assert "wrap" in str(error)


@pytest.mark.parametrize("strict", [True, False])
def test_strict_is_sent_in_the_openai_dialect(strict):
    (tool,) = _body(OPENAI, Tool("f", strict=strict))["tools"]
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
def test_a_name_is_1_to_64_of_a_few_characters(model, name, refusal):
    error = refusal(ChatRequest(model, tools=[Tool("ok"), Tool(name)]).user("Hi"))
    assert error.field == "tools[1].name"
    assert "64" in str(error)


@pytest.mark.parametrize("name", ["f", "x" * 64, "A-b_9"])
@BOTH
def test_a_name_within_the_limits_is_fine(model, name):
    assert _body(model, Tool(name))["tools"]


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
def test_a_tool_that_is_wrong_is_refused_by_its_path(model, tool, field, refusal):
    assert refusal(ChatRequest(model, tools=[tool]).user("Hi")).field == field


@BOTH
def test_two_tools_of_one_name_are_refused(model, refusal):
    error = refusal(ChatRequest(model, tools=[Tool("f"), Tool("g"), Tool("f")]).user("Hi"))
    assert error.field == "tools[2]"


@BOTH
def test_at_most_128_tools_are_taken(model, refusal):
    tools = [Tool(f"f{place}") for place in range(129)]
    assert len(_body(model, *tools[:128])["tools"]) == 128
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
def test_a_choice_in_any_form_is_sent_in_the_form_of_the_dialect(choice, openai, anthropic):
    assert _body(OPENAI, WEATHER, tool_choice=choice)["tool_choice"] == openai
    assert _body(ANTHROPIC, WEATHER, tool_choice=choice)["tool_choice"] == anthropic


@BOTH
def test_a_choice_of_an_unknown_kind_passes(model):
    choice = {"type": "allowed_tools", "tools": []}
    assert _body(model, WEATHER, tool_choice=choice)["tool_choice"] == choice


def test_a_choice_in_the_dialects_own_form_keeps_its_other_keys():
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    assert _body(ANTHROPIC, WEATHER, tool_choice=choice)["tool_choice"] == choice


def test_a_choice_that_the_openai_dialect_cannot_say_is_refused(refusal):
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    error = refusal(ChatRequest(OPENAI, tools=[WEATHER], tool_choice=choice).user("Hi"))
    assert error.field == "tool_choice"
    assert "parallel_tool_calls" in str(error)


@pytest.mark.parametrize("choice", ["time", Tool("time"), {"type": "tool", "name": "time"}, ""])
@BOTH
def test_a_choice_of_a_tool_that_is_not_there_is_refused(model, choice, refusal):
    error = refusal(ChatRequest(model, tools=[WEATHER], tool_choice=choice).user("Hi"))
    assert error.field == "tool_choice"
    assert "weather" in str(error)


@pytest.mark.parametrize("choice", ["required", "any", "weather", WEATHER, {"type": "any"}, NAMED])
@BOTH
def test_a_call_cannot_be_demanded_without_tools(model, choice, refusal):
    assert refusal(ChatRequest(model, tool_choice=choice).user("Hi")).field == "tool_choice"


@pytest.mark.parametrize(
    "choice", [5, True, ["auto"], {}, {"type": "function"}, {"type": "tool"}, {"type": ["auto"]}]
)
@BOTH
def test_what_is_no_choice_is_refused(model, choice, refusal):
    error = refusal(ChatRequest(model, tools=[WEATHER], tool_choice=choice).user("Hi"))
    assert error.field == "tool_choice"

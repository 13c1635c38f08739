"""Functions as tools and as the tool choice of a request."""

import copy
import pickle
from typing import Annotated

import msgspec
import pytest

from aimlchat import ChatRequest, InvalidRequestError, Tool

OPENAI, ANTHROPIC, CLAUDE = "gpt-4o", "claude-sonnet-4-5", "claude-opus-4.8"


def weather(city: str, days: int = 1):
    """Tell the weather."""


def anything(value: dict):
    """Take any object."""


class Service:
    def __call__(self, city: str): ...

    def look_up(self, city: str): ...


def build(model, *tools, **options):
    return ChatRequest(model, tools=tools, **options).user("Hi").payload()


def test_a_function_is_sent_in_the_strict_form_in_the_openai_dialect():
    (tool,) = build(OPENAI, weather)["tools"]

    days = {"anyOf": [{"type": "integer"}, {"type": "null"}], "description": "Default: 1."}
    assert tool == {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "Tell the weather.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "days": days},
                "required": ["city", "days"],
                "additionalProperties": False,
            },
            "strict": True,
        },
    }


def test_gemini_gets_the_keywords_that_it_takes():
    def count(limit: Annotated[int, msgspec.Meta(gt=0)]): ...

    properties = [
        build(model, count)["tools"][0]["function"]["parameters"]["properties"]["limit"]
        for model in (OPENAI, "google/gemini-2.5-pro")
    ]
    assert properties == [
        {"type": "integer", "exclusiveMinimum": 0},
        {"type": "integer", "description": "More than 0."},
    ]


@pytest.mark.parametrize("model", ["deepseek-chat", CLAUDE])
def test_a_model_that_enforces_no_schema_gets_the_plain_one(model):
    (tool,) = build(model, weather)["tools"]

    assert tool["function"]["parameters"] == Tool.from_function(weather).parameters
    assert "strict" not in tool["function"]


@pytest.mark.parametrize("options", [{}, {"dialect": "messages"}])
def test_a_function_is_sent_with_its_plain_schema_in_the_dialects_of_claude(options):
    (tool,) = build(ANTHROPIC, weather, **options)["tools"]

    assert tool == {
        "name": "weather",
        "description": "Tell the weather.",
        "input_schema": Tool.from_function(weather).parameters,
    }


@pytest.mark.parametrize(
    "tool",
    [
        anything,  # no strict schema takes any value
        Tool.from_function(weather, strict=False),
        Tool.from_function(weather, parameters={"properties": {"city": {}}}),
        Tool("weather", parameters={"properties": {}}, function=weather),
    ],
)
def test_any_other_schema_is_sent_as_it_is(tool):
    (sent,) = build(OPENAI, tool)["tools"]

    wanted = Tool.from_function(tool) if tool is anything else tool
    assert sent["function"].get("strict") in (None, False)
    assert sent["function"]["parameters"] == {"type": "object", **wanted.parameters}


def test_payloads_share_nothing():
    build(OPENAI, weather)["tools"][0]["function"]["parameters"]["properties"].clear()

    assert build(OPENAI, weather)["tools"][0]["function"]["parameters"]["properties"]


@pytest.mark.parametrize("model", [OPENAI, ANTHROPIC])
def test_a_function_stands_beside_tools_and_dicts(model):
    hosted = {"type": "web_search_20250305", "name": "web_search"}
    tools = build(model, Tool("now"), weather, hosted, Service())["tools"]

    names = [tool.get("function", tool)["name"] for tool in tools]
    assert names == ["now", "weather", "web_search", "Service"]


@pytest.mark.parametrize("choice", [weather, "weather", Tool.from_function(weather)])
def test_a_function_is_chosen_as_its_tool_is(choice):
    named = {"type": "function", "function": {"name": "weather"}}
    assert build(OPENAI, weather, tool_choice=choice)["tool_choice"] == named
    chosen = {"type": "tool", "name": "weather"}
    assert build(ANTHROPIC, weather, tool_choice=choice)["tool_choice"] == chosen


def test_the_choice_of_a_function_that_is_no_tool_is_refused(refusal):
    error = refusal(ChatRequest(tools=[weather], tool_choice=anything).user("Hi"))

    assert error.field == "tool_choice"
    assert "no tool is named 'anything'" in str(error)


@pytest.mark.parametrize(
    ("tool", "field"),
    [
        (lambda: 1, "tools[1].name"),
        (int, "tools[1]"),
        (eval("lambda value: 1", {}), "tools[1].name"),  # noqa: S307
    ],
)
def test_a_function_that_cannot_be_a_tool_is_refused_by_its_place(tool, field):
    with pytest.raises(InvalidRequestError) as caught:
        ChatRequest(tools=[weather, tool])

    assert caught.value.field == field


def test_a_parameter_that_cannot_be_described_is_refused_by_its_path():
    def find(value): ...

    with pytest.raises(InvalidRequestError, match=r"^tools\[0\]\.parameters\.value: find\(\) "):
        ChatRequest().options(tools=[find])


def test_requests_with_functions_compare_pickle_and_are_copied():
    request = ChatRequest(tools=[weather], tool_choice=weather).user("Hi")

    assert request == ChatRequest(tools=[weather], tool_choice=weather).user("Hi")
    assert request != ChatRequest(tools=[anything], tool_choice=weather).user("Hi")
    assert pickle.loads(pickle.dumps(request)) == request
    assert copy.deepcopy(request) == request
    method = ChatRequest(tools=[Service().look_up])
    assert copy.deepcopy(method) == method


def test_equal_requests_have_equal_payloads_after_a_pickle():
    request = ChatRequest(OPENAI, tools=[weather]).user("Hi")

    assert pickle.loads(pickle.dumps(request)).payload() == request.payload()

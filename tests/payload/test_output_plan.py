"""How an answer of a type is asked for."""

import json
import os
from pathlib import Path

import attrs
import jsonschema
import pytest
from schema_subset import check_strict_schema

from aimlchat import ChatRequest, InvalidRequestError, Tool
from aimlchat._payload.build import build_payload
from aimlchat._payload.output_plan import plan_output
from aimlchat._schema.errors import DecodeError
from aimlchat._schema.output_types import read_output_type


@attrs.define
class Invoice:
    total: int
    paid: bool = False


@attrs.define
class Nested:
    value: "list[Nested]"
    name: str | None = None


INVOICE = read_output_type(Invoice)
WEATHER = Tool("weather", parameters={"properties": {"city": {"type": "string"}}})
GPT, GEMINI, GROK = "openai/gpt-4o", "google/gemini-2.5-pro", "x-ai/grok-4-fast-reasoning"
CLAUDE_3_7, CLAUDE_4_5, CLAUDE_5 = "claude-3.7-sonnet", "claude-sonnet-4-5", "claude-sonnet-5"
DEEPSEEK = "deepseek/deepseek-chat"


def plan(model, output_type=INVOICE, **options):
    request = ChatRequest(model, **options).user("Read it")
    fields, made = plan_output(vars(request), output_type)
    return build_payload(fields, stream=False), made


def choice_of(payload):
    """Return the tool choice in one form for all dialects."""
    choice = payload.get("tool_choice")
    match choice:
        case {"type": "tool", "name": name} | {"type": "function", "function": {"name": name}}:
            return f"tool {name}"
        case {"type": "any"}:
            return "required"
        case {"type": kind}:
            return kind
    return choice


def tool_names(payload):
    return [tool.get("function", tool)["name"] for tool in payload.get("tools", ())]


def system_of(payload):
    messages = [item["content"] for item in payload["messages"] if item["role"] == "system"]
    return payload.get("system", "".join(messages))


@pytest.mark.parametrize("model", [GPT, GEMINI, "x-ai/grok-3-beta", "moonshot/kimi-k2-6", "o3"])
def test_a_response_format_asks_where_the_model_takes_one(model):
    payload, made = plan(model)

    assert made.way == "response_format"
    assert made.tool_name is None
    json_schema = payload["response_format"]["json_schema"]
    assert json_schema["name"] == "Invoice"
    assert json_schema["strict"] is True
    check_strict_schema(json_schema["schema"])
    assert "tools" not in payload


@pytest.mark.parametrize(
    ("model", "options"),
    [
        (CLAUDE_3_7, {}),
        (CLAUDE_4_5, {}),
        (CLAUDE_5, {}),
        (CLAUDE_5, {"thinking": False}),
        (CLAUDE_4_5, {"dialect": "messages"}),
        (GROK, {}),
        ("our-alias", {"dialect": "anthropic"}),
    ],
    ids=str,
)
def test_a_tool_is_forced_where_there_is_no_response_format(model, options):
    payload, made = plan(model, **options)

    assert made.way == "tool"
    assert tool_names(payload) == [made.tool_name] == ["answer_Invoice"]
    assert choice_of(payload) == "tool answer_Invoice"
    assert system_of(payload) == ""


@pytest.mark.parametrize(
    ("model", "options"),
    [
        (CLAUDE_3_7, {"thinking": 2048}),
        (CLAUDE_4_5, {"thinking": 2048}),
        (CLAUDE_4_5, {"thinking": 2048, "dialect": "anthropic"}),
        (CLAUDE_5, {"thinking": "adaptive"}),
        (CLAUDE_5, {"extra": {"thinking": {"type": "enabled", "budget_tokens": 2000}}}),
        (CLAUDE_5, {"reasoning_effort": "high"}),
        (CLAUDE_5, {"extra": {"reasoning": {"effort": "high"}}}),
    ],
    ids=str,
)
def test_a_model_that_thinks_is_offered_the_tool_and_asked_in_words(model, options):
    payload, made = plan(model, **options)

    assert made.way == "offered_tool"
    assert tool_names(payload) == [made.tool_name]
    assert choice_of(payload) == "auto"
    assert repr(made.tool_name) in system_of(payload)


def test_words_alone_ask_where_the_model_has_neither():
    payload, made = plan(DEEPSEEK, system="Be brief.")

    assert made.way == "words"
    assert made.tool_name is None
    assert payload.keys() == {"model", "messages"}
    prompt, _, rest = system_of(payload).partition("\n\n")
    assert prompt == "Be brief."
    assert json.loads(rest.partition("\n")[2]) == made.schema.schema == INVOICE.schema


@pytest.mark.parametrize(
    ("model", "options", "choice", "way"),
    [
        (GPT, {}, None, "response_format"),
        (GPT, {"tool_choice": "weather"}, "tool weather", "response_format"),
        (GEMINI, {}, "required", "tool"),
        (CLAUDE_5, {}, "required", "tool"),
        (CLAUDE_4_5, {}, "required", "tool"),
        (CLAUDE_4_5, {"tool_choice": "auto"}, "required", "tool"),
        (CLAUDE_4_5, {"tool_choice": "required"}, "required", "tool"),
        (CLAUDE_4_5, {"tool_choice": {"type": "any"}}, "required", "tool"),
        (CLAUDE_4_5, {"tool_choice": "weather"}, "tool weather", "tool"),
        (CLAUDE_4_5, {"tool_choice": "none"}, "tool answer_Invoice", "tool"),
        (CLAUDE_4_5, {"thinking": 2048}, "auto", "offered_tool"),
        (CLAUDE_4_5, {"thinking": 2048, "tool_choice": "none"}, "none", "words"),
        (DEEPSEEK, {"tool_choice": "none"}, "none", "words"),
        (DEEPSEEK, {}, None, "words"),
    ],
    ids=str,
)
def test_the_model_can_still_call_the_tools_of_the_request(model, options, choice, way):
    payload, made = plan(model, tools=[WEATHER], **options)

    assert made.way == way
    assert choice_of(payload) == choice
    names = ["weather"] if made.tool_name is None else ["weather", made.tool_name]
    assert tool_names(payload) == names


@pytest.mark.parametrize(
    "tool",
    [
        Tool("answer_Invoice"),
        {"type": "function", "function": {"name": "answer_Invoice", "parameters": {}}},
        {"name": "answer_Invoice", "input_schema": {"type": "object"}},
    ],
    ids=["Tool", "openai", "anthropic"],
)
def test_the_tool_has_a_name_of_its_own(tool):
    payload, made = plan(CLAUDE_5, tools=[tool])

    assert tool_names(payload) == ["answer_Invoice", made.tool_name]
    assert made.tool_name == "answer_Invoice_2"


def test_words_keep_the_breakpoint_of_the_system_prompt():
    request = ChatRequest(CLAUDE_4_5, thinking=2048, dialect="messages", system="Be brief.")
    fields, _ = plan_output(vars(request.cache().user("Read it")), INVOICE)

    (block,) = build_payload(fields, stream=False)["system"]
    assert block["cache_control"] == {"type": "ephemeral", "ttl": "5m"}
    assert block["text"].startswith("Be brief.\n\nGive your final answer")


@pytest.mark.parametrize("kind", [list[Invoice], int | str, dict[str, int]])
@pytest.mark.parametrize("model", [GPT, GEMINI, CLAUDE_3_7, CLAUDE_4_5, GROK])
def test_the_schema_is_that_of_an_object(model, kind):
    payload, made = plan(model, read_output_type(kind))
    if made.way == "response_format":
        schema = payload["response_format"]["json_schema"]["schema"]
    else:
        tool = payload["tools"][0]
        schema = tool.get("function", tool).get("parameters", tool.get("input_schema"))

    assert schema["type"] == "object"
    assert schema == made.schema.schema


@pytest.mark.parametrize("model", [GPT, GEMINI, CLAUDE_4_5, DEEPSEEK])
def test_a_value_as_the_model_wrote_it_is_decoded(model):
    _, made = plan(model)
    by_name = plan(model, read_output_type(dict[str, Invoice]))[1]
    is_strict = by_name.schema.is_strict

    assert made.decode({"total": 3, "paid": None}) == Invoice(3)
    assert by_name.decode(
        {"value": [{"key": "a", "value": {"total": 3}}]} if is_strict else {"a": {"total": 3}}
    ) == {"a": Invoice(3)}
    with pytest.raises(DecodeError) as caught:
        by_name.decode([{"key": "a", "value": {}}] if is_strict else {"a": {}})
    assert caught.value.path == "a.total"


def test_a_value_that_is_nested_too_deeply_is_refused():
    value = {"value": []}
    for _ in range(5000):
        value = {"value": [value]}

    with pytest.raises(DecodeError, match="deeply"):
        plan(GPT, read_output_type(Nested))[1].decode(value)


def test_a_schema_that_cannot_be_strict_is_sent_as_it_is():
    payload, made = plan(GPT, read_output_type(dict))

    assert payload["response_format"]["json_schema"]["strict"] is False
    assert made.schema.schema == read_output_type(dict).schema


@pytest.mark.parametrize("model", [GPT, CLAUDE_5, DEEPSEEK])
@pytest.mark.parametrize("given", [{"type": "json_object"}, {"type": "json_schema"}, 3])
def test_a_response_format_of_the_request_is_refused(model, given):
    with pytest.raises(InvalidRequestError, match="output_type") as caught:
        plan(model, response_format=given)
    assert caught.value.field == "response_format"


@pytest.mark.parametrize("model", [GPT, CLAUDE_5])
def test_plain_text_as_response_format_asks_for_nothing(model):
    assert plan(model, response_format={"type": "text"})[0] == plan(model)[0]


@pytest.mark.parametrize(
    ("model", "name"),
    [(GPT, "response_format"), (CLAUDE_5, "tools"), (CLAUDE_5, "tool_choice")],
)
def test_extra_may_not_replace_what_asks_for_the_type(model, name):
    with pytest.raises(InvalidRequestError, match=name) as caught:
        plan(model, extra={name: None})
    assert caught.value.field == "extra"


def test_the_fields_of_the_request_are_not_changed():
    request = ChatRequest(CLAUDE_4_5, tools=[WEATHER], thinking=2048, system="S").user("Hi")
    before = request.payload()

    plan_output(vars(request), INVOICE)

    assert request.payload() == before


@pytest.mark.parametrize("options", [{}, {"n": 2}, {"temperature": 0.5, "max_tokens": 9}])
def test_other_fields_are_sent_as_ever(options):
    payload, _ = plan(GPT, **options)
    del payload["response_format"]

    assert payload == ChatRequest(GPT, **options).user("Read it").payload()


FOLDER = os.environ.get("AIMLCHAT_WIRE_SAMPLES")
PUBLISHED = {
    "claude-3.7-sonnet.openai-dialect": ("anthropic/claude-3.7-sonnet", {"dialect": "openai"}),
    "claude-3.7-sonnet.anthropic-dialect": ("claude-3-7-sonnet-20250219", {"thinking": 2048}),
    "claude-sonnet-4-5.anthropic-dialect": ("claude-sonnet-4-5", {}),
}


@pytest.mark.skipif(not FOLDER, reason="AIMLCHAT_WIRE_SAMPLES names no folder")
@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("options", [{}, {"tools": [WEATHER]}, {"system": "S"}], ids=str)
@pytest.mark.parametrize("kind", [Invoice, list[Invoice], dict])
def test_what_is_sent_is_valid_by_the_published_schemas(name, options, kind):
    schema = json.loads(Path(FOLDER, "schemas", f"{name}.request.json").read_text("utf-8"))
    properties = schema["properties"]
    if "items" not in properties["tools"] or "anyOf" in properties["tools"]["items"]:
        # The published schema has the two swapped.
        tool, choices = properties["tool_choice"], properties["tools"]["items"]
        properties["tools"], properties["tool_choice"] = {"type": "array", "items": tool}, choices
    model, own = PUBLISHED[name]
    payload, _ = plan(properties["model"]["enum"][0], read_output_type(kind), **options, **own)

    assert model
    jsonschema.validate(payload, schema, cls=jsonschema.Draft202012Validator)
    assert payload.keys() <= properties.keys()


@pytest.mark.skipif(not FOLDER, reason="AIMLCHAT_WIRE_SAMPLES names no folder")
def test_the_published_response_format_takes_the_strict_schema():
    name = "claude-3.7-sonnet.openai-dialect.request.json"
    published = json.loads(Path(FOLDER, "schemas", name).read_text("utf-8"))
    payload, _ = plan(GPT)

    jsonschema.validate(
        payload["response_format"],
        published["properties"]["response_format"],
        cls=jsonschema.Draft202012Validator,
    )

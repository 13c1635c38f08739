"""Payloads against the request schemas that the vendor publishes.

Those schemas have faults. `FAULTS` names each one that our payloads meet, with its correction; a
correction that no payload needs any more fails a test.
"""

import copy
import json
import os
from datetime import date
from pathlib import Path

import jsonschema
import pytest
from function_types import make_function, typed_values
from hypothesis import given

from aimlchat.completions import Choice, Completion
from aimlchat.content import Audio, Document, Image
from aimlchat.request import ChatRequest
from aimlchat.tool_types import Tool, ToolCall

FOLDER = os.environ.get("AIMLCHAT_WIRE_SAMPLES")
pytestmark = pytest.mark.skipif(not FOLDER, reason="AIMLCHAT_WIRE_SAMPLES names no folder")

OPENAI_3_7 = "claude-3.7-sonnet.openai-dialect"
ANTHROPIC_3_7 = "claude-3.7-sonnet.anthropic-dialect"
ANTHROPIC_4_5 = "claude-sonnet-4-5.anthropic-dialect"

PNG = Image.from_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 16)
PDF = Document.from_bytes(b"%PDF-1.7 x")
NOTES = Document.from_bytes(b"Some notes")


def book(day: date, places: list[str], prices: dict[str, float], nights: int | None = None):
    """Book a room.

    Args:
        day: the first day.
    """


TOOLS = [
    Tool("weather", description="Tells it.", parameters={"properties": {"city": {}}}),
    Tool("now"),
]
CALLS = (ToolCall("c1", "weather", '{"city": "Bonn"}'), ToolCall("c2", "now"))
CONVERSATION = (
    ChatRequest(tools=TOOLS)
    .user("Hi")
    .assistant(Completion(choices=(Choice(text="Well", tool_calls=CALLS),)))
)
WIRE_FORM = [
    {"role": "system", "content": "S"},
    {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
    {
        "role": "assistant",
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        ],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "x"},
]

BOTH_DIALECTS = {
    "one message": ChatRequest().user("Hi"),
    "a system prompt": ChatRequest(system="S").user("Hi"),
    "several texts": ChatRequest().user("a", "b"),
    "an image": ChatRequest().user("Look", PNG),
    "a pdf": ChatRequest().user("Read", PDF),
    "six parts": ChatRequest().user(*"abcdef"),
    "a conversation": ChatRequest().user("Hi").assistant("Well").user("And?"),
    "a refusal": ChatRequest().user("Hi").assistant(Completion(choices=(Choice(refusal="No"),))),
    "tools": ChatRequest(tools=TOOLS).user("Hi"),
    "functions as tools": ChatRequest(tools=[book], tool_choice=book).user("Hi"),
    "the choice of none": ChatRequest(tools=TOOLS, tool_choice="none").user("Hi"),
    "the choice of auto": ChatRequest(tools=TOOLS, tool_choice="auto").user("Hi"),
    "the choice of any": ChatRequest(tools=TOOLS, tool_choice="required").user("Hi"),
    "the choice of one": ChatRequest(tools=TOOLS, tool_choice="now").user("Hi"),
    "calls and results": CONVERSATION.tool_result("c1", {"sun": True}).tool_result("c2", "noon"),
    "an image from a tool": CONVERSATION.tool_result("c1", ["Look", PNG]).tool_result("c2", PNG),
    "results and more": CONVERSATION.tool_result("c1", "x").tool_result("c2", "y").user("And?"),
    "calls alone": ChatRequest()
    .user("Hi")
    .assistant(Completion(choices=(Choice(tool_calls=CALLS),))),
    "message dicts": ChatRequest(messages=WIRE_FORM).user("Hi"),
    "sampling": ChatRequest(temperature=0.5, top_p=0.9, max_tokens=99).user("Hi"),
    "a low top_p": ChatRequest(top_p=0.05).user("Hi"),
    "a stop text": ChatRequest(stop="END").user("Hi"),
    "stop texts": ChatRequest(stop=["END", "STOP"]).user("Hi"),
}
ONLY_OPENAI = {
    "an image by url": ChatRequest().user(Image.from_url("https://example.com/a.png")),
    "audio": ChatRequest().user("Hear", Audio.from_bytes(b"RIFF\0\0\0\0WAVEfmt ")),
    "a strict tool": ChatRequest(tools=[Tool("f", strict=True)]).user("Hi"),
    "penalties": ChatRequest(frequency_penalty=-2, presence_penalty=2, temperature=2).user("Hi"),
    "choices": ChatRequest(n=2, seed=5, logit_bias={1: -100}).user("Hi"),
    "a seed of zero": ChatRequest(seed=0).user("Hi"),
    "log probabilities": ChatRequest(logprobs=True, top_logprobs=20).user("Hi"),
    "one call at a time": ChatRequest(tools=TOOLS, parallel_tool_calls=False).user("Hi"),
    "text": ChatRequest(response_format={"type": "text"}).user("Hi"),
    "json": ChatRequest(response_format={"type": "json_object"}).user("Hi"),
    "a schema": ChatRequest(
        response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": {}}}
    ).user("Hi"),
    "effort": ChatRequest(reasoning_effort="high").user("Hi"),
    "a prediction": ChatRequest(prediction={"type": "content", "content": "x"}).user("Hi"),
    "speech": ChatRequest(
        modalities=["text", "audio"], audio={"format": "wav", "voice": "alloy"}
    ).user("Hi"),
    "a web search": ChatRequest(web_search_options={"search_context_size": "low"}).user("Hi"),
    "no thinking": ChatRequest(thinking=False).user("Hi"),
}
ONLY_ANTHROPIC = {
    "thinking": ChatRequest(thinking=2048).user("Hi"),
    "a document of text": ChatRequest().user(NOTES),
    "a failed tool": CONVERSATION.tool_result("c1", "boom", is_error=True).tool_result(
        "c2", "noon"
    ),
    "top_k": ChatRequest(top_k=40).user("Hi"),
    "metadata": ChatRequest(metadata={"user_id": "1"}).user("Hi"),
    "many stop texts": ChatRequest(stop=list("abcdef")).user("Hi"),
}
CASES = [
    (schema, case)
    for schema, cases in (
        (OPENAI_3_7, BOTH_DIALECTS | ONLY_OPENAI),
        (ANTHROPIC_3_7, BOTH_DIALECTS | ONLY_ANTHROPIC),
        (ANTHROPIC_4_5, BOTH_DIALECTS | ONLY_ANTHROPIC),
    )
    for case in cases
]


def _swap_tools_and_choice(schema):
    properties = schema["properties"]
    tool, choices = properties["tool_choice"], properties["tools"]["items"]
    properties["tools"] = {"type": "array", "items": tool}
    properties["tool_choice"] = choices


def _find_part_list(schema):
    content = schema["properties"]["messages"]["items"]["properties"]["content"]
    return next(form for form in content["anyOf"] if form.get("type") == "array")


def _allow_documents(schema):
    source = {
        "type": "object",
        "properties": {"type": {"enum": ["base64", "text"]}, "data": {"type": "string"}},
        "required": ["type", "media_type", "data"],
    }
    document = {
        "type": "object",
        "properties": {"type": {"enum": ["document"]}, "source": source},
        "required": ["type", "source"],
        "additionalProperties": False,
    }
    _find_part_list(schema)["items"]["oneOf"].append(document)


def _allow_any_number_of_parts(schema):
    del _find_part_list(schema)["maxItems"]


def _allow_a_low_top_p(schema):
    schema["properties"]["top_p"]["minimum"] = 0


def _allow_any_seed(schema):
    del schema["properties"]["seed"]["minimum"]


FAULTS = {
    "tools and tool_choice are swapped": (ANTHROPIC_4_5, _swap_tools_and_choice),
    "at most 5 parts a message": (ANTHROPIC_4_5, _allow_any_number_of_parts),
    "there is no document": (ANTHROPIC_3_7, _allow_documents),
    "top_p is at least 0.1": (OPENAI_3_7, _allow_a_low_top_p),
    "seed is at least 1": (OPENAI_3_7, _allow_any_seed),
}


def _read_schema(name):
    path = Path(FOLDER, "schemas", f"{name}.request.json")
    return json.loads(path.read_text(encoding="utf-8"))


def _correct_schema(name, *, except_for=None):
    schema = _read_schema(name)
    for fault, (faulty, correct) in FAULTS.items():
        if faulty == name and fault != except_for:
            correct(schema)
    return schema


def _build_payloads(name, case):
    request = (BOTH_DIALECTS | ONLY_OPENAI | ONLY_ANTHROPIC)[case]
    model = _read_schema(name)["properties"]["model"]["enum"][0]
    dialect = None if name == ANTHROPIC_4_5 else name.rpartition(".")[2].partition("-")[0]
    request = request.options(model=model, dialect=dialect)
    return [request.payload(), request.payload(stream=True)]


@pytest.mark.parametrize(("name", "case"), CASES)
def test_a_payload_is_valid_by_the_corrected_schema(name, case):
    schema = _correct_schema(name)
    known = schema["properties"]
    for payload in _build_payloads(name, case):
        jsonschema.validate(payload, schema, cls=jsonschema.Draft202012Validator)
        assert payload.keys() <= known.keys()


@given(pair=typed_values())
@pytest.mark.parametrize("name", [OPENAI_3_7, ANTHROPIC_3_7, ANTHROPIC_4_5])
def test_a_function_with_parameters_of_any_type_is_valid_by_the_corrected_schema(name, pair):
    model = _read_schema(name)["properties"]["model"]["enum"][0]
    dialect = "openai" if name == OPENAI_3_7 else "anthropic"
    request = ChatRequest(model, tools=[make_function(pair[0])], dialect=dialect).user("Hi")
    jsonschema.validate(
        request.payload(), _correct_schema(name), cls=jsonschema.Draft202012Validator
    )


def test_a_strict_function_is_valid_by_the_corrected_schema():
    strict = ChatRequest("gpt-4o", tools=[book]).user("Hi").payload()["tools"]
    assert strict[0]["function"]["strict"] is True
    payload = ChatRequest().user("Hi").payload() | {"tools": strict}
    jsonschema.validate(payload, _correct_schema(OPENAI_3_7), cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_of_a_schema_still_refuses_one_of_our_payloads(fault):
    name, _ = FAULTS[fault]
    validator = jsonschema.Draft202012Validator(_correct_schema(name, except_for=fault))
    payloads = [
        payload
        for schema, case in CASES
        if schema == name
        for payload in _build_payloads(name, case)
    ]
    assert not all(validator.is_valid(payload) for payload in payloads)


def test_a_corrected_schema_still_refuses_a_wrong_payload():
    payload = ChatRequest().user("Hi").payload()
    for change in ({"temperature": 3}, {"messages": [{"role": "robot"}]}, {"model": "x"}):
        wrong = copy.deepcopy(payload) | change
        for name in (OPENAI_3_7, ANTHROPIC_3_7, ANTHROPIC_4_5):
            assert not jsonschema.Draft202012Validator(_correct_schema(name)).is_valid(wrong)

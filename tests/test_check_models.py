"""The script that checks the table of models against a folder of the vendor's schemas."""

import importlib.util
import json
import os
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "docs" / "check_models.py"
SAMPLES = os.environ.get("AIMLCHAT_WIRE_SAMPLES")

spec = importlib.util.spec_from_file_location("check_models", SCRIPT)
check_models = importlib.util.module_from_spec(spec)
spec.loader.exec_module(check_models)

ANY = {"type": "number"}
IMAGE = {"items": {"properties": {"type": {"const": "image_url"}}}}
OPENAI = {
    "messages": {
        "items": {
            "oneOf": [
                {"properties": {"role": {"enum": ["system"]}, "content": {}}},
                {"properties": {"role": {"const": "user"}, "content": IMAGE}},
            ]
        }
    },
    "temperature": ANY,
    "top_p": ANY,
    "response_format": ANY,
    "stream_options": ANY,
    "tools": ANY,
}
ANTHROPIC = {
    "messages": {"items": {"properties": {"role": {"enum": ["user", "assistant"]}}}},
    "system": {"type": "string"},
    "temperature": ANY,
    "top_p": ANY,
    "top_k": ANY,
    "tools": ANY,
    "thinking": {"properties": {"type": {"enum": ["enabled"]}, "budget_tokens": ANY}},
}
NEWEST = {
    "messages": OPENAI["messages"],
    "tools": ANY,
    "system": {"type": "string"},
    "thinking": {
        "oneOf": [
            {"properties": {"type": {"enum": ["enabled"]}, "budget_tokens": ANY}},
            {"properties": {"type": {"enum": ["disabled", "adaptive"]}}},
        ]
    },
}


def schema(base, *models, without=(), **properties):
    properties = {"model": {"enum": [*models]}} | base | properties
    return {
        "type": "object",
        "properties": {name: value for name, value in properties.items() if name not in without},
    }


@pytest.fixture
def check(tmp_path, capsys):
    """Return a function that checks one document and returns the status and the lines."""

    def check(document):
        text = document if isinstance(document, str) else json.dumps(document)
        (tmp_path / "folder").mkdir(exist_ok=True)
        (tmp_path / "folder" / "x.request.json").write_text(text, encoding="utf-8")
        status = check_models.main([str(tmp_path)])
        return status, capsys.readouterr().out.splitlines()

    return check


AGREEING = {
    "openai": schema(OPENAI, "openai/gpt-4o", "gpt-4o"),
    "3.7": schema(OPENAI, "anthropic/claude-3.7-sonnet"),
    "3.7, thinking": schema(ANTHROPIC, "claude-3-7-sonnet-20250219"),
    "4.5": schema(ANTHROPIC, "claude-sonnet-4-5"),
    "4, both": schema(ANTHROPIC, "claude-opus-4"),
    "4, the other": schema(OPENAI, "claude-sonnet-4"),
    "5": schema(NEWEST, "claude-sonnet-5", "claude-opus-latest"),
    "a model without a row lacks a field": schema(OPENAI, "openai/o3", without=["temperature"]),
}


@pytest.mark.parametrize("document", AGREEING.values(), ids=AGREEING)
def test_a_schema_that_agrees_is_status_0(check, document):
    status, lines = check(document)

    assert status == 0
    assert len(lines) == 1
    assert lines[0].endswith(": 0 disagreements")


DISAGREEING = {
    "takes the anthropic dialect": schema(ANTHROPIC, "minimax/m3", without=["thinking"]),
    "takes the openai dialect": schema(OPENAI, "claude-sonnet-4.5"),
    "takes temperature, which the table refuses": schema(NEWEST, "claude-5", temperature=ANY),
    "takes top_k, which the table refuses": schema(NEWEST, "claude-5", top_k=ANY),
    "takes stream_options, which": schema(NEWEST, "claude-5", stream_options=ANY),
    "takes no top_p, which the table does not refuse": schema(
        ANTHROPIC, "claude-sonnet-4-5", without=["top_p"]
    ),
    "takes no response_format, which": schema(
        OPENAI, "claude-3.7-sonnet", without=["response_format"]
    ),
    "takes no schema as response_format": schema(
        OPENAI, "gpt-4o", response_format={"properties": {"type": {"enum": ["json_object"]}}}
    ),
    "takes no tools, by which": schema(OPENAI, "grok-beta", without=["tools"]),
    "takes images, which the table denies": schema(OPENAI, "zhipu/glm-4.6"),
    "takes no images, which the table does not know": schema(
        OPENAI, "gpt-4o", messages={"items": {"properties": {"role": {"enum": ["system"]}}}}
    ),
    "takes no thinking, and the table has it": schema(
        ANTHROPIC, "claude-opus-4.1", without=["thinking"]
    ),
    "thinks in the openai dialect": schema(
        OPENAI, "zhipu/glm-5", thinking={"properties": {"type": {"enum": ["enabled"]}}}
    ),
    "takes adaptive thinking, which the table does not have": schema(
        ANTHROPIC, "claude-sonnet-4.5", thinking=NEWEST["thinking"]
    ),
    "takes no adaptive thinking, which the table has": schema(
        NEWEST, "claude-sonnet-5", thinking=ANTHROPIC["thinking"]
    ),
}


@pytest.mark.parametrize(("problem", "document"), DISAGREEING.items(), ids=DISAGREEING)
def test_what_disagrees_is_printed_and_is_status_1(check, problem, document):
    model = document["properties"]["model"]["enum"][0]

    status, lines = check(document)

    assert status == 1
    assert any(f"x.request.json: {model} {problem}" in line for line in lines), lines


def test_thinking_without_a_budget_is_not_the_one_of_the_table(check):
    modes = {"properties": {"type": {"enum": ["enabled", "disabled"]}}}
    texts = {"items": {"properties": {"role": {"enum": ["system", "user"]}}}}

    assert check(schema(OPENAI, "zhipu/glm-4.5", thinking=modes, messages=texts))[0] == 0

    modes["properties"]["budget_tokens"] = ANY
    status, lines = check(schema(OPENAI, "zhipu/glm-4.5", thinking=modes, messages=texts))

    assert status == 1
    assert "takes enabled thinking, which the table does not have" in lines[0]


def test_an_openapi_document_is_read_through_its_references(check):
    request = schema(NEWEST, "claude-sonnet-5", temperature=ANY)
    base = {"properties": {"model": request["properties"].pop("model")}}
    other = {"requestBody": {"content": {"x": {"schema": schema(ANTHROPIC, "gpt-4o")}}}}
    document = {
        "paths": {
            "/v1/chat/completions": {
                "post": {
                    "requestBody": {
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/A~1B"}}
                        }
                    },
                    "responses": {"200": schema(ANTHROPIC, "gpt-4o")},
                }
            },
            "/v1/messages": {"post": other},
        },
        "components": {
            "schemas": {"A/B": {"allOf": [{"$ref": "#/components/schemas/C"}, request]}}
        },
    }
    document["components"]["schemas"]["C"] = base

    status, lines = check(document)

    assert status == 1
    assert len(lines) == 2
    assert "claude-sonnet-5 takes temperature" in lines[0]


def test_a_schema_that_refers_to_itself_is_read(check):
    document = schema(OPENAI, "gpt-4o")
    messages = [{"properties": {"role": {"const": "tool"}}}, {"properties": {"content": IMAGE}}]
    document["properties"]["messages"]["items"] = {
        "anyOf": [{"$ref": "#"}, {"$ref": "#/nowhere"}, *messages]
    }

    assert check(document)[0] == 0


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"choices": []}', "7", '{"paths": {"/v1/chat/completions": 5}}']
)
def test_a_folder_without_a_schema_is_status_1(check, text):
    status, lines = check(text)

    assert status == 1
    assert "no schema" in " ".join(lines)


def test_without_a_folder_it_prints_how_it_is_used(capsys):
    assert check_models.main([]) == 2
    assert "FOLDER" in capsys.readouterr().err


def test_the_page_about_requests_has_the_date_of_the_table():
    words = SCRIPT.with_name("requests.md").read_text(encoding="utf-8").split()

    assert f"the vendor's documents of {check_models.TABLE_DATE}" in " ".join(words)


@pytest.mark.skipif(not SAMPLES, reason="AIMLCHAT_WIRE_SAMPLES names no folder")
def test_the_table_agrees_with_the_published_schemas(capsys):
    assert check_models.main([str(Path(SAMPLES, "schemas"))]) == 0, capsys.readouterr().out

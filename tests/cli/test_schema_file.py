"""``aimlchat ask --schema``: an answer in JSON that fits a schema."""

import json

import pytest

GPT = "openai/gpt-4o"
CLOSED = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "items": {"type": "array", "items": {"type": "number"}},
    },
    "required": ["name", "items"],
    "additionalProperties": False,
}


@pytest.fixture
def ask_with(ask, tmp_path):
    async def ask_with(schema, *options, name="my invoice.json"):
        path = tmp_path / name
        path.write_bytes(schema if isinstance(schema, bytes) else json.dumps(schema).encode())
        return await ask("--model", GPT, "--schema", str(path), *options, "An invoice.")

    return ask_with


async def test_the_answer_fits_the_schema(ask_with, emulator):
    result = await ask_with(CLOSED)
    assert set(json.loads(result.stdout)) == {"name", "items"}
    assert emulator.requests[0].body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "my_invoice", "schema": CLOSED, "strict": True},
    }


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        CLOSED | {"required": ["name"]},
        CLOSED | {"additionalProperties": True},
        CLOSED | {"properties": {"name": {"type": "object"}}, "required": ["name"]},
        {"anyOf": [{"type": "object"}]},
        {"type": "array", "items": {"type": "object"}},
        CLOSED | {"$defs": {"x": {"type": "object"}}},
        {},
        {"type": "string"},
        CLOSED | {"properties": {"name": {}, "items": {"type": "array", "items": {}}}},
        CLOSED | {"oneOf": [CLOSED]},
    ],
)
async def test_a_schema_that_strict_answers_cannot_have_is_not_strict(ask_with, emulator, schema):
    await ask_with({"title": "Some title!"} | schema)
    sent = emulator.requests[0].body["response_format"]["json_schema"]
    assert sent["name"] == "Some_title"
    assert "strict" not in sent


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (b'{\n  "type": }', "line 2, column 11"),
        (b"[]", "a JSON schema is an object"),
        (b'"caf\xe9"', "it is not JSON in UTF-8"),
    ],
)
async def test_a_file_that_holds_no_schema_is_told_and_nothing_is_sent(
    ask_with, emulator, schema, told
):
    result = await ask_with(schema)
    assert result.exit_code == 2
    assert told in result.stderr
    assert result.stderr.count("\n") == 1
    assert emulator.requests == []


async def test_a_missing_file_is_told(ask, emulator):
    result = await ask("--schema", "no.json", "An invoice.")
    assert (result.exit_code, emulator.requests) == (2, [])
    assert "--schema no.json: it cannot be read: No such file" in result.stderr


async def test_a_model_without_schemas_is_refused_by_the_library(ask_with, emulator):
    result = await ask_with(CLOSED, "--model", "anthropic/claude-sonnet-4.5")
    assert result.exit_code == 2
    assert "response_format" in result.stderr
    assert emulator.requests == []

"""``aimlchat batch --output-type`` and ``--schema``."""

import json

import pytest

SCHEMA = {
    "title": "Invoice",
    "type": "object",
    "properties": {"number": {"type": "string"}, "total": {"$ref": "#/$defs/money"}},
    "required": ["number", "total"],
    "$defs": {"money": {"type": "number", "minimum": 0}},
}
MODULE = """
import msgspec

class Invoice(msgspec.Struct):
    number: str
    total: float

number = 7
"""


@pytest.fixture
def batch(emulator, invoke, tmp_path, monkeypatch):
    """Run ``aimlchat batch`` with one request in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "invoice_types.py").write_text(MODULE)
    (tmp_path / "invoice.json").write_text(json.dumps(SCHEMA))
    line = json.dumps({"id": 1, "prompt": "Read it.", "model": "openai/gpt-4o"})
    (tmp_path / "requests.jsonl").write_text(f"{line}\n")

    async def batch(*options):
        files = ("requests.jsonl", "-o", "results.jsonl")
        return await invoke("batch", *files, "--base-url", emulator.base_url, *options)

    return batch


@pytest.mark.parametrize(
    "options",
    [("--output-type", "invoice_types:Invoice"), ("--schema", "invoice.json")],
)
async def test_each_result_has_an_output(batch, emulator, tmp_path, options):
    emulator.reply(output={"number": "7", "total": 2.5})

    result = await batch(*options)

    assert result.exit_code == 0, result.stderr
    line = json.loads((tmp_path / "results.jsonl").read_text())
    assert line["output"] == {"number": "7", "total": 2.5}


async def test_an_answer_that_does_not_fit_the_schema_is_a_failure(batch, emulator, tmp_path):
    emulator.reply('{"number": "7", "total": -1}')

    result = await batch("--schema", "invoice.json")

    assert result.exit_code == 1
    error = json.loads((tmp_path / "results.jsonl").read_text())["error"]
    assert (error["code"], error["path"]) == ("OutputError", "total")
    assert "minimum" in error["message"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--output-type", "invoice_types"), "is not of the form package.module:name"),
        (("--output-type", "no_such_module:T"), "the import of no_such_module failed"),
        (("--output-type", "invoice_types:number"), "cannot be the type of answers"),
        (("--output-type", "x:y", "--schema", "invoice.json"), "exclude each other"),
        (("--output-type", "invoice_types:Invoice", "--server-side"), "--server-side"),
        (("--schema", "missing.json"), "cannot be read"),
    ],
)
async def test_what_cannot_be_a_type_is_an_error_before_anything_is_sent(
    batch, emulator, options, text
):
    result = await batch(*options)

    assert result.exit_code == 2
    assert text in " ".join(result.stderr.split())
    assert emulator.requests == []


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "thing"}, "it is no JSON schema: type"),
        ({"$ref": "https://other.example/schema"}, "is not in the file"),
        ({"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}}, "'#/$defs/b' is not in"),
    ],
)
async def test_a_schema_that_is_none_is_an_error(batch, tmp_path, schema, text):
    (tmp_path / "invoice.json").write_text(json.dumps(schema))

    result = await batch("--schema", "invoice.json")

    assert result.exit_code == 2
    assert text in " ".join(result.stderr.split())

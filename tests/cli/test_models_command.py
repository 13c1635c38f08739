"""``aimlchat models``: the filter, JSON, the table and the key."""

import json
import re

import pytest

MODELS = {
    "object": "list",
    "data": [
        {
            "id": "openai/gpt-4o",
            "type": "openai/chat-completions",
            "aliases": ["gpt-4o"],
            "info": {"name": "GPT-4o", "developer": "Open AI", "contextLength": 128000},
            "pricing": {
                "kind": "fixed",
                "units": [
                    {"name": "token", "measure": "input", "price": 2.5, "per": 1_000_000},
                    {"name": "token", "origin": "output", "price": 0.0000375, "per": 1_000},
                ],
            },
            "new": [1],
        },
        {"id": "[red]\x1b[2J\nevil", "type": "openai/chat-completions", "info": {}},
        {"id": "flux/dev", "type": "image", "info": {"name": "Flux", "developer": "BFL"}},
    ],
}


NAMES = ("gpt-4o", "gpt4", "gptx", "o3")


@pytest.fixture
def models(emulator, invoke):
    async def models(*arguments, body=MODELS):
        emulator.fail(status=200, body=body)
        return await invoke("models", "--base-url", emulator.base_url, *arguments, key=None)

    return models


async def test_a_pipe_gets_the_ids_of_the_chat_models_one_per_line(models):
    result = await models()
    assert result.exit_code == 0
    assert result.stdout == "[red]\\x1b[2J evil\nopenai/gpt-4o\n"
    assert result.stderr == ""


async def test_all_lists_models_of_every_type(models):
    assert (await models("--all")).stdout.splitlines()[1] == "flux/dev"


@pytest.mark.parametrize("pattern", ["GPT", "open ai", "openai/gpt-4o", "gpt-4O"])
async def test_the_filter_matches_id_alias_name_and_developer(models, pattern):
    assert (await models(pattern)).stdout == "openai/gpt-4o\n"


async def test_json_prints_the_entries_as_the_api_sent_them(models):
    result = await models("--json", "gpt")
    assert json.loads(result.stdout) == [MODELS["data"][0]]


async def test_a_filter_without_a_match_is_status_1(models):
    result = await models("flux")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no model has 'flux'" in result.stderr
    assert "--all" in result.stderr


async def test_an_empty_list_is_status_1(models):
    result = await models("--all", body={"data": []})
    assert result.exit_code == 1
    assert result.stderr == "aimlchat: the API lists no such models\n"


async def test_an_invalid_list_is_status_1(models):
    result = await models(body="<html>")
    assert result.exit_code == 1
    assert result.stderr.startswith("aimlchat: ")


@pytest.mark.parametrize("key", [None, "secret-1", "bad\x01key"])
async def test_no_key_is_needed_and_none_is_sent(invoke, emulator, key):
    result = await invoke("models", "--base-url", emulator.base_url, key=key)
    assert result.exit_code == 0
    assert "Authorization" not in emulator.requests[0].headers


async def test_the_emulator_lists_its_own_models(invoke):
    result = await invoke("models", "--emulator", "sonnet", key=None)
    assert "anthropic/claude-3.7-sonnet" in result.stdout.splitlines()


async def test_a_terminal_gets_a_table(start_process, emulator):
    emulator.fail(status=200, body=MODELS)
    process = await start_process(
        "models", "--all", "--base-url", emulator.base_url, terminal="stdout"
    )
    status, out, _ = await process.wait()
    assert status == 0
    header, evil, flux, gpt = out.splitlines()
    assert "developer" in header
    assert evil.startswith("[red]\\x1b[2J evil")
    assert flux.split() == ["flux/dev", "BFL", "image"]
    assert gpt.split()[:4] == ["openai/gpt-4o", "2.50", "0.0375", "128,000"]
    assert gpt.split()[4:] == ["Open", "AI", "openai/chat-completions"]


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        ("80", "openai/gpt-4o      2.50  0.0375  128,000  Open AI"),
        ("44", "openai/gpt-4o      2.50  0.0375  128,000"),
        ("34", "openai/gpt-4o      2.50  0.0375"),
    ],
)
async def test_a_narrow_terminal_gets_fewer_columns(start_process, emulator, columns, line):
    emulator.fail(status=200, body=MODELS)
    process = await start_process(
        "models", "--base-url", emulator.base_url, terminal="stdout", COLUMNS=columns
    )
    _, out, _ = await process.wait()
    lines = re.sub(r"\x1b\[\d*m", "", out).splitlines()
    assert line in lines
    assert max(map(len, lines)) <= int(columns)


@pytest.mark.parametrize(
    ("columns", "facts"),
    [
        ("20", ["  $2.50 in", "  $0.0375 out", "  128,000 context"]),
        ("41", ["  $2.50 in, $0.0375 out, 128,000 context"]),
    ],
)
async def test_a_very_narrow_terminal_gets_the_facts_below_the_id(
    start_process, emulator, columns, facts
):
    long_id = "openai/gpt-4o-" + "x" * 40
    emulator.fail(status=200, body={"data": [MODELS["data"][0] | {"id": long_id}]})
    process = await start_process(
        "models", "--base-url", emulator.base_url, terminal="stdout", COLUMNS=columns
    )
    _, out, _ = await process.wait()
    assert re.sub(r"\x1b\[\d*m", "", out).splitlines() == [long_id, *facts]


@pytest.mark.parametrize("columns", ["100", "20"])
@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
async def test_a_terminal_without_colors_gets_no_escape_codes(
    start_process, emulator, columns, variable, value
):
    emulator.fail(status=200, body=MODELS)
    settings = {variable: value, "COLUMNS": columns}
    url = emulator.base_url
    process = await start_process("models", "--base-url", url, terminal="stdout", **settings)
    _, out, _ = await process.wait()
    assert "openai/gpt-4o" in out
    assert "\x1b" not in out


async def test_a_table_without_models_has_no_header(start_process, emulator):
    emulator.fail(status=200, body=MODELS)
    url = emulator.base_url
    process = await start_process("models", "nosuch", "--base-url", url, terminal="stdout")
    status, out, _ = await process.wait()
    assert (status, out) == (1, "")


async def test_a_family_is_a_word_of_the_id(models):
    body = {"data": [{"id": f"a/{name}", "type": "openai/chat-completions"} for name in NAMES]}
    result = await models("--family", "GPT", body=body)
    assert result.stdout.split() == ["a/gpt-4o", "a/gpt4"]


async def test_a_family_without_models_is_status_1(models):
    result = await models("--family", "sonnet", "open")
    assert result.exit_code == 1
    assert "no model has the word 'sonnet' in its id or aliases, and 'open' in" in result.stderr


async def test_models_without_a_type_are_listed(models):
    assert (await models(body={"data": [{"id": "local/llama"}]})).stdout == "local/llama\n"

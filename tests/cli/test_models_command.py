"""``aimlchat models``."""

import json

import pytest

LISTED = {
    "object": "list",
    "data": [
        {
            "id": "openai/gpt-4o",
            "type": "openai/chat-completions",
            "aliases": ["gpt-4o"],
            "info": {"name": "GPT-4o", "developer": "Open AI", "contextLength": 128000},
            "new": [1],
        },
        {"id": "[red]\x1b[2J\nevil", "type": "openai/chat-completions", "info": {}},
        {"id": "flux/dev", "type": "image", "info": {"name": "Flux", "developer": "BFL"}},
    ],
}


@pytest.fixture
def models(emulator, invoke):
    async def models(*arguments, listed=LISTED):
        emulator.fail(status=200, body=listed)
        return await invoke("models", "--base-url", emulator.base_url, *arguments, key=None)

    return models


async def test_a_pipe_gets_one_id_a_line_of_the_models_for_chat(models):
    result = await models()
    assert result.exit_code == 0
    assert result.stdout == "[red]␛[2J evil\nopenai/gpt-4o\n"
    assert result.stderr == ""


async def test_all_lists_every_kind(models):
    assert (await models("--all")).stdout.splitlines()[1] == "flux/dev"


@pytest.mark.parametrize("wanted", ["GPT", "open ai", "openai/gpt-4o", "gpt-4O"])
async def test_a_filter_looks_into_id_alias_name_and_developer(models, wanted):
    assert (await models(wanted)).stdout == "openai/gpt-4o\n"


async def test_json_prints_the_entries_as_they_came(models):
    result = await models("--json", "gpt")
    assert json.loads(result.stdout) == [LISTED["data"][0]]


async def test_no_such_model_is_a_failure_that_is_told(models):
    result = await models("flux")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no model has 'flux'" in result.stderr
    assert "--all" in result.stderr


async def test_an_empty_list_is_told(models):
    result = await models("--all", listed={"data": []})
    assert result.exit_code == 1
    assert result.stderr == "aimlchat: the API lists no such models\n"


async def test_a_list_that_is_none_is_a_failure(models):
    result = await models(listed="<html>")
    assert result.exit_code == 1
    assert result.stderr.startswith("aimlchat: ")


@pytest.mark.parametrize("key", [None, "secret-1", "bad\x01key"])
async def test_no_key_is_needed_and_none_is_sent(invoke, emulator, key):
    result = await invoke("models", "--base-url", emulator.base_url, key=key)
    assert result.exit_code == 0
    assert "Authorization" not in emulator.requests[0].headers


async def test_the_emulator_lists_its_own(invoke):
    result = await invoke("models", "--emulator", "sonnet", key=None)
    assert "anthropic/claude-3.7-sonnet" in result.stdout.splitlines()


async def test_a_terminal_gets_a_table(start, emulator):
    emulator.fail(status=200, body=LISTED)
    process = await start("models", "--all", "--base-url", emulator.base_url, terminal="stdout")
    status, out, _ = await process.end()
    assert status == 0
    header, evil, flux, gpt = out.splitlines()
    assert "developer" in header
    assert evil.startswith("[red]␛[2J evil")
    assert flux.split() == ["flux/dev", "BFL", "image"]
    assert gpt.split() == ["openai/gpt-4o", "Open", "AI", "128,000", "openai/chat-completions"]


async def test_a_narrow_terminal_cuts_no_id(start, emulator):
    process = await start(
        "models", "--base-url", emulator.base_url, terminal="stdout", COLUMNS="30"
    )
    _, out, _ = await process.end()
    assert "…" not in out
    assert "google/gemini-3-flash-preview  Google         1,000,000\r\n" in out

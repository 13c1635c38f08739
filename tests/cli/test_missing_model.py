"""What a command does about a model that does not exist."""

import json

RETIRED = "This model has been retired."
# The emulator lists Claude 3.7 Sonnet, which is not named as its own alternative.
HINT = "Available models similar to anthropic/claude-3.7-sonnet: anthropic/claude-sonnet-latest, "


async def test_ask_names_the_nearest_models_in_one_line(ask, emulator):
    emulator.fail(status=404, message=RETIRED)

    result = await ask("Why?")

    assert result.exit_code == 1
    message, advice = result.stderr.splitlines()
    assert message.startswith(f"aimlchat: {RETIRED} {HINT}")
    assert "--model or the environment variable AIMLAPI_MODEL." in message
    assert "aimlchat models" in advice


async def test_the_results_of_a_batch_name_them_and_the_list_is_fetched_once(
    invoke, emulator, tmp_path
):
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    lines = [json.dumps({"id": n, "prompt": "Why?", "model": "no-such-model"}) for n in range(3)]
    source.write_text("\n".join(lines), encoding="utf-8")

    upstream = ("--base-url", emulator.base_url)
    result = await invoke("batch", *upstream, str(source), "-o", str(target))

    results = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert result.exit_code == 1
    assert len(results) == 3
    assert all("no model whose name is like no-such-model" in str(line) for line in results)
    assert [request.method for request in emulator.requests].count("GET") == 1


async def test_batch_uses_the_model_of_the_environment(invoke, emulator, tmp_path, monkeypatch):
    monkeypatch.setenv("AIMLAPI_MODEL", "openai/gpt-4o")
    source = tmp_path / "in.jsonl"
    source.write_text('{"id": 1, "prompt": "Why?"}\n', encoding="utf-8")

    upstream = ("--base-url", emulator.base_url)
    result = await invoke("batch", *upstream, str(source), "-o", str(tmp_path / "out.jsonl"))

    assert result.exit_code == 0
    assert emulator.requests[0].body["model"] == "openai/gpt-4o"
    assert "AIMLAPI_MODEL" in (await invoke("batch", "--help")).stdout

"""Files of requests for answers of a type: the output of each result, and its failures."""

import json
from typing import Literal

import msgspec
import pytest

from aimlchat import ChatSession, InvalidRequestError, RetryPolicy
from aimlchat.batch import InputError, run

GPT, CLAUDE = "openai/gpt-4o", "anthropic/claude-sonnet-4.5"


class Invoice(msgspec.Struct, rename="camel"):
    number: str
    total_usd: float
    kind: Literal["paid", "open"] = "open"


@pytest.fixture
async def session(emulator):
    retry = RetryPolicy(attempts=1)
    async with ChatSession("k", base_url=emulator.base_url, retry=retry) as opened:
        yield opened


@pytest.fixture
def run_rows(session, tmp_path):
    """Run rows, and return the summary and the results by id."""

    async def run_rows(*rows, output_type=Invoice, **options):
        source, target = tmp_path / "requests.jsonl", tmp_path / "results.jsonl"
        source.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        summary = await run(session, source, target, output_type=output_type, **options)
        lines = [json.loads(line) for line in target.read_text().splitlines()]
        return summary, {line["custom_id"]: line for line in lines}

    return run_rows


def prompt(model, **options):
    return {"id": "a", "prompt": "Read the invoice.", "model": model, **options}


def body(model, **options):
    messages = [{"role": "user", "content": "Read the invoice."}]
    return {"custom_id": "a", "body": {"model": model, "messages": messages, **options}}


@pytest.mark.parametrize("model", [GPT, CLAUDE])
@pytest.mark.parametrize("build", [prompt, body])
async def test_each_result_has_the_answer_as_json(emulator, run_rows, model, build):
    value = {"number": "7", "totalUsd": 1.5, "kind": "paid"}
    emulator.reply(output=value)

    summary, results = await run_rows(build(model, max_tokens=200))

    assert (summary.done, summary.failed) == (1, 0)
    assert results["a"]["output"] == value
    assert results["a"]["error"] is None
    assert emulator.requests[-1].body["max_tokens"] == 200


async def test_what_a_body_has_besides_is_sent_as_well(emulator, run_rows):
    emulator.reply(output={"number": "7", "totalUsd": 1.5})

    await run_rows(body(GPT, service_tier="flex", temperature=0))

    sent = emulator.requests[-1].body
    assert (sent["service_tier"], sent["temperature"]) == ("flex", 0)


async def test_an_answer_that_does_not_fit_is_a_failure_that_keeps_it(emulator, run_rows):
    emulator.reply(output={"number": "7", "totalUsd": 1.5}, broken="invalid", cost=0.25)

    summary, results = await run_rows(prompt(GPT))

    assert (summary.failed, summary.usd) == (1, 0.25)
    assert summary.errors == {"OutputError": 1}
    error = results["a"]["error"]
    assert (error["code"], error["reason"]) == ("OutputError", "invalid")
    assert results["a"]["response"]["body"]["choices"]
    assert results["a"]["cost"]["usd"] == 0.25
    assert "output" not in results["a"]


async def test_retry_failed_asks_again_for_what_did_not_fit(emulator, run_rows):
    value = {"number": "7", "totalUsd": 1.5}
    emulator.reply(output=value, broken="truncated")
    emulator.reply(output=value)

    first, _ = await run_rows(prompt(GPT))
    untouched, _ = await run_rows(prompt(GPT))
    second, results = await run_rows(prompt(GPT), retry_failed=True)

    assert (first.failed, untouched.done, second.failed) == (1, 0, 0)
    assert results["a"]["output"] == value


async def test_a_request_that_has_a_format_of_its_own_is_refused_before_anything_is_sent(
    emulator, run_rows
):
    with pytest.raises(InputError, match=r"line 1.*output_type sets the response format"):
        await run_rows(body(GPT, response_format={"type": "json_object"}))
    assert emulator.requests == []


async def test_a_type_without_a_schema_is_refused_with_its_field(run_rows):
    with pytest.raises(InvalidRequestError, match="output_type"):
        await run_rows(prompt(GPT), output_type=complex)


async def test_output_retries_tell_the_model_what_was_wrong(emulator, run_rows):
    value = {"number": "7", "totalUsd": 1.5}
    emulator.reply(output=value, broken="invalid")
    emulator.reply(output=value)

    summary, results = await run_rows(body(CLAUDE, max_tokens=200), output_retries=1)

    assert summary.failed == 0
    assert (results["a"]["output"], results["a"]["attempts"]) == (value, 2)

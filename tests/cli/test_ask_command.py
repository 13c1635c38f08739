"""``aimlchat ask`` into a pipe: the answer, the JSON document, notices and errors."""

import json

import pytest

GPT = "openai/gpt-4o"


async def test_only_the_answer_is_printed_on_standard_output(ask, emulator):
    emulator.reply("The sky is blue.\n\n", reasoning="Think.")
    result = await ask("Why?")
    assert result.stdout == "The sky is blue.\n"
    assert result.exit_code == 0


async def test_the_request_is_a_stream(ask, emulator):
    await ask("Why?")
    (request,) = emulator.requests
    assert request.stream


async def test_the_summary_is_one_line_on_standard_error(ask, emulator):
    emulator.reply(
        "Yes.",
        model="gpt-x",
        usage={
            "prompt_tokens": 1234,
            "completion_tokens": 5,
            "completion_tokens_details": {"reasoning_tokens": 3},
        },
        cost=0.0123,
    )
    result = await ask("--model", GPT, "Why?")
    line = result.stderr
    assert line.count("\n") == 1
    assert line.startswith("gpt-x · 1,234 tokens in, 5 tokens out, 3 of reasoning · $0.0123 · ")
    assert line.endswith(" s\n")
    assert "first token after " in line
    assert "\x1b" not in line


@pytest.mark.parametrize(
    ("usd", "shown"),
    [(0.000_000_3, "less than $0.000001"), (0, "$0.00"), (1.5, "$1.50"), (0.123456, "$0.123456")],
)
async def test_costs_are_shown_in_dollars(ask, emulator, usd, shown):
    emulator.reply("Yes.", cost={"usd_spent": usd, "credits_used": usd * 2_000_000})
    assert f" · {shown} · " in (await ask("Why?")).stderr


async def test_the_summary_says_what_the_server_did_not_report(ask, emulator, encode_chunks):
    emulator.reply(events=[encode_chunks(("content", "Yes.")), "[DONE]"])
    result = await ask("--model", GPT, "Why?")
    assert "tokens not reported · cost not reported" in result.stderr


async def test_the_options_become_fields_of_the_request(ask, emulator):
    await ask(
        *("--system", "Be short.", "--max-tokens", "3000", "--thinking", "1024", "--model"),
        *("anthropic/claude-sonnet-4.5", "Why?"),
    )
    body = emulator.requests[0].body
    assert body["model"] == "anthropic/claude-sonnet-4.5"
    assert body["max_tokens"] == 3000
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 1024}
    assert "Be short." in json.dumps(body)
    assert "Why?" in json.dumps(body["messages"])


async def test_no_reasoning_does_not_change_the_request(ask, emulator):
    await ask("Why?")
    await ask("--no-reasoning", "Why?")
    shown, hidden = emulator.requests
    assert shown.body == hidden.body


# --- the JSON document ---------------------------------------------------------------------------


async def test_json_prints_one_document(ask, emulator):
    emulator.reply("Yes.", reasoning="Hm.", cost=0.5)
    result = await ask("--json", "Why?")
    document = json.loads(result.stdout)
    assert list(document) == [
        *("model", "text", "reasoning", "finish_reason", "tool_calls", "usage", "cost", "id"),
        *("inference_id", "client_request_id"),
    ]
    assert document["text"] == "Yes."
    assert document["reasoning"] == "Hm."
    assert document["finish_reason"] == "stop"
    assert document["tool_calls"] == []
    assert document["cost"] == {"usd": 0.5, "credits": 1_000_000}
    assert document["usage"]["completion_tokens"] > 0
    assert "raw" not in document["usage"]
    (request,) = emulator.requests
    assert document["inference_id"] == request.inference_id
    assert document["client_request_id"] == request.client_request_id


async def test_json_with_no_reasoning_leaves_the_key_out(ask, emulator):
    emulator.reply("Yes.", reasoning="Hm.")
    result = await ask("--json", "--no-reasoning", "Why?")
    assert "reasoning" not in json.loads(result.stdout)


async def test_json_has_null_for_usage_and_cost_that_the_server_did_not_report(
    ask, emulator, encode_chunks
):
    emulator.reply(events=[encode_chunks(("content", "Yes.")), "[DONE]"])
    document = json.loads((await ask("--json", "--model", GPT, "Why?")).stdout)
    assert document["usage"] is None
    assert document["cost"] is None


async def test_json_has_the_exact_text(ask, emulator):
    text = "\n\x1b[31mred\r\n\n"
    emulator.reply(text)
    assert json.loads((await ask("--json", "Why?")).stdout)["text"] == text


async def test_json_has_the_tool_calls(ask, emulator):
    emulator.reply(tool_calls=[{"id": "c1", "name": "weather", "arguments": {"city": "Rome"}}])
    document = json.loads((await ask("--json", "Why?")).stdout)
    (call,) = document["tool_calls"]
    assert (call["id"], call["name"], call["complete"]) == ("c1", "weather", True)
    assert json.loads(call["arguments"]) == {"city": "Rome"}


async def test_json_prints_no_document_of_an_incomplete_answer(ask, emulator, encode_chunks):
    emulator.reply(events=[encode_chunks(("content", "Half"))])
    result = await ask("--json", "Why?")
    assert result.stdout == ""
    assert result.exit_code == 1


# --- notices -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "notice"),
    [
        ({"text": "Ye", "finish_reason": "length"}, "cut off at its token limit"),
        ({"text": "Ye", "finish_reason": "content_filter"}, "stopped by a content filter"),
        ({"text": "Ye", "finish_reason": "moonshine"}, "an unknown finish reason: moonshine"),
        ({"refusal": "I will not."}, "The model refused: I will not."),
        ({"tool_calls": [("weather", {"city": "Rome"})]}, 'the tool weather with {"city":"Rome"}'),
        (
            {"tool_calls": [("weather", "")], "finish_reason": "length"},
            "The call of the tool weather was cut off.",
        ),
        ({"reasoning": "Hm."}, "The model gave no answer."),
    ],
)
async def test_facts_that_the_answer_does_not_show_are_notices_on_standard_error(
    ask, emulator, reply, notice
):
    emulator.reply(**reply)
    result = await ask("--model", GPT, "Why?")
    assert notice in result.stderr
    assert result.stdout == (f"{reply['text']}\n" if "text" in reply else "")
    assert result.exit_code == 0


async def test_notices_contain_no_control_characters(ask, emulator):
    emulator.reply(refusal="no\x1b[2J\nno", model="gpt\x1b[1m")
    assert "\x1b" not in (await ask("--model", GPT, "Why?")).stderr


# --- errors --------------------------------------------------------------------------------------


async def test_an_invalid_request_is_not_sent(ask, emulator):
    result = await ask("--thinking", "5", "Why?")
    assert result.exit_code == 2
    assert "1024" in result.stderr
    assert result.stderr.count("\n") == 1
    assert emulator.requests == []


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (401, "AIMLAPI_API_KEY"),
        (402, "Add credits"),
        (404, "aimlchat models"),
        (400, None),
        (422, None),
    ],
)
async def test_an_error_of_the_api_is_shown_with_advice(ask, emulator, status, advice):
    emulator.fail(status=status, message="No, \x1b[31mnever\never.")
    result = await ask("Why?")
    first, *rest = result.stderr.splitlines()
    assert result.exit_code == 1
    assert first.startswith("aimlchat: No, \\x1b[31mnever ever. (status ")
    assert len(rest) == (1 if advice else 0)
    assert advice is None or advice in rest[0]


async def test_a_failed_connection_names_the_address_and_the_option(invoke):
    result = await invoke("ask", "--base-url", "http://127.0.0.1:1/v1", "Why?")
    assert result.exit_code == 1
    assert "127.0.0.1:1" in result.stderr
    assert "--base-url" in result.stderr


async def test_an_invalid_base_url_is_an_input_error(invoke):
    result = await invoke("ask", "--base-url", "not-a-url", "Why?")
    assert result.exit_code == 2
    assert "not-a-url" in result.stderr


@pytest.mark.parametrize(
    "end", [(), ({"error": {"message": "Overloaded", "type": "overloaded_error"}},)]
)
async def test_the_text_of_an_interrupted_stream_stays_printed(ask, emulator, encode_chunks, end):
    emulator.reply(events=[encode_chunks(("content", "Half an")), *end])
    result = await ask("--model", GPT, "Why?")
    assert result.exit_code == 1
    assert result.stdout == "Half an\n"
    assert result.stderr.startswith("aimlchat: ")
    assert result.stderr.count("\n") <= 2

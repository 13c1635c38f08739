"""``aimlchat ask`` into a pipe: the answer, its document, its input, and what is told about it."""

import json

import pytest

from aimlchat.cli import connection
from aimlchat.emulator import Emulator

PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
GPT = "openai/gpt-4o"


async def test_it_prints_the_answer_and_nothing_else(ask, emulator):
    emulator.reply("The sky is blue.\n\n", reasoning="Think.")
    result = await ask("Why?")
    assert result.stdout == "The sky is blue.\n"
    assert result.exit_code == 0


async def test_it_streams(ask, emulator):
    await ask("Why?")
    (request,) = emulator.requests
    assert request.stream


async def test_tokens_cost_time_and_model_are_told_on_standard_error_in_one_line(ask, emulator):
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
    ("usd", "said"),
    [(0.000_000_3, "less than $0.000001"), (0, "$0.00"), (1.5, "$1.50"), (0.123456, "$0.123456")],
)
async def test_dollars(ask, emulator, usd, said):
    emulator.reply("Yes.", cost={"usd_spent": usd, "credits_used": usd * 2_000_000})
    assert f" · {said} · " in (await ask("Why?")).stderr


async def test_what_the_server_does_not_report_is_not_made_up(ask, emulator, chunks):
    emulator.reply(events=[chunks(("content", "Yes.")), "[DONE]"])
    result = await ask("--model", GPT, "Why?")
    assert "tokens not reported · cost not reported" in result.stderr


async def test_options_become_the_request(ask, emulator):
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


async def test_no_reasoning_hides_it_and_does_not_switch_it_off(ask, emulator):
    await ask("Why?")
    await ask("--no-reasoning", "Why?")
    shown, hidden = emulator.requests
    assert shown.body == hidden.body


# --- the document --------------------------------------------------------------------------------


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


async def test_json_leaves_hidden_reasoning_out(ask, emulator):
    emulator.reply("Yes.", reasoning="Hm.")
    result = await ask("--json", "--no-reasoning", "Why?")
    assert "reasoning" not in json.loads(result.stdout)


async def test_json_says_null_where_the_server_said_nothing(ask, emulator, chunks):
    emulator.reply(events=[chunks(("content", "Yes.")), "[DONE]"])
    document = json.loads((await ask("--json", "--model", GPT, "Why?")).stdout)
    assert document["usage"] is None
    assert document["cost"] is None


async def test_json_holds_the_exact_text(ask, emulator):
    text = "\n\x1b[31mred\r\n\n"
    emulator.reply(text)
    assert json.loads((await ask("--json", "Why?")).stdout)["text"] == text


async def test_json_has_the_tool_calls(ask, emulator):
    emulator.reply(tool_calls=[{"id": "c1", "name": "weather", "arguments": {"city": "Rome"}}])
    document = json.loads((await ask("--json", "Why?")).stdout)
    (call,) = document["tool_calls"]
    assert (call["id"], call["name"]) == ("c1", "weather")
    assert json.loads(call["arguments"]) == {"city": "Rome"}


async def test_there_is_no_document_of_half_an_answer(ask, emulator, chunks):
    emulator.reply(events=[chunks(("content", "Half"))])
    result = await ask("--json", "Why?")
    assert result.stdout == ""
    assert result.exit_code == 1


# --- what is odd about an answer -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ({"text": "Ye", "finish_reason": "length"}, "cut off at its limit of tokens"),
        ({"text": "Ye", "finish_reason": "content_filter"}, "stopped by a content filter"),
        ({"text": "Ye", "finish_reason": "moonshine"}, "a reason of its own: moonshine"),
        ({"refusal": "I will not."}, "The model declined: I will not."),
        ({"tool_calls": [("weather", {"city": "Rome"})]}, 'the tool weather with {"city":"Rome"}'),
        ({"reasoning": "Hm."}, "The model gave no answer."),
    ],
)
async def test_what_the_text_does_not_say_is_told_on_standard_error(ask, emulator, reply, told):
    emulator.reply(**reply)
    result = await ask("--model", GPT, "Why?")
    assert told in result.stderr
    assert result.stdout == (f"{reply['text']}\n" if "text" in reply else "")
    assert result.exit_code == 0


async def test_what_is_told_drives_no_terminal_either(ask, emulator):
    emulator.reply(refusal="no\x1b[2J\nno", model="gpt\x1b[1m")
    assert "\x1b" not in (await ask("--model", GPT, "Why?")).stderr


# --- the prompt ----------------------------------------------------------------------------------


def prompt_sent(emulator):
    (request,) = emulator.requests
    content = request.body["messages"][-1]["content"]
    return content if isinstance(content, str) else content[-1]["text"]


@pytest.mark.parametrize("arguments", [(), ("-",)])
async def test_without_a_prompt_standard_input_is_the_prompt(ask, emulator, arguments):
    await ask(*arguments, stdin="Why is\nthe sky blue?\n")
    assert prompt_sent(emulator) == "Why is\nthe sky blue?"


async def test_a_dash_after_the_prompt_puts_standard_input_below_it(ask, emulator):
    await ask("What is wrong?", "-", stdin="log 1\nlog 2\n")
    assert prompt_sent(emulator) == "What is wrong?\n\nlog 1\nlog 2"


async def test_with_a_prompt_and_no_dash_standard_input_is_left_alone(ask, emulator):
    await ask("What is wrong?", stdin="log")
    assert prompt_sent(emulator) == "What is wrong?"


async def test_standard_input_is_utf_8_with_or_without_its_mark(ask, emulator):
    await ask(stdin="\ufeffWarum? é 青".encode())
    assert prompt_sent(emulator) == "Warum? é 青"


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        ((), b"", "the prompt is empty"),
        ((" \n",), b"", "the prompt is empty"),
        ((), b"\xff\xfe", "standard input is not UTF-8 text"),
        (("\udcff",), b"", "the prompt is not valid UTF-8 text"),
    ],
)
async def test_a_prompt_that_is_none_is_refused_in_one_line(ask, emulator, arguments, stdin, said):
    result = await ask(*arguments, stdin=stdin)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert emulator.requests == []


async def test_a_prompt_without_quotes_is_refused(ask, emulator):
    result = await ask("Why", "is", "the", "sky", "blue?")
    assert result.exit_code == 2
    assert "put it in quotes" in result.stderr
    assert emulator.requests == []


# --- pictures ------------------------------------------------------------------------------------


async def test_images_come_from_files_and_addresses(ask, emulator, tmp_path):
    picture = tmp_path / "picture.txt"
    picture.write_bytes(PNG)
    url = "https://example.org/a.png"
    await ask("--model", GPT, "--image", str(picture), "--image", url, "What is it?")
    content = emulator.requests[0].body["messages"][-1]["content"]
    assert [part["type"] for part in content] == ["image_url", "image_url", "text"]
    assert content[0]["image_url"]["url"].startswith("data:image/png;base64,")
    assert content[1]["image_url"]["url"] == url


async def test_an_image_that_cannot_be_read_is_named_in_one_line(ask, emulator, tmp_path):
    missing = tmp_path / "missing.png"
    result = await ask("--image", str(missing), "What is it?")
    assert result.exit_code == 2
    assert (
        result.stderr
        == f"aimlchat: --image {missing}: it cannot be read: No such file or directory\n"
    )
    assert emulator.requests == []


@pytest.mark.parametrize("content", [b"", b"just text", b"\x00\x01\x02"])
async def test_a_file_that_is_no_picture_is_refused_in_one_line(ask, emulator, tmp_path, content):
    odd = tmp_path / "odd.png"
    odd.write_bytes(content)
    result = await ask("--image", str(odd), "What is it?")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"aimlchat: --image {odd}: ")
    assert result.stderr.count("\n") == 1
    assert emulator.requests == []


# --- what goes wrong -----------------------------------------------------------------------------


async def test_what_the_api_would_refuse_is_not_sent(ask, emulator):
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
async def test_a_refusal_is_told_with_what_to_do(ask, emulator, status, advice):
    emulator.fail(status=status, message="No, \x1b[31mnever\never.")
    result = await ask("Why?")
    first, *rest = result.stderr.splitlines()
    assert result.exit_code == 1
    assert first.startswith("aimlchat: No, ␛[31mnever ever. (status ")
    assert len(rest) == (1 if advice else 0)
    assert advice is None or advice in rest[0]


async def test_nobody_listening_is_told(invoke):
    result = await invoke("ask", "--base-url", "http://127.0.0.1:1/v1", "Why?")
    assert result.exit_code == 1
    assert "127.0.0.1:1" in result.stderr
    assert "--base-url" in result.stderr


async def test_an_address_that_is_none_is_refused(invoke):
    result = await invoke("ask", "--base-url", "not-a-url", "Why?")
    assert result.exit_code == 2
    assert "not-a-url" in result.stderr


@pytest.mark.parametrize(
    "end", [(), ({"error": {"message": "Overloaded", "type": "overloaded_error"}},)]
)
async def test_of_a_stream_that_breaks_what_came_stays_printed(ask, emulator, chunks, end):
    emulator.reply(events=[chunks(("content", "Half an")), *end])
    result = await ask("--model", GPT, "Why?")
    assert result.exit_code == 1
    assert result.stdout == "Half an\n"
    assert result.stderr.startswith("aimlchat: ")
    assert result.stderr.count("\n") <= 2


# --- key and emulator ----------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, "", " "])
async def test_without_a_key_two_lines_say_what_to_do(ask, emulator, key):
    result = await ask("Why?", key=key)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 2
    for needed in ("AIMLAPI_API_KEY", "https://aimlapi.com/app/keys", "--emulator"):
        assert needed in result.stderr
    assert emulator.requests == []


async def test_the_key_of_the_environment_is_sent(ask, emulator):
    await ask("Why?", key="secret-1")
    assert emulator.requests[0].headers["Authorization"] == "Bearer secret-1"


async def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(ask, emulator):
    result = await ask("Why?", key="secret\x01")
    assert result.exit_code == 2
    assert "secret" not in result.stderr
    assert result.stderr.count("\n") == 1
    assert emulator.requests == []


@pytest.mark.parametrize("key", [None, "secret-1"])
async def test_the_emulator_needs_no_key_and_is_sent_none(invoke, monkeypatch, key):
    made = []

    class Watched(Emulator):
        def __init__(self, **_):
            super().__init__()
            made.append(self)

    monkeypatch.setattr(connection, "Emulator", Watched)
    # Neither an address nor a proxy of the environment leads anywhere else.
    monkeypatch.setenv("AIMLAPI_BASE_URL", "http://127.0.0.1:1/v1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    result = await invoke("ask", "--emulator", "Why is the sky blue?", key=key)
    assert result.exit_code == 0
    assert "blue" in result.stdout
    assert "nothing was charged" in result.stderr
    (request,) = made[0].requests
    assert "secret" not in str(dict(request.headers))


async def test_emulator_and_address_exclude_each_other(ask):
    result = await ask("--emulator", "Why?")
    assert result.exit_code == 2
    assert "--emulator and --base-url" in result.stderr

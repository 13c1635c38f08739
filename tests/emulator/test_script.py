"""Scripted replies and errors."""

import asyncio

import aiohttp
import pytest

from aimlchat.emulator import Emulator

CLAUDE = "anthropic/claude-3.7-sonnet"
GPT = "openai/gpt-4o"


async def test_replies_are_sent_in_order_and_then_the_default_answer(emulator, client):
    emulator.reply("first")
    emulator.reply("second")
    texts = [(await client.ask()).message["content"] for _ in range(3)]
    assert texts[:2] == ["first", "second"]
    assert texts[2] not in texts[:2]


async def test_a_reply_serves_streams_and_whole_completions(emulator, client):
    for _ in range(2):
        emulator.reply("Both.", reasoning="Which?")
    whole, stream = await client.ask(), await client.stream()
    assert whole.message["content"] == stream.join("content") == "Both."
    assert whole.message["reasoning_content"] == stream.join("reasoning_content") == "Which?"


async def test_every_choice_has_the_scripted_text(emulator, client):
    emulator.reply("Same.")
    response = await client.ask(model=GPT, n=2)
    assert [choice["message"]["content"] for choice in response.body["choices"]] == ["Same."] * 2


async def test_chunks_are_the_exact_pieces_of_the_answer(emulator, client):
    pieces = ["", " a", "\n", "b ", "🙂"]
    emulator.reply(chunks=pieces)
    response = await client.stream(model=GPT)
    deltas = [event["choices"][0]["delta"] for event in response.events]
    assert [delta["content"] for delta in deltas[1:-1]] == pieces


async def test_a_lone_surrogate_is_sent_as_an_escape(emulator, client):
    emulator.reply(chunks=["\ud83d", "\ude42"])
    response = await client.stream()
    assert r"\ud83d" in response.text
    assert response.join("content") == "\ud83d\ude42"


async def test_other_characters_are_sent_as_utf_8(emulator, client):
    emulator.reply("größer als π")
    assert "größer als π" in (await client.ask()).text


async def test_the_form_of_a_reply_overrides_that_of_the_model(emulator, client):
    emulator.reply("x", form="enveloped")
    assert "state" in (await client.stream(model=GPT)).events[0]


async def test_the_form_of_the_emulator_applies_to_claude_only(http):
    async with Emulator(form="enveloped") as emulator:
        from_claude = await read_first_event(http, emulator, CLAUDE)
        from_gpt = await read_first_event(http, emulator, GPT)
    assert '"state"' in from_claude
    assert '"state"' not in from_gpt


async def read_first_event(http, emulator, model):
    url = f"{emulator.base_url}/chat/completions"
    body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    async with http.post(url, json=body, headers={"Authorization": "Bearer k"}) as response:
        return (await response.text()).split("\n\n")[0]


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("model", [CLAUDE, GPT])
async def test_done_is_sent_as_scripted(emulator, client, model, done):
    emulator.reply("x", done=done)
    assert ("[DONE]" in (await client.stream(model=model)).lines) is done


async def test_usage_is_sent_unchanged(emulator, client):
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 886}
    emulator.reply("x", usage=usage)
    assert (await client.ask(model=GPT)).body["usage"] == usage


async def test_an_empty_usage_sends_none(emulator, client):
    emulator.reply("x", usage={})
    assert (await client.ask()).body["usage"] is None


async def test_usage_is_put_into_the_state_of_the_envelopes(emulator, client):
    emulator.reply("x", usage={"prompt_tokens": 7, "completion_tokens": 70}, form="enveloped")
    states = [event["state"] for event in (await client.stream()).events if "state" in event]
    assert states[0]["usage"]["input_tokens"] == 7
    assert [s["usage"]["output_tokens"] for s in states if "finishReason" in s] == [70]


async def test_a_cost_in_dollars_is_sent_with_its_credits(emulator, client):
    emulator.reply("x", cost=0.0025)
    meta_usage = (await client.ask()).body["meta"]["usage"]
    assert meta_usage == {"credits_used": 5000, "usd_spent": 0.0025}


async def test_a_cost_as_a_mapping_is_sent_unchanged(emulator, client):
    emulator.reply("x", cost={"credits_used": 3})
    response = await client.ask()
    assert response.body["meta"]["usage"] == {"credits_used": 3}
    assert "x-aimlapi-usd-spent" not in response.headers


async def test_an_empty_cost_sends_none(emulator, client):
    for _ in range(2):
        emulator.reply("x", cost={})
    whole, stream = await client.ask(), await client.stream()
    assert "meta" not in whole.body
    assert not any("meta" in event for event in stream.events)


async def test_model_status_and_headers_are_sent_as_scripted(emulator, client):
    for _ in range(2):
        emulator.reply("x", model="other", status=201, headers={"X-Extra": "1"})
    for response in (await client.ask(), await client.stream()):
        assert response.status == 201
        assert response.headers["X-Extra"] == "1"
        assert '"other"' in response.text


async def test_events_are_sent_verbatim(emulator, client):
    emulator.reply(events=[b": ping\r\n\r\n", "not json", "two\nlines", {"a": [1]}, None])
    response = await client.stream()
    assert response.text == (
        ": ping\r\n\r\ndata: not json\n\ndata: two\ndata: lines\n\n"
        'data: {"a":[1]}\n\ndata: null\n\n'
    )


async def test_scripted_events_end_with_done_only_if_scripted(emulator, client):
    emulator.reply(events=["{}"], done=True)
    assert (await client.stream(model=GPT)).lines == ["{}", "[DONE]"]


async def test_scripted_events_do_not_affect_whole_completions(emulator, client):
    emulator.reply("text", events=["{}"])
    assert (await client.ask()).message["content"] == "text"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("body", "sent"), [(b"\xff", "\ufffd"), ("<html>", "<html>"), ({"a": 1}, '{"a":1}'), ([], "[]")]
)
async def test_a_body_is_sent_verbatim_to_either_kind_of_request(
    http, emulator, stream, body, sent
):
    emulator.reply(body=body)
    url = f"{emulator.base_url}/chat/completions"
    request = {"model": GPT, "stream": stream, "messages": [{"role": "user", "content": "Hi"}]}
    async with http.post(url, json=request, headers={"Authorization": "Bearer k"}) as response:
        assert response.content_type == "application/json"
        assert await response.text(errors="replace") == sent


async def test_the_content_type_is_sent_as_scripted(emulator, client):
    emulator.reply(body="<html>", content_type="text/html")
    assert (await client.ask()).headers["Content-Type"] == "text/html"
    emulator.reply("x", content_type="text/plain")
    assert (await client.stream()).headers["Content-Type"] == "text/plain"


async def test_the_emulator_sleeps_for_the_pace_between_two_events(emulator, http, monkeypatch):
    slept = []
    real_sleep = asyncio.sleep

    async def record_sleep(seconds):
        slept.append(seconds)
        await real_sleep(0)

    monkeypatch.setattr("aimlchat.emulator.http.asyncio.sleep", record_sleep)
    emulator.reply(events=["1", "2", "3"], pace=30)
    await read_first_event(http, emulator, GPT)
    assert slept.count(30) == 2


async def test_an_invalid_request_leaves_the_reply_in_the_queue(emulator, client):
    emulator.reply("kept")
    assert (await client.ask(temperature=9)).status == 400
    assert (await client.ask()).message["content"] == "kept"


@pytest.mark.parametrize("reply", [{"reasoning_as": "aloud"}, {"form": "round"}])
def test_an_invalid_reply_raises_value_error(reply):
    with pytest.raises(ValueError, match=next(iter(reply.values()))):
        Emulator().reply(**reply)


@pytest.mark.parametrize(
    "reply",
    [
        {"reasoning": 5},
        {"refusal": b"no"},
        {"chunks": ["a", 1]},
        {"tool_calls": [5]},
        {"tool_calls": ["ab"]},
        {"tool_calls": ("get_weather", {"city": "Oslo"})},
        {"tool_calls": [("get_weather",)]},
        {"tool_calls": [{"arguments": {}}]},
        {"usage": 5},
        {"cost": "much"},
        {"headers": {"a": "b\r\nc"}},
        {"events": [object()]},
        {"body": {1, 2}},
        {"status": 99},
        {"status": "200"},
    ],
)
def test_what_cannot_be_sent_is_refused_where_it_is_scripted(reply):
    with pytest.raises((TypeError, ValueError), match=f"^{next(iter(reply))} "):
        Emulator().reply(**reply)


@pytest.mark.parametrize(
    ("status", "message", "status_code"),
    [
        (400, "Body validation error!", 400),
        (401, "This request requires a valid API key.", 401),
        (403, "You've run out of credits.", "403"),
        (409, "Conflict", 409),
        (429, "Too Many Requests", "429"),
        (500, "Internal server error", 500),
        (503, "Service unavailable", 503),
        (520, "Error 520", 520),
    ],
)
async def test_an_error_has_the_apis_own_body(emulator, client, status, message, status_code):
    emulator.fail(status=status)
    response = await client.ask()
    assert response.status == status
    assert response.body.keys() == {"message", "path", "requestId", "statusCode", "timestamp"}
    assert response.body["message"].startswith(message)
    assert response.body["statusCode"] == status_code
    assert response.body["path"] == "/v1/chat/completions"
    assert response.body["timestamp"].endswith("Z")


async def test_message_and_headers_of_an_error_are_sent_as_scripted(emulator, client):
    emulator.fail(status=429, message="Slow down", retry_after=7, headers={"X-Extra": "1"})
    response = await client.ask()
    assert response.body["message"] == "Slow down"
    assert response.headers["Retry-After"] == "7"
    assert response.headers["X-Extra"] == "1"
    assert response.headers["x-inference-id"]


async def test_retry_after_can_be_sent_in_milliseconds(emulator, client):
    emulator.fail(status=429, retry_after_ms=20)
    assert (await client.ask()).headers["retry-after-ms"] == "20"


@pytest.mark.parametrize(
    ("body", "sent"), [("<h1>Bad gateway</h1>", "<h1>Bad gateway</h1>"), ({"e": 1}, '{"e":1}')]
)
async def test_the_body_of_an_error_is_sent_verbatim(emulator, client, body, sent):
    emulator.fail(status=502, body=body, headers={"Content-Type": "text/html"})
    response = await client.stream()
    assert response.text == sent
    assert response.headers["Content-Type"] == "text/html"


async def test_errors_and_replies_wait_in_one_queue(emulator, client):
    emulator.fail(status=503)
    emulator.reply("then")
    emulator.fail(status=500)
    assert [(await client.ask()).status for _ in range(4)] == [503, 200, 500, 200]


async def test_an_error_precedes_validation_and_serves_every_endpoint(emulator, client, http):
    emulator.fail(status=502)
    assert (await client.ask(temperature=9)).status == 502
    emulator.fail(status=503)
    async with http.get(f"{emulator.base_url}/models") as response:
        assert response.status == 503


async def test_the_same_request_gets_the_same_bytes(monkeypatch):
    monkeypatch.setattr("aimlchat.emulator.answers.time.time", lambda: 1_800_000_000.0)

    async def read_stream(seed):
        async with Emulator(seed=seed) as emulator, aiohttp.ClientSession() as http:
            url = f"{emulator.base_url}/chat/completions"
            body = {
                "model": CLAUDE,
                "stream": True,
                "messages": [{"role": "user", "content": "On ships and harbors"}],
            }
            headers = {"Authorization": "Bearer k"}
            async with http.post(url, json=body, headers=headers) as response:
                return response.headers["x-inference-id"], await response.read()

    assert await read_stream(1) == await read_stream(1)
    assert await read_stream(1) != await read_stream(2)

"""The three formats of a stream, event by event."""

import itertools
import json

import pytest

CLAUDE = "anthropic/claude-3.7-sonnet"
GPT = "openai/gpt-4o"
O3 = "openai/o3"


class TestFlat:
    @pytest.fixture
    async def response(self, emulator, client):
        emulator.reply("All is well.", reasoning="Look around.", usage=None)
        return await client.stream()

    def test_only_the_first_event_has_the_id(self, response):
        first, *others = response.chunks
        assert first["id"].startswith("msg_01")
        assert {chunk["id"] for chunk in others} == {""}

    def test_the_finish_reason_is_absent_and_then_sent_twice(self, response):
        *others, last_but_one, last = response.choices
        assert not any("finish_reason" in choice for choice in others)
        assert last_but_one["finish_reason"] == last["finish_reason"] == "stop"

    def test_the_last_choice_has_no_delta(self, response):
        assert "delta" not in response.choices[-1]

    def test_usage_is_in_the_last_chunk_but_one(self, response):
        *others, last_but_one, last = [chunk["usage"] for chunk in response.chunks]
        assert set(others) == {None}
        assert last is None
        assert last_but_one.keys() == {"prompt_tokens", "completion_tokens", "total_tokens"}

    def test_every_delta_repeats_the_role_and_the_refusal(self, response):
        deltas = [choice["delta"] for choice in response.choices[:-1]]
        assert all(delta["role"] == "assistant" for delta in deltas)
        assert all(delta["refusal"] is None for delta in deltas)

    def test_the_last_event_has_only_the_cost(self, response):
        last = response.events[-1]
        assert last.keys() == {"meta"}
        assert last["meta"]["usage"].keys() == {"credits_used", "usd_spent"}

    def test_either_content_or_reasoning_is_null(self, response):
        deltas = [choice["delta"] for choice in response.choices if "delta" in choice]
        both = [delta for delta in deltas if "reasoning_content" in delta]
        assert both
        assert all((d["content"] is None) != (d["reasoning_content"] is None) for d in both)
        assert response.join("reasoning_content") == "Look around."
        assert response.join("content") == "All is well."

    def test_there_is_no_done(self, response):
        assert "[DONE]" not in response.lines

    def test_the_headers_do_not_have_the_cost(self, response):
        assert "x-aimlapi-usd-spent" not in response.headers
        assert response.headers["x-inference-id"]


class TestEnveloped:
    @pytest.fixture
    async def response(self, emulator, client):
        emulator.reply("All is well.", reasoning="Look around.", form="enveloped")
        return await client.stream()

    @staticmethod
    def states(response):
        return [event["state"] for event in response.events if "state" in event]

    def test_the_usage_of_the_chunks_is_null_or_zero(self, response):
        for chunk in response.chunks:
            assert chunk["usage"] is None or not any(chunk["usage"].values())

    def test_the_first_state_has_the_input_tokens_and_the_last_the_output_tokens(self, response):
        states = self.states(response)
        assert states[0]["usage"]["input_tokens"] > 0
        assert not any(state["usage"]["input_tokens"] for state in states[1:])
        ends = [state for state in states if "finishReason" in state]
        assert [state["finishReason"] for state in ends] == ["end_turn"]
        assert ends[0]["usage"]["output_tokens"] > 1

    def test_the_finish_reason_follows_that_of_the_state_by_one_event(self, response):
        finish = [n for n, state in enumerate(self.states(response)) if "finishReason" in state]
        ending = response.chunks[finish[0] + 1]["choices"][0]
        assert ending == {"index": 0, "finish_reason": "stop"}

    def test_only_the_first_state_has_the_id_of_the_generation(self, response):
        first, *others = self.states(response)
        assert first["generationId"] == response.chunks[0]["id"] != ""
        assert {state["generationId"] for state in others} == {""}

    def test_the_texts_are_those_of_the_flat_format(self, response):
        assert response.join("reasoning_content") == "Look around."
        assert response.join("content") == "All is well."


class TestOpenAI:
    async def test_the_finish_reason_has_an_empty_delta(self, client):
        response = await client.stream(model=GPT)
        last = response.choices[-1]
        assert last["delta"] == {}
        assert last["finish_reason"] == "stop"
        assert {choice["finish_reason"] for choice in response.choices[:-1]} == {None}

    async def test_requested_usage_is_in_a_last_chunk_of_its_own(self, client):
        response = await client.stream(model=O3, stream_options={"include_usage": True})
        last = response.events[-1]
        assert last["choices"] == []
        assert last["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0
        assert last["meta"]["usage"]["usd_spent"] > 0

    async def test_usage_is_not_sent_unless_requested(self, client):
        response = await client.stream(model=GPT)
        assert {chunk["usage"] for chunk in response.events} == {None}
        assert response.events[-1]["meta"]["usage"]["usd_spent"] > 0

    async def test_it_ends_with_done(self, client):
        assert (await client.stream(model=GPT)).lines[-1] == "[DONE]"

    async def test_every_event_has_the_id(self, client):
        response = await client.stream(model=GPT)
        (completion_id,) = {event["id"] for event in response.events}
        assert completion_id.startswith("chatcmpl-")

    async def test_only_openais_own_models_send_extra_fields(self, client):
        gpt = await client.stream(model=GPT)
        grok = await client.stream(model="x-ai/grok-4-fast-reasoning")
        assert all("obfuscation" in event for event in gpt.events)
        assert not any("obfuscation" in event for event in grok.events)


async def test_the_deltas_of_several_choices_are_interleaved(client):
    response = await client.stream("Tell me about lighthouses and fog", model=GPT, n=3)
    order = [choice["index"] for choice in response.choices]
    assert [index for index, _ in itertools.groupby(order)][:9] == [0, 1, 2] * 3
    texts = {response.join("content", choice) for choice in range(3)}
    assert len(texts) > 1
    assert all("lighthouses" in text for text in texts)


async def test_the_text_is_cut_within_words(client):
    response = await client.stream("Why is the sky blue?")
    pieces = [c["delta"]["content"] for c in response.choices if c.get("delta", {}).get("content")]
    pairs = itertools.pairwise(pieces)
    assert any(before[-1].isalpha() and after[0].isalpha() for before, after in pairs)


@pytest.mark.parametrize("form", ["flat", "enveloped", "openai"])
async def test_the_arguments_of_a_tool_call_are_sent_in_fragments(emulator, client, form):
    arguments = {"city": "Paris", "unit": "celsius", "days": [1, 2, 3]}
    emulator.reply(tool_calls=[("weather", arguments), ("time", "{}")], form=form)
    response = await client.stream()
    deltas = [choice.get("delta", {}) for choice in response.choices]
    fragments = [call for delta in deltas for call in delta.get("tool_calls", ())]
    first = [fragment for fragment in fragments if fragment["index"] == 0]
    assert first[0]["id"].startswith("toolu_01")
    assert first[0]["function"] == {"name": "weather", "arguments": ""}
    assert len(first) > 3
    assert json.loads("".join(f["function"]["arguments"] for f in first)) == arguments
    assert response.choices[-1]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize(
    ("scripted", "sent"), [("length", "length"), ("stop", "stop"), ("odd", "odd")]
)
async def test_streams_of_claude_use_openais_finish_reasons(emulator, client, scripted, sent):
    emulator.reply("x", finish_reason=scripted)
    assert (await client.stream()).choices[-1]["finish_reason"] == sent


class TestReasoning:
    @staticmethod
    async def deltas(emulator, client, reasoning_as, **reply):
        reply = {"text": "Yes.", "reasoning": "Is it so?"} | reply
        emulator.reply(reasoning_as=reasoning_as, form="openai", **reply)
        return [choice["delta"] for choice in (await client.stream()).choices]

    async def test_reasoning_as_reasoning_is_sent_twice(self, emulator, client):
        deltas = await self.deltas(emulator, client, "reasoning")
        reasoning = [delta for delta in deltas if delta.get("reasoning")]
        assert "".join(delta["reasoning"] for delta in reasoning) == "Is it so?"
        assert all(d["reasoning_details"][0]["text"] == d["reasoning"] for d in reasoning)

    async def test_reasoning_as_reasoning_details_is_sent_once(self, emulator, client):
        deltas = await self.deltas(emulator, client, "reasoning_details")
        details = [d["reasoning_details"][0] for d in deltas if "reasoning_details" in d]
        assert "".join(detail["text"] for detail in details) == "Is it so?"
        assert not any(delta.get("reasoning") for delta in deltas)

    async def test_reasoning_as_thinking_is_a_part_of_the_content(self, emulator, client):
        deltas = await self.deltas(emulator, client, "thinking")
        parts = [part for d in deltas for part in d.get("content") or () if isinstance(part, dict)]
        assert "".join(p["thinking"] for p in parts if p["type"] == "thinking") == "Is it so?"
        assert "".join(p["text"] for p in parts if p["type"] == "text") == "Yes."

    async def test_reasoning_as_inline_is_between_tags(self, emulator, client):
        deltas = await self.deltas(emulator, client, "inline")
        text = "".join(delta.get("content") or "" for delta in deltas)
        assert text == "<think>\nIs it so?\n</think>\n\nYes."

    async def test_scripted_chunks_are_unchanged_with_inline_reasoning(self, emulator, client):
        deltas = await self.deltas(emulator, client, "inline", chunks=["Ye", "s."])
        assert [delta["content"] for delta in deltas if delta][-2:] == ["Ye", "s."]

    @pytest.mark.parametrize(
        ("model", "field"),
        [
            ("anthropic/claude-opus-4.1", "reasoning_content"),
            ("moonshot/kimi-k2-6", "reasoning_content"),
            ("deepseek/deepseek-r1", "reasoning_content"),
            ("google/gemini-3-flash-preview", "reasoning"),
        ],
    )
    async def test_by_default_the_model_decides_the_reasoning_field(self, client, model, field):
        response = await client.stream(model=model, reasoning_effort="low")
        assert response.join(field)

    @pytest.mark.parametrize("model", ["minimax/m2", "minimax/minimax-m3", "alibaba/qwen3-32b"])
    async def test_some_models_write_think_tags_by_default(self, client, model):
        response = await client.stream(model=model, reasoning_effort="low")
        assert response.join("content").startswith("<think>\n")

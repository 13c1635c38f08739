"""The three forms of a stream, event by event."""

import itertools
import json

import pytest

CLAUDE = "anthropic/claude-3.7-sonnet"
GPT = "openai/gpt-4o"


def chunks_of(answered):
    chunks = [event.get("event", event) for event in answered.events]
    return [chunk for chunk in chunks if "choices" in chunk]


def choices_of(answered):
    return [choice for chunk in chunks_of(answered) for choice in chunk["choices"]]


class TestFlat:
    @pytest.fixture
    async def answered(self, emulator, client):
        emulator.reply("All is well.", reasoning="Look around.", usage=None)
        return await client.stream()

    def test_only_the_first_event_has_the_id(self, answered):
        first, *others = chunks_of(answered)
        assert first["id"].startswith("msg_01")
        assert {chunk["id"] for chunk in others} == {""}

    def test_finish_reason_is_absent_and_then_comes_twice(self, answered):
        *others, last_but_one, last = choices_of(answered)
        assert not any("finish_reason" in choice for choice in others)
        assert last_but_one["finish_reason"] == last["finish_reason"] == "stop"

    def test_the_last_choice_has_no_delta(self, answered):
        assert "delta" not in choices_of(answered)[-1]

    def test_usage_rides_on_the_last_but_one(self, answered):
        *others, last_but_one, last = [chunk["usage"] for chunk in chunks_of(answered)]
        assert set(others) == {None}
        assert last is None
        assert last_but_one.keys() == {"prompt_tokens", "completion_tokens", "total_tokens"}

    def test_every_delta_repeats_role_and_refusal(self, answered):
        deltas = [choice["delta"] for choice in choices_of(answered)[:-1]]
        assert all(delta["role"] == "assistant" for delta in deltas)
        assert all(delta["refusal"] is None for delta in deltas)

    def test_the_cost_comes_after_the_finish_without_choices_and_id(self, answered):
        last = answered.events[-1]
        assert last.keys() == {"meta"}
        assert last["meta"]["usage"].keys() == {"credits_used", "usd_spent"}

    def test_content_is_null_while_reasoning_flows_and_the_other_way_round(self, answered):
        deltas = [choice["delta"] for choice in choices_of(answered) if "delta" in choice]
        both = [delta for delta in deltas if "reasoning_content" in delta]
        assert both
        assert all((d["content"] is None) != (d["reasoning_content"] is None) for d in both)
        assert answered.joined("reasoning_content") == "Look around."
        assert answered.joined("content") == "All is well."

    def test_there_is_no_done(self, answered):
        assert "[DONE]" not in answered.lines

    def test_it_is_not_billed_in_headers(self, answered):
        assert "x-aimlapi-usd-spent" not in answered.headers
        assert answered.headers["x-inference-id"]


class TestEnveloped:
    @pytest.fixture
    async def answered(self, emulator, client):
        emulator.reply("All is well.", reasoning="Look around.", form="enveloped")
        return await client.stream()

    @staticmethod
    def states(answered):
        return [event["state"] for event in answered.events if "state" in event]

    def test_the_usage_of_the_chunks_says_nothing(self, answered):
        for chunk in chunks_of(answered):
            assert chunk["usage"] is None or not any(chunk["usage"].values())

    def test_input_tokens_come_first_and_output_tokens_with_the_end(self, answered):
        states = self.states(answered)
        assert states[0]["usage"]["input_tokens"] > 0
        assert not any(state["usage"]["input_tokens"] for state in states[1:])
        ends = [state for state in states if "finishReason" in state]
        assert [state["finishReason"] for state in ends] == ["end_turn"]
        assert ends[0]["usage"]["output_tokens"] > 1

    def test_the_finish_comes_one_event_after_the_states_own(self, answered):
        where = [n for n, state in enumerate(self.states(answered)) if "finishReason" in state]
        ending = chunks_of(answered)[where[0] + 1]["choices"][0]
        assert ending == {"index": 0, "finish_reason": "stop"}

    def test_the_generation_is_named_once(self, answered):
        first, *others = self.states(answered)
        assert first["generationId"] == chunks_of(answered)[0]["id"] != ""
        assert {state["generationId"] for state in others} == {""}

    def test_the_texts_are_those_of_the_flat_form(self, answered):
        assert answered.joined("reasoning_content") == "Look around."
        assert answered.joined("content") == "All is well."


class TestOpenAI:
    async def test_the_finish_has_an_empty_delta(self, client):
        answered = await client.stream(model=GPT)
        last = choices_of(answered)[-1]
        assert last["delta"] == {}
        assert last["finish_reason"] == "stop"
        assert {choice["finish_reason"] for choice in choices_of(answered)[:-1]} == {None}

    async def test_usage_comes_alone_at_the_end_if_it_is_asked_for(self, client):
        answered = await client.stream(model=GPT, stream_options={"include_usage": True})
        last = answered.events[-1]
        assert last["choices"] == []
        assert last["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0
        assert last["meta"]["usage"]["usd_spent"] > 0

    async def test_usage_does_not_come_unasked(self, client):
        answered = await client.stream(model=GPT)
        assert {chunk["usage"] for chunk in answered.events} == {None}
        assert answered.events[-1]["meta"]["usage"]["usd_spent"] > 0

    async def test_it_ends_with_done(self, client):
        assert (await client.stream(model=GPT)).lines[-1] == "[DONE]"

    async def test_every_event_has_the_id(self, client):
        answered = await client.stream(model=GPT)
        (one,) = {event["id"] for event in answered.events}
        assert one.startswith("chatcmpl-")

    async def test_only_openais_own_models_send_decoration(self, client):
        gpt = await client.stream(model=GPT)
        grok = await client.stream(model="x-ai/grok-4-fast-reasoning")
        assert all("obfuscation" in event for event in gpt.events)
        assert not any("obfuscation" in event for event in grok.events)


async def test_choices_come_interleaved(client):
    answered = await client.stream("Tell me about lighthouses and fog", model=GPT, n=3)
    order = [choice["index"] for choice in choices_of(answered)]
    assert [index for index, _ in itertools.groupby(order)][:9] == [0, 1, 2] * 3
    texts = {answered.joined("content", choice) for choice in range(3)}
    assert len(texts) > 1
    assert all("lighthouses" in text for text in texts)


async def test_words_are_cut_anywhere(client):
    answered = await client.stream("Why is the sky blue?")
    pieces = [
        c["delta"]["content"] for c in choices_of(answered) if c.get("delta", {}).get("content")
    ]
    borders = list(itertools.pairwise(pieces))
    assert any(a[-1].isalpha() and b[0].isalpha() for a, b in borders)


@pytest.mark.parametrize("form", ["flat", "enveloped", "openai"])
async def test_tool_calls_come_in_fragments(emulator, client, form):
    arguments = {"city": "Paris", "unit": "celsius", "days": [1, 2, 3]}
    emulator.reply(tool_calls=[("weather", arguments), ("time", "{}")], form=form)
    answered = await client.stream()
    deltas = [choice.get("delta", {}) for choice in choices_of(answered)]
    fragments = [call for delta in deltas for call in delta.get("tool_calls", ())]
    first = [fragment for fragment in fragments if fragment["index"] == 0]
    assert first[0]["id"].startswith("toolu_01")
    assert first[0]["function"] == {"name": "weather", "arguments": ""}
    assert len(first) > 3
    assert json.loads("".join(f["function"]["arguments"] for f in first)) == arguments
    assert choices_of(answered)[-1]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize(
    ("finish", "flat"), [("length", "length"), ("stop", "stop"), ("odd", "odd")]
)
async def test_streams_of_claude_use_openais_finish_reasons(emulator, client, finish, flat):
    emulator.reply("x", finish_reason=finish)
    assert choices_of(await client.stream())[-1]["finish_reason"] == flat


class TestReasoning:
    @staticmethod
    async def deltas(emulator, client, reasoning_as, **reply):
        reply = {"text": "Yes.", "reasoning": "Is it so?"} | reply
        emulator.reply(reasoning_as=reasoning_as, form="openai", **reply)
        return [choice["delta"] for choice in choices_of(await client.stream())]

    async def test_as_reasoning_it_comes_twice(self, emulator, client):
        deltas = await self.deltas(emulator, client, "reasoning")
        told = [delta for delta in deltas if delta.get("reasoning")]
        assert "".join(delta["reasoning"] for delta in told) == "Is it so?"
        assert all(d["reasoning_details"][0]["text"] == d["reasoning"] for d in told)

    async def test_as_details_it_comes_once(self, emulator, client):
        deltas = await self.deltas(emulator, client, "reasoning_details")
        details = [d["reasoning_details"][0] for d in deltas if "reasoning_details" in d]
        assert "".join(detail["text"] for detail in details) == "Is it so?"
        assert not any(delta.get("reasoning") for delta in deltas)

    async def test_as_thinking_it_is_a_part_of_the_content(self, emulator, client):
        deltas = await self.deltas(emulator, client, "thinking")
        parts = [part for d in deltas for part in d.get("content") or () if isinstance(part, dict)]
        assert "".join(p["thinking"] for p in parts if p["type"] == "thinking") == "Is it so?"
        assert "".join(p["text"] for p in parts if p["type"] == "text") == "Yes."

    async def test_inline_it_stands_between_tags(self, emulator, client):
        deltas = await self.deltas(emulator, client, "inline")
        text = "".join(delta.get("content") or "" for delta in deltas)
        assert text == "<think>\nIs it so?\n</think>\n\nYes."

    async def test_inline_it_leaves_exact_pieces_alone(self, emulator, client):
        deltas = await self.deltas(emulator, client, "inline", chunks=["Ye", "s."])
        assert [delta["content"] for delta in deltas if delta][-2:] == ["Ye", "s."]

    @pytest.mark.parametrize(
        ("model", "field"),
        [
            ("anthropic/claude-opus-4.1", "reasoning_content"),
            ("openai/o3", "reasoning_content"),
            ("deepseek/deepseek-r1", "reasoning_content"),
            ("google/gemini-3-flash-preview", "reasoning"),
        ],
    )
    async def test_by_default_the_model_decides_its_field(self, client, model, field):
        assert (await client.stream(model=model)).joined(field)

    @pytest.mark.parametrize("model", ["minimax/m3", "Qwen/QwQ-32B", "alibaba/qwen3-32b"])
    async def test_some_models_write_tags_by_default(self, client, model):
        assert (await client.stream(model=model)).joined("content").startswith("<think>\n")

"""`ChatSession.stream` and `DeltaStream`: the deltas that a stream yields, and its completion."""

import asyncio

import pytest

from aimlchat import (
    AnswerDelta,
    APIError,
    AuthenticationError,
    ChatSession,
    InvalidRequestError,
    ProtocolError,
    ReasoningDelta,
    StreamInterruptedError,
    ToolCallDelta,
)


async def test_reasoning_and_answer_are_separate_and_in_order(session, emulator):
    emulator.reply("Blue, as it scatters.", reasoning="Think of light.")

    kinds, reasoning, answer = [], "", ""
    async with session.stream("Why?") as stream:
        async for delta in stream:
            kinds.append(type(delta))
            match delta:
                case ReasoningDelta(text):
                    reasoning += text
                case AnswerDelta(text):
                    answer += text

    assert (reasoning, answer) == ("Think of light.", "Blue, as it scatters.")
    assert kinds == sorted(kinds, key=[ReasoningDelta, AnswerDelta].index)
    assert stream.completion.text == answer
    assert stream.completion.reasoning == reasoning


@pytest.mark.parametrize("form", ["flat", "enveloped", "openai"])
async def test_every_form_of_stream_gives_the_same_completion(session, emulator, form):
    emulator.reply("An answer.", reasoning="A thought.", form=form, cost=0.002)

    completion = await session.stream("Why?", model="openai/gpt-4o").collect()

    assert (completion.text, completion.finish_reason) == ("An answer.", "stop")
    assert completion.usage.total_tokens
    assert completion.cost.usd == pytest.approx(0.002)


async def test_the_newest_claude_models_send_usage_unasked(session):
    completion = await session.stream("Why?", model="anthropic/claude-sonnet-5").collect()

    assert completion.usage.completion_tokens > 0


@pytest.mark.parametrize(
    ("model", "wire_name"),
    [
        ("anthropic/claude-3.7-sonnet", "reasoning_content"),
        ("google/gemini-2.5-pro", "reasoning"),
        ("openai/gpt-4o", "reasoning_details"),
        ("mistralai/mistral-nemo", "thinking"),
        ("minimax/minimax-m3", "inline"),
    ],
)
async def test_reasoning_is_found_under_each_of_its_wire_names(session, emulator, model, wire_name):
    emulator.reply("Answer.", reasoning="Thought.", reasoning_as=wire_name)
    emulator.reply("Answer.", reasoning="Thought.", reasoning_as=wire_name)

    streamed = await session.stream("Why?", model=model).collect()
    whole = await session.complete("Why?", model=model)

    assert (streamed.reasoning, streamed.text) == ("Thought.", "Answer.")
    assert (whole.reasoning, whole.text) == ("Thought.", "Answer.")


async def test_a_text_view_yields_one_kind_of_text(session, emulator):
    emulator.reply("Answer.", reasoning="Thought.")
    emulator.reply("Answer.", reasoning="Thought.")

    assert "".join([text async for text in session.stream("Why?").answer_text()]) == "Answer."
    assert "".join([text async for text in session.stream("Why?").reasoning_text()]) == "Thought."


async def test_the_deltas_of_each_choice_are_kept_separate(session, emulator):
    stream = session.stream("Tell me a story", model="openai/gpt-4o", n=2)

    texts = {0: "", 1: ""}
    async for delta in stream:
        if isinstance(delta, AnswerDelta):
            texts[delta.choice] += delta.text

    assert [choice.text for choice in stream.completion.choices] == [texts[0], texts[1]]
    assert stream.completion.text == texts[0]


async def test_tool_calls_come_in_fragments_and_are_usable_at_the_end(session, emulator):
    emulator.reply(tool_calls=[("get_weather", {"city": "Ulm"})])

    stream = session.stream("Weather?", model="openai/gpt-4o")
    first = await anext(stream)
    with pytest.raises(ProtocolError, match="cut off"):
        _ = stream.partial.tool_calls[0].arguments
    completion = await stream.collect()

    assert isinstance(first, ToolCallDelta)
    assert first.name == "get_weather"
    assert completion.tool_calls[0].arguments == {"city": "Ulm"}
    assert completion.finish_reason == "tool_calls"


async def test_nothing_is_sent_until_the_stream_is_entered(session, emulator):
    stream = session.stream("Why?")
    assert emulator.requests == []

    async with stream:
        assert len(emulator.requests) == 1
        assert stream.inference_id == emulator.requests[0].inference_id


async def test_a_status_error_is_raised_on_entering_with_an_empty_partial(session, emulator):
    emulator.fail(status=401)
    stream = session.stream("Why?")

    with pytest.raises(AuthenticationError) as caught:
        await stream.__aenter__()

    assert caught.value.partial.text == ""
    with pytest.raises(AuthenticationError):
        await anext(stream)


async def test_a_bad_request_is_refused_before_it_is_sent(session, emulator):
    with pytest.raises(InvalidRequestError) as caught:
        await session.stream("Why?", top_logprobs=3, model="openai/gpt-4o").collect()

    assert caught.value.partial is not None
    assert emulator.requests == []


async def test_the_completion_is_not_available_before_the_end(session):
    async with session.stream("Why?") as stream:
        with pytest.raises(RuntimeError, match="not ended"):
            _ = stream.completion


async def test_the_partial_grows_with_the_stream(session, emulator):
    emulator.reply(chunks=["One, ", "two."])

    stream = session.stream("Count")
    seen = [(delta.text, len(stream.partial.text)) async for delta in stream]

    assert seen[-1][1] == len("One, two.")


async def test_iterating_again_continues_where_it_stopped(session, emulator):
    emulator.reply(chunks=["One, ", "two, ", "three."])

    stream = session.stream("Count")
    text = ""
    async for delta in stream:
        text += delta.text
        break
    async for delta in stream:
        text += delta.text

    assert text == "One, two, three."
    assert [delta async for delta in stream] == []


async def test_a_stream_that_was_read_to_its_end_returns_its_connection(session, emulator):
    for _ in range(3):
        await session.stream("Why?").collect()

    assert emulator.open_connections == 1


async def test_two_tasks_cannot_read_one_stream(stalling_session, stalling_server):
    async with stalling_session.stream("Count") as stream:
        await anext(stream)
        reader = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="one task"):
            await anext(stream)
        reader.cancel()
        await asyncio.wait([reader])


async def test_a_closed_stream_cannot_be_entered(session):
    stream = session.stream("Why?")
    await stream.aclose()

    with pytest.raises(StreamInterruptedError):
        await stream.__aenter__()


@pytest.mark.parametrize("body", [b"<!doctype html><p>Hi", b"null", b"[]", b"", b"{"])
async def test_a_200_without_a_stream_is_a_protocol_error(session, emulator, body):
    emulator.reply(body=body)

    with pytest.raises(ProtocolError) as caught:
        await session.stream("Why?").collect()

    assert caught.value.partial is not None


async def test_a_whole_body_for_a_stream_request_is_read_as_deltas(session, emulator):
    emulator.reply(body={"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]})

    stream = session.stream("Why?")

    assert [delta.text async for delta in stream] == ["Hi"]
    assert stream.completion.text == "Hi"


async def test_a_200_whose_body_is_an_error_raises_that_error(session, emulator):
    emulator.reply(body={"message": "no", "statusCode": 400, "path": "/", "requestId": "r"})

    with pytest.raises(APIError) as caught:
        await session.stream("Why?").collect()

    assert caught.value.status == 400


async def test_a_stream_waits_for_the_choices_that_extra_requests(emulator):
    def chunk(index, text):
        return {"choices": [{"index": index, "delta": {"content": text}, "finish_reason": "stop"}]}

    emulator.reply(events=[chunk(0, "zero"), chunk(1, "one")], pace=0.02, done=True)
    async with ChatSession("test-key", base_url=emulator.base_url) as session:
        stream = session.stream("Hi", model="gpt-4o", extra={"n": 2})
        completion = await stream.collect()

    assert [choice.text for choice in completion.choices] == ["zero", "one"]
    assert stream._opened.request.n == 2

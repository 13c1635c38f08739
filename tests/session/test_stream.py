"""`ChatSession.stream` and `DeltaStream`, against the emulator and over raw sockets."""

import asyncio
import gc
import weakref

import pytest
from clockwork import Clockwork, session_on
from raw_server import CHUNKED, HEAD, content, http_chunk, serving

from aimlchat import (
    AIMLChatError,
    AnswerDelta,
    APIError,
    AuthenticationError,
    ChatSession,
    InvalidRequestError,
    ProtocolError,
    ReasoningDelta,
    ServerError,
    StreamInterruptedError,
    ToolCallDelta,
)


async def test_reasoning_and_answer_come_apart_and_in_order(session, emulator):
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


@pytest.mark.parametrize(
    ("model", "wire_name"),
    [
        ("anthropic/claude-3.7-sonnet", "reasoning_content"),
        ("google/gemini-2.5-pro", "reasoning"),
        ("openai/gpt-4o", "reasoning_details"),
        ("mistral/magistral", "thinking"),
        ("minimax/m3", "inline"),
    ],
)
async def test_reasoning_is_found_under_each_of_its_names(session, emulator, model, wire_name):
    emulator.reply("Answer.", reasoning="Thought.", reasoning_as=wire_name)
    emulator.reply("Answer.", reasoning="Thought.", reasoning_as=wire_name)

    streamed = await session.stream("Why?", model=model).collect()
    whole = await session.complete("Why?", model=model)

    assert (streamed.reasoning, streamed.text) == ("Thought.", "Answer.")
    assert (whole.reasoning, whole.text) == ("Thought.", "Answer.")


async def test_the_views_filter_one_kind_of_text(session, emulator):
    emulator.reply("Answer.", reasoning="Thought.")
    emulator.reply("Answer.", reasoning="Thought.")

    assert "".join([text async for text in session.stream("Why?").answer_text()]) == "Answer."
    assert "".join([text async for text in session.stream("Why?").reasoning_text()]) == "Thought."


async def test_choices_are_kept_apart(session, emulator):
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


async def test_the_completion_is_not_to_be_had_before_the_end(session):
    async with session.stream("Why?") as stream:
        with pytest.raises(RuntimeError, match="not ended"):
            _ = stream.completion


async def test_the_partial_grows_with_the_stream(session, emulator):
    emulator.reply(chunks=["One, ", "two."])

    stream = session.stream("Count")
    seen = [(delta.text, len(stream.partial.text)) async for delta in stream]

    assert seen[-1][1] == len("One, two.")


async def test_iterating_again_goes_on_where_it_stopped(session, emulator):
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


async def test_a_stream_read_to_its_end_gives_its_connection_back(session, emulator):
    for _ in range(3):
        await session.stream("Why?").collect()

    assert emulator.open_connections == 1


async def test_a_name_kept_past_break_is_closed_by_the_context(thoughtful, thinker):

    async with thoughtful.stream("Count") as stream:
        async for _ in stream:
            break

    await thinker.gone.wait()
    assert stream.partial.text
    with pytest.raises(RuntimeError):
        _ = stream.completion


async def test_a_bare_break_closes_the_connection_by_reference_counts_alone(thoughtful, thinker):
    gc.disable()
    try:
        async for _ in thoughtful.stream("Count"):
            break
        await thinker.gone.wait()
    finally:
        gc.enable()


async def test_a_view_that_is_dropped_closes_the_connection(thoughtful, thinker):

    async for _ in thoughtful.stream("Count").answer_text():
        break

    await thinker.gone.wait()


async def test_cancelling_the_reader_closes_the_connection(thoughtful, thinker):
    stream = thoughtful.stream("Count")
    await anext(stream)
    reader = asyncio.create_task(stream.collect())
    await asyncio.sleep(0)
    reader.cancel()

    with pytest.raises(asyncio.CancelledError):
        await reader
    await thinker.gone.wait()
    with pytest.raises(StreamInterruptedError) as caught:
        await anext(stream)
    assert caught.value.partial.text == "One"


async def test_cancelling_before_the_head_closes_the_connection(silent):
    async with ChatSession("k", base_url=silent.base_url) as session:
        opening = asyncio.create_task(session.stream("Why?").collect())
        await silent.asked.wait()
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        await silent.gone.wait()


async def test_closing_from_another_task_ends_the_reader_with_an_error(thoughtful, thinker):
    stream = thoughtful.stream("Count")
    await anext(stream)
    reader = asyncio.create_task(stream.collect())
    await asyncio.sleep(0)

    await stream.aclose()

    with pytest.raises(StreamInterruptedError):
        await reader
    await thinker.gone.wait()


async def test_closing_the_session_ends_its_streams_with_an_error(thoughtful, thinker):
    stream = thoughtful.stream("Count")
    await anext(stream)

    await thoughtful.close()

    with pytest.raises(StreamInterruptedError) as caught:
        await stream.collect()
    assert caught.value.partial.text == "One"


async def test_two_tasks_cannot_read_one_stream(thoughtful, thinker):
    async with thoughtful.stream("Count") as stream:
        await anext(stream)
        reader = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="one task"):
            await anext(stream)
        reader.cancel()
        await asyncio.wait([reader])


@pytest.mark.parametrize("head", [CHUNKED, HEAD + b"Connection: close\r\n\r\n"])
async def test_a_stream_that_is_cut_raises_with_its_partial(head):
    async def cut(_, writer):
        body = content("Hello ") + content("world")
        writer.write(head + (http_chunk(body) if head is CHUNKED else body))
        writer.close()

    async with serving(cut) as server, ChatSession("k", base_url=server.base_url) as session:
        stream = session.stream("Why?")
        with pytest.raises(StreamInterruptedError) as caught:
            await stream.collect()

    assert caught.value.partial.text == "Hello world"
    assert [attempt.cause for attempt in caught.value.attempts] == [str(caught.value)]
    assert stream.attempts == caught.value.attempts
    with pytest.raises(StreamInterruptedError):
        _ = stream.completion


async def test_an_end_of_file_after_the_finish_reason_is_a_good_end():
    async def finish(_, writer):
        body = content("Hello") + content("", '"stop"')
        writer.write(HEAD + b"Connection: close\r\n\r\n" + body)
        writer.close()

    async with serving(finish) as server, ChatSession("k", base_url=server.base_url) as session:
        assert (await session.stream("Why?").collect()).text == "Hello"


async def test_a_reset_after_the_finish_reason_is_a_good_end():
    async def finish(_, writer):
        writer.write(CHUNKED + http_chunk(content("Hello") + content("", '"stop"')))
        await writer.drain()
        writer.transport.abort()

    async with serving(finish) as server, ChatSession("k", base_url=server.base_url) as session:
        assert (await session.stream("Why?").collect()).text == "Hello"


async def test_what_http_had_buffered_when_the_connection_broke_is_not_lost():
    sent = asyncio.Event()

    async def answer(_, writer):
        writer.write(CHUNKED + http_chunk(content("Hello ")))
        await sent.wait()
        writer.write(http_chunk(content("wide ")) + http_chunk(content("world")))
        writer.close()

    async with serving(answer) as server, ChatSession("k", base_url=server.base_url) as session:
        stream = session.stream("Why?")
        await anext(stream)
        sent.set()
        # The reader is busy while the rest of the answer and the end of the connection arrive.
        response = stream._opened.exchange._response
        while response.content.exception() is None:  # noqa: ASYNC110 - aiohttp tells nobody
            await asyncio.sleep(0)
        with pytest.raises(StreamInterruptedError) as caught:
            await stream.collect()

    assert caught.value.partial.text == "Hello wide world"


async def test_a_socket_left_open_after_done_does_not_hold_the_caller_up():
    async def linger(reader, writer):
        writer.write(CHUNKED + http_chunk(content("Hello") + b"data: [DONE]\n\n"))
        await reader.read()

    async with serving(linger) as server, ChatSession("k", base_url=server.base_url) as session:
        assert (await session.stream("Why?").collect()).text == "Hello"
        await server.gone.wait()


async def test_after_the_last_finish_reason_the_stream_waits_only_so_long():
    async def linger(reader, writer):
        writer.write(CHUNKED + http_chunk(content("Hello", '"stop"')))
        await reader.read()

    clock = Clockwork()
    async with serving(linger) as server, session_on(clock, server.base_url) as session:
        stream = session.stream("Why?")
        await anext(stream)
        end = asyncio.ensure_future(stream.collect())
        await asyncio.sleep(0)  # it waits for the tail now
        clock.advance(5)

        assert (await end).text == "Hello"


async def test_usage_that_comes_after_the_finish_reason_is_waited_for():
    finished = asyncio.Event()

    async def answer(_, writer):
        writer.write(CHUNKED + http_chunk(content("Hello", '"stop"')))
        await finished.wait()
        usage = b'data: {"choices":[],"usage":{"prompt_tokens":3,"total_tokens":4}}\n\n'
        writer.write(http_chunk(usage) + b"0\r\n\r\n")

    async with serving(answer) as server, ChatSession("k", base_url=server.base_url) as session:
        stream = session.stream("Why?")
        await anext(stream)
        finished.set()
        completion = await stream.collect()

    assert completion.usage.prompt_tokens == 3


async def test_an_error_event_is_its_error_with_all_that_came_before(session, emulator):
    event = {"choices": [{"index": 0, "delta": {"content": "Hel"}}]}
    error = {"error": {"message": "Overloaded", "type": "overloaded_error"}}
    emulator.reply(events=[event, error])

    stream = session.stream("Why?")
    assert (await anext(stream)).text == "Hel"
    with pytest.raises(ServerError) as caught:
        await anext(stream)

    assert caught.value.status == 529
    assert caught.value.partial.text == "Hel"


@pytest.mark.parametrize("body", [b"<!doctype html><p>Hi", b"null", b"[]", b"", b"{"])
async def test_a_200_without_a_stream_is_a_protocol_error(session, emulator, body):
    emulator.reply(body=body)

    with pytest.raises(ProtocolError) as caught:
        await session.stream("Why?").collect()

    assert caught.value.partial is not None


async def test_a_whole_answer_to_a_stream_request_is_obeyed(session, emulator):
    emulator.reply(body={"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]})

    stream = session.stream("Why?")

    assert [delta.text async for delta in stream] == ["Hi"]
    assert stream.completion.text == "Hi"


async def test_a_200_with_an_error_is_that_error(session, emulator):
    emulator.reply(body={"message": "no", "statusCode": 400, "path": "/", "requestId": "r"})

    with pytest.raises(APIError) as caught:
        await session.stream("Why?").collect()

    assert caught.value.status == 400


async def test_every_error_out_of_a_stream_is_of_the_one_tree():
    async def babble(_, writer):
        writer.write(b"EHLO example.invalid\r\n\r\n")
        writer.close()

    async with serving(babble) as server, ChatSession("k", base_url=server.base_url) as session:
        with pytest.raises(AIMLChatError) as caught:
            await session.stream("Why?").collect()

    assert caught.value.partial is not None


@pytest.mark.parametrize("size", [b"zz", b"-5"])
async def test_a_chunk_whose_size_is_broken_does_not_hang_the_reader(size):
    started = asyncio.Event()

    async def babble(reader, writer):
        writer.write(CHUNKED + http_chunk(content("Hello")))
        await started.wait()
        writer.write(size + b"\r\n")
        await reader.read()

    async with serving(babble) as server, ChatSession("k", base_url=server.base_url) as session:
        stream = session.stream("Why?")
        await anext(stream)
        started.set()
        with pytest.raises(StreamInterruptedError) as caught:
            await stream.collect()

    assert caught.value.partial.text == "Hello"


async def test_leaving_from_another_task_before_the_head_closes_the_connection(silent):
    async with ChatSession("k", base_url=silent.base_url) as session:
        stream = session.stream("Why?")
        reader = asyncio.create_task(stream.collect())
        await silent.asked.wait()

        await stream.aclose()

        await silent.gone.wait()
        with pytest.raises(StreamInterruptedError):
            await reader


async def test_a_stream_that_was_left_cannot_be_entered(session):
    stream = session.stream("Why?")
    await stream.aclose()

    with pytest.raises(StreamInterruptedError):
        await stream.__aenter__()


@pytest.mark.parametrize(
    "events", [[b"data: {junk\n\n"], [{"error": "no"}], [{"choices": [{"delta": {}}]}]]
)
async def test_a_stream_that_failed_is_freed_by_reference_counts_alone(session, emulator, events):
    emulator.reply(events=events)
    gc.collect()
    gc.disable()
    try:
        stream = session.stream("Why?")
        with pytest.raises(AIMLChatError):
            await stream.collect()
        alive = weakref.ref(stream)
        del stream
        await asyncio.sleep(0)
        assert alive() is None
    finally:
        gc.enable()

"""The end of a stream behind its finish reason: what starts the wait anew, and what ends it."""

import asyncio
import json

import pytest
from clockwork import session_on
from raw_server import CHUNKED, STREAM_HEADERS, content, http_chunk, serving
from virtual_time import LoopClock, run_in_virtual_time

from aimlchat import (
    AnswerDelta,
    ChatSession,
    ProtocolError,
    RetryPolicy,
    ServerError,
    StreamInterruptedError,
)

STOP = '"stop"'
PING = b": ping\n\n"
UNTIL_THE_END = STREAM_HEADERS + b"Connection: close\r\n\r\n"
FAILED = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}\n\n'


def collect_in_virtual_time(*events, end=b""):
    """Collect a stream whose events come one a second; return its completion, and how long it took.

    After the last one the connection stays open, unless ``end`` closes it.
    """

    async def respond(reader, writer):
        writer.write(CHUNKED)
        for event in events:
            writer.write(http_chunk(event))
            await asyncio.sleep(1)
        writer.write(end)
        await reader.read()

    async def main():
        async with serving(respond) as server, session_on(LoopClock(), server.base_url) as session:
            start = asyncio.get_running_loop().time()
            completion = await session.stream("Why?").collect()
            return completion, asyncio.get_running_loop().time() - start

    return run_in_virtual_time(main())


@pytest.mark.parametrize("space", [b"", b" "], ids=["fast path", "lenient path"])
def test_each_delta_behind_a_finish_reason_starts_the_wait_anew(space):
    words = [f"{i} " for i in range(9)]
    events = [content(word, STOP) for word in words]
    if space:  # an unknown key, which only the lenient path reads
        events = [e.replace(b'"model"', b'"created":[0],"model"') for e in events]
    completion, seconds = collect_in_virtual_time(*events)
    assert completion.text == "".join(words)
    assert seconds == pytest.approx(8 + 5)


def test_a_delta_without_a_finish_reason_starts_it_anew_too():
    completion, seconds = collect_in_virtual_time(
        content("a", STOP), PING, PING, content("b"), PING, PING, content("c")
    )
    assert completion.text == "abc"
    assert seconds == pytest.approx(6 + 5)


def test_pings_and_empty_chunks_do_not():
    completion, seconds = collect_in_virtual_time(content("a", STOP), *[PING, content("")] * 4)
    assert completion.text == "a"
    assert seconds == pytest.approx(5)


@pytest.mark.parametrize("word", ["null", "", "None"])
def test_a_word_that_is_no_finish_reason_does_not_begin_it(word):
    events = [content(text, json.dumps(word)) for text in "ab"] + [PING] * 6
    completion, _ = collect_in_virtual_time(*events, content("c", STOP), b"data: [DONE]\n\n")
    assert (completion.text, completion.finish_reason) == ("abc", "stop")


@pytest.mark.parametrize("reset", [False, True])
async def test_a_cut_is_a_failure_if_text_came_behind_a_finish_reason(reset):
    async def cut(_, writer):
        writer.write(CHUNKED + http_chunk(content("a", STOP)) + http_chunk(content("b", STOP)))
        await writer.drain()
        writer.transport.abort() if reset else writer.close()

    async with serving(cut) as server, ChatSession("k", base_url=server.base_url) as session:
        with pytest.raises(StreamInterruptedError) as caught:
            await session.stream("Why?").collect()
    assert caught.value.partial.text == "ab"
    assert not caught.value.partial.is_complete


@pytest.mark.parametrize("is_stream", [True, False])
async def test_an_error_in_a_choice_is_retried_where_no_text_had_come(is_stream):
    answers = [
        b'{"choices":[{"index":0,"message":{"content":""},"finish_reason":"error"}]}',
        b'{"choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}]}',
    ]
    if is_stream:
        answers = [FAILED, content("Hi", STOP)]

    async def respond(_, writer):
        writer.write(UNTIL_THE_END + answers.pop(0))
        writer.close()

    retry = RetryPolicy(base_delay=0)
    async with (
        serving(respond) as server,
        ChatSession("k", base_url=server.base_url, retry=retry) as session,
    ):
        stream = session.stream("Why?") if is_stream else None
        completion = await (stream.collect() if stream else session.complete("Why?"))
    assert (completion.text, completion.is_complete) == ("Hi", True)
    assert [attempt.number for attempt in completion.attempts] == [1, 2]


@pytest.mark.parametrize("is_stream", [True, False])
async def test_an_error_in_a_choice_is_not_retried_behind_text(is_stream):
    answer = b'{"choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"error"}]}'

    async def respond(_, writer):
        writer.write(UNTIL_THE_END + (content("Hi") + FAILED if is_stream else answer))
        writer.close()

    async with serving(respond) as server, ChatSession("k", base_url=server.base_url) as session:
        stream = session.stream("Why?") if is_stream else None
        with pytest.raises(ServerError) as caught:
            await (stream.collect() if stream else session.complete("Why?"))
    assert caught.value.partial.text == "Hi"
    assert len(caught.value.attempts) == 1


async def test_chunks_that_count_themselves_are_one_choice_in_a_session(session, emulator):
    emulator.reply(
        events=[
            {"choices": [{"index": i, "delta": {"content": word}, "finish_reason": finish}]}
            for i, (word, finish) in enumerate([("One ", None), ("two.", None), ("", "stop")])
        ]
    )
    stream = session.stream("Count")
    assert [text async for text in stream.answer_text()] == ["One ", "two."]
    assert stream.completion.text == "One two."


async def test_a_stream_of_another_api_is_an_error_and_not_an_empty_answer(session, emulator):
    emulator.reply(body=b'{"message":{"content":"Hi"},"done":false}\n{"done":true}\n')
    with pytest.raises(ProtocolError, match="no text was found"):
        await session.stream("Why?").collect()


async def test_every_delta_before_an_error_line_is_yielded(session, emulator):
    emulator.reply(body=content("Hel") + b'error: {"code":500,"message":"slot unavailable"}\n\n')
    stream = session.stream("Why?")
    assert await anext(stream) == AnswerDelta("Hel")
    with pytest.raises(ServerError, match="slot unavailable"):
        await anext(stream)

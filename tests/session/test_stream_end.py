"""How a stream ends: complete, cut, broken, or with an error event."""

import asyncio

import pytest
from clockwork import Clockwork, session_on
from raw_server import CHUNKED, STREAM_HEADERS, content, http_chunk, serving

from aimlchat import AIMLChatError, ChatSession, ServerError, StreamInterruptedError


@pytest.mark.parametrize("headers", [CHUNKED, STREAM_HEADERS + b"Connection: close\r\n\r\n"])
async def test_a_stream_that_is_cut_raises_with_its_partial(headers):
    async def cut(_, writer):
        body = content("Hello ") + content("world")
        writer.write(headers + (http_chunk(body) if headers is CHUNKED else body))
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


async def test_text_that_is_buffered_at_the_cut_comes_before_the_failure():
    async def cut(_, writer):
        writer.write(CHUNKED + http_chunk(content("Hello") + content(" </thi")))
        writer.close()

    async with serving(cut) as server, ChatSession("k", base_url=server.base_url) as session:
        stream = session.stream("Why?", model="qwen3-32b")
        deltas = [await anext(stream), await anext(stream), await anext(stream)]
        with pytest.raises(StreamInterruptedError) as caught:
            await anext(stream)

    assert [delta.text for delta in deltas] == ["Hello", " ", "</thi"]
    assert caught.value.partial.text == "Hello </thi"


async def test_an_end_of_file_after_the_finish_reason_completes_the_stream():
    async def finish(_, writer):
        body = content("Hello") + content("", '"stop"')
        writer.write(STREAM_HEADERS + b"Connection: close\r\n\r\n" + body)
        writer.close()

    async with serving(finish) as server, ChatSession("k", base_url=server.base_url) as session:
        assert (await session.stream("Why?").collect()).text == "Hello"


async def test_a_reset_after_the_finish_reason_completes_the_stream():
    async def finish(_, writer):
        writer.write(CHUNKED + http_chunk(content("Hello") + content("", '"stop"')))
        await writer.drain()
        writer.transport.abort()

    async with serving(finish) as server, ChatSession("k", base_url=server.base_url) as session:
        assert (await session.stream("Why?").collect()).text == "Hello"


async def test_what_aiohttp_had_buffered_when_the_connection_broke_is_not_lost():
    sent = asyncio.Event()

    async def respond(_, writer):
        writer.write(CHUNKED + http_chunk(content("Hello ")))
        await sent.wait()
        writer.write(http_chunk(content("wide ")) + http_chunk(content("world")))
        writer.close()

    async with serving(respond) as server, ChatSession("k", base_url=server.base_url) as session:
        stream = session.stream("Why?")
        await anext(stream)
        sent.set()
        # The reader does something else while the rest and the end of the connection arrive.
        response = stream._opened.response._response
        while response.content.exception() is None:  # noqa: ASYNC110 - aiohttp has no event for it
            await asyncio.sleep(0)
        with pytest.raises(StreamInterruptedError) as caught:
            await stream.collect()

    assert caught.value.partial.text == "Hello wide world"


async def test_a_connection_left_open_after_done_does_not_delay_the_caller():
    async def linger(reader, writer):
        writer.write(CHUNKED + http_chunk(content("Hello") + b"data: [DONE]\n\n"))
        await reader.read()

    async with serving(linger) as server, ChatSession("k", base_url=server.base_url) as session:
        assert (await session.stream("Why?").collect()).text == "Hello"
        await server.gone.wait()


async def test_the_wait_after_the_last_finish_reason_is_limited():
    async def linger(reader, writer):
        writer.write(CHUNKED + http_chunk(content("Hello", '"stop"')))
        await reader.read()

    clock = Clockwork()
    async with serving(linger) as server, session_on(clock, server.base_url) as session:
        stream = session.stream("Why?")
        await anext(stream)
        end = asyncio.ensure_future(stream.collect())
        await asyncio.sleep(0)  # until it waits for usage, cost and [DONE]
        clock.advance(5)

        assert (await end).text == "Hello"


async def test_a_stream_waits_for_usage_after_the_finish_reason():
    finished = asyncio.Event()

    async def respond(_, writer):
        writer.write(CHUNKED + http_chunk(content("Hello", '"stop"')))
        await finished.wait()
        usage = b'data: {"choices":[],"usage":{"prompt_tokens":3,"total_tokens":4}}\n\n'
        writer.write(http_chunk(usage) + b"0\r\n\r\n")

    async with serving(respond) as server, ChatSession("k", base_url=server.base_url) as session:
        stream = session.stream("Why?")
        await anext(stream)
        finished.set()
        completion = await stream.collect()

    assert completion.usage.prompt_tokens == 3


async def test_an_error_event_raises_its_error_with_all_that_was_received(session, emulator):
    event = {"choices": [{"index": 0, "delta": {"content": "Hel"}}]}
    error = {"error": {"message": "Overloaded", "type": "overloaded_error"}}
    emulator.reply(events=[event, error])

    stream = session.stream("Why?")
    assert (await anext(stream)).text == "Hel"
    with pytest.raises(ServerError) as caught:
        await anext(stream)

    assert caught.value.status == 529
    assert caught.value.partial.text == "Hel"


async def test_a_response_that_is_not_http_raises_an_aimlchat_error():
    async def send_junk(_, writer):
        writer.write(b"EHLO example.invalid\r\n\r\n")
        writer.close()

    async with serving(send_junk) as server, ChatSession("k", base_url=server.base_url) as session:
        with pytest.raises(AIMLChatError) as caught:
            await session.stream("Why?").collect()

    assert caught.value.partial is not None


@pytest.mark.parametrize("size", [b"zz", b"-5"])
async def test_a_chunk_whose_size_is_broken_does_not_hang_the_reader(size):
    started = asyncio.Event()

    async def send_junk(reader, writer):
        writer.write(CHUNKED + http_chunk(content("Hello")))
        await started.wait()
        writer.write(size + b"\r\n")
        await reader.read()

    async with serving(send_junk) as server, ChatSession("k", base_url=server.base_url) as session:
        stream = session.stream("Why?")
        await anext(stream)
        started.set()
        with pytest.raises(StreamInterruptedError) as caught:
            await stream.collect()

    assert caught.value.partial.text == "Hello"

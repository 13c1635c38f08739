"""Responses that a fault slows down, or stalls until the client or the emulator closes."""

import asyncio
import json

import pytest

from aimlchat.emulator import Pings, SlowClose, Stall, Trickle

CLAUDE = "anthropic/claude-3.7-sonnet"
GPT = "openai/gpt-4o"
STREAM = b"data: one\n\ndata: two\n\ndata: three\n\n"
WHOLE = b'{"text":"blue"}'
PING_CHUNK = b"8\r\n: ping\n\n\r\n"
HANGING = [Stall(before="headers"), Stall(before="first_token"), Stall(after=1), Pings(3600)]

# Only ends a test that fails: a test that passes waits for an event, not for this time.
GUARD_SECONDS = 30


class TestStall:
    @pytest.mark.parametrize("stream", [True, False])
    async def test_before_the_head_nothing_is_sent(self, raw, stream):
        response = await raw.ask_with(Stall(before="headers"), stream=stream)
        assert (response.data, response.ended) == (b"", "quiet")

    @pytest.mark.parametrize(("model", "events"), [(CLAUDE, 2), (GPT, 1)])
    async def test_before_the_first_token_only_empty_deltas_are_sent(
        self, emulator, raw, model, events
    ):
        emulator.reply("Blue.", reasoning="Light.", fault=Stall(before="first_token"))
        response = await raw.ask(model=model)
        assert response.ended == "quiet"
        assert response.unchunked.count(b"data: ") == events
        assert b"Blue" not in response.unchunked
        assert b"Light" not in response.unchunked

    @pytest.mark.parametrize("after", [0, 1, 3])
    async def test_the_given_number_of_deltas_is_sent(self, raw, after):
        response = await raw.ask_with(Stall(after=after))
        assert response.headers.startswith("HTTP/1.1 200")
        assert response.unchunked.count(b"data: ") == after
        assert response.ended == "quiet"

    async def test_only_events_with_text_count_as_deltas(self, emulator, raw):
        emulator.reply(chunks=["a", "b", "c"], fault=Stall(after=2))
        response = await raw.ask(model=CLAUDE)
        chunks = [json.loads(line[6:]) for line in response.unchunked.split(b"\n\n")[:-1]]
        contents = [chunk["choices"][0]["delta"]["content"] for chunk in chunks]
        assert contents == ["", "", "a", "b"]

    async def test_a_response_with_fewer_deltas_does_not_stall(self, raw):
        assert (await raw.ask_with(Stall(after=4))).is_complete

    @pytest.mark.parametrize(
        ("stall", "sent"), [({"before": "first_token"}, 0), ({"after": 0}, 0), ({"after": 1}, 7)]
    )
    async def test_a_whole_response_stalls_after_its_headers_or_in_its_middle(
        self, raw, stall, sent
    ):
        response = await raw.ask_with(Stall(**stall), stream=False)
        assert f"Content-Length: {len(WHOLE)}" in response.headers
        assert response.body == WHOLE[:sent]
        assert response.ended == "quiet"


class TestPings:
    @pytest.mark.parametrize("after", [0, 2])
    async def test_they_follow_the_given_number_of_deltas(self, emulator, raw, after):
        emulator.reply(events=["one", "two", "three"], fault=Pings(0.001, after=after))
        reader, writer = await raw.connect()
        async with asyncio.timeout(GUARD_SECONDS):
            await reader.readuntil(b"\r\n\r\n")
            body = await reader.readuntil(b": ping\n\n\r\n")
        writer.close()
        events = [b"data: one\n\n", b"data: two\n\n"][:after]
        assert body == b"".join(b"b\r\n%b\r\n" % event for event in events) + PING_CHUNK

    async def test_they_go_on_until_the_client_disconnects(self, emulator, raw):
        emulator.fault(Pings(0.001))
        reader, writer = await raw.connect()
        async with asyncio.timeout(GUARD_SECONDS):
            for _ in range(20):
                await reader.readuntil(b": ping\n\n")
            writer.close()
            await emulator.requests[0].finished()
        assert emulator.requests[0].outcome == "left"

    async def test_a_whole_response_gets_line_feeds_instead(self, emulator, raw):
        emulator.fault(Pings(0.001))
        reader, writer = await raw.connect(stream=False)
        async with asyncio.timeout(GUARD_SECONDS):
            headers = await reader.readuntil(b"\r\n\r\n")
            chunks = [await reader.readuntil(b"1\r\n\n\r\n") for _ in range(5)]
        writer.close()
        assert b"application/json" in headers
        assert set(chunks) == {b"1\r\n\n\r\n"}


@pytest.mark.parametrize("fault", HANGING, ids=repr)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_hanging_response_ends_when_the_client_disconnects(emulator, raw, fault, stream):
    before = asyncio.all_tasks()
    await raw.ask_with(fault, stream=stream)
    async with asyncio.timeout(GUARD_SECONDS):
        await emulator.requests[0].finished()
        await emulator.no_connections()
        # The tasks of the handler end a few turns of the loop after its connection.
        await asyncio.gather(*(asyncio.all_tasks() - before), return_exceptions=True)
    assert emulator.requests[0].outcome == "left"


@pytest.mark.parametrize("fault", [*HANGING, SlowClose(3600), Trickle(3600)], ids=repr)
async def test_a_hanging_response_ends_when_the_emulator_closes(emulator, raw, fault):
    emulator.fault(fault)
    reader, writer = await raw.connect()
    await raw.read(reader)
    async with asyncio.timeout(GUARD_SECONDS):
        await emulator.close()
        await emulator.requests[0].finished()
    assert (await raw.read(reader)).ended in ("closed", "reset")
    writer.close()
    assert emulator.requests[0].outcome == "left"
    assert emulator.open_connections == 0


async def test_a_trickle_pauses_after_each_event_of_a_stream(raw):
    response = await raw.ask_with(Trickle(3600))
    assert response.unchunked == b"data: one\n\n"
    assert response.ended == "quiet"


async def test_a_trickle_pauses_after_each_tenth_of_a_whole_response(raw):
    response = await raw.ask_with(Trickle(3600), stream=False)
    assert response.body == WHOLE[:2]
    assert response.ended == "quiet"


async def test_a_slow_close_delays_the_terminating_chunk_of_a_stream(raw):
    response = await raw.ask_with(SlowClose(3600))
    assert response.unchunked == STREAM
    assert not response.is_complete
    assert response.ended == "quiet"


async def test_a_slow_close_delays_the_last_byte_of_a_whole_response(raw):
    assert (await raw.ask_with(SlowClose(3600), stream=False)).body == WHOLE[:-1]

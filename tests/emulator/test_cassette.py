"""A cassette records real exchanges, keeps no key, and replays them piece by piece."""

import asyncio
import json
import math
from functools import partial

import pytest

from aimlchat import (
    AuthenticationError,
    BadRequestError,
    ChatSession,
    ProtocolError,
    RetryPolicy,
    ServerError,
)
from aimlchat.emulator import Cut, Emulator

KEY = "key-0123456789abcdef"
ONCE = RetryPolicy(attempts=1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "talk.jsonl"


@pytest.fixture
async def upstream():
    async with Emulator() as emulator:
        yield emulator


def recorder(path, upstream):
    return Emulator(cassette=path, record_from=upstream.base_url)


def player(path, **options):
    return Emulator(cassette=path, **({"replay_speed": math.inf} | options))


def connect(emulator):
    return ChatSession(KEY, base_url=emulator.base_url, retry=ONCE)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


async def record(path, upstream, *prompts, **options):
    """Stream answers through an emulator that records them; return the completions."""
    async with recorder(path, upstream) as emulator, connect(emulator) as session:
        return [await session.stream(prompt, **options).collect() for prompt in prompts]


async def play(path, *prompts, **options):
    async with player(path) as emulator, connect(emulator) as session:
        return [await session.stream(prompt, **options).collect() for prompt in prompts]


async def test_a_recorded_stream_is_replayed_without_the_server(path, upstream):
    upstream.reply("Blue.", reasoning="Light scatters.")
    [recorded] = await record(path, upstream, "Why?")
    [played] = await play(path, "Why?")
    assert recorded.text == "Blue."
    assert played.choices == recorded.choices
    assert (played.usage, played.cost) == (recorded.usage, recorded.cost)
    assert played.inference_id == recorded.inference_id
    assert len(upstream.requests) == 1


async def test_a_whole_answer_is_replayed_with_its_headers(path, upstream):
    async with recorder(path, upstream) as emulator, connect(emulator) as session:
        recorded = await session.complete("Why?")
    async with player(path) as emulator, connect(emulator) as session:
        played = await session.complete("Why?")
    assert played.raw == recorded.raw
    cost = "x-aimlapi-usd-spent"
    assert played.headers[cost] == recorded.headers[cost]


async def test_a_stream_is_recorded_by_its_http_chunks_with_the_pauses(path, upstream):
    upstream.reply(events=[b": a\n\n", b": b\n\n", b": c\n\n"], pace=0.05)
    async with recorder(path, upstream) as emulator, connect(emulator) as session:
        with pytest.raises(ProtocolError):
            await session.stream("Why?").collect()
    [exchange] = lines(path)
    pauses, texts = zip(*exchange["response"]["body"], strict=True)
    assert list(texts) == [": a\n\n", ": b\n\n", ": c\n\n"]
    assert all(0.04 < pause < 0.5 for pause in pauses[1:])


async def test_the_recorded_pauses_are_replayed_at_the_given_speed(path, upstream):
    upstream.reply(chunks=["a", "b", "c"], pace=0.03)
    await record(path, upstream, "Why?")
    recorded = sum(pause for pause, _ in lines(path)[0]["response"]["body"])
    clock = asyncio.get_running_loop().time
    async with player(path, replay_speed=2) as emulator, connect(emulator) as session:
        start = clock()
        await session.stream("Why?").collect()
        assert clock() - start >= recorded / 2
    async with player(path) as emulator, connect(emulator) as session:
        start = clock()
        await session.stream("Why?").collect()
        assert clock() - start < recorded


async def test_the_key_is_in_no_part_of_the_file(path, upstream):
    upstream.reply(chunks=[f"I saw {KEY[:5]}", f"{KEY[5:]} and {KEY}."], headers={"x-note": KEY})
    await record(path, upstream, f"Is my key {KEY}?", metadata=None)
    upstream.fail(status=401, message=f"Incorrect key: {KEY}")
    async with recorder(path, upstream) as emulator, connect(emulator) as session:
        with pytest.raises(AuthenticationError):
            await session.complete("Why?")
    assert KEY not in path.read_text()
    assert "[key]" in path.read_text()


async def test_a_key_that_lies_across_two_chunks_is_found(path, upstream):
    upstream.reply(events=[b"data: " + KEY[:9].encode(), KEY[9:].encode() + b"\n\n"])
    async with recorder(path, upstream) as emulator, connect(emulator) as session:
        with pytest.raises(ProtocolError):
            await session.stream("Why?").collect()
    assert KEY[9:] not in path.read_text()


async def test_request_headers_and_cookies_are_not_recorded(path, upstream):
    upstream.reply("Blue.", headers={"Set-Cookie": "id=secret", "CF-Ray": "17"})
    await record(path, upstream, "Why?")
    text = path.read_text().lower()
    assert "secret" not in text
    assert "cf-ray" not in text
    assert "authorization" not in text


async def test_an_error_is_recorded_like_any_other_response(path, upstream):
    upstream.fail(status=503, retry_after=7)
    for open_emulator in (partial(recorder, path, upstream), partial(player, path)):
        async with open_emulator() as emulator, connect(emulator) as session:
            with pytest.raises(ServerError) as caught:
                await session.complete("Why?")
        assert caught.value.status == 503
        assert caught.value.retry_after == 7


@pytest.mark.parametrize("is_stream", [True, False])
async def test_a_cut_response_is_cut_again(path, upstream, is_stream):
    upstream.reply("Light scatters, and so on.", fault=Cut(100))
    for open_emulator in (partial(recorder, path, upstream), partial(player, path)):
        async with open_emulator() as emulator, connect(emulator) as session:
            with pytest.raises(ProtocolError):
                await (session.stream("Why?").collect() if is_stream else session.complete("Why?"))
    assert lines(path)[0]["response"]["complete"] is False


async def test_a_response_that_the_client_left_is_recorded_so_far(path, upstream):
    upstream.reply(chunks=["a", "b", "c"], pace=0.02)
    async with recorder(path, upstream) as emulator, connect(emulator) as session:
        async with session.stream("Why?") as stream:
            async for _ in stream:
                break
        await emulator.requests[0].finished()
        await upstream.no_connections()  # leaving the emulator leaves the server
    assert lines(path)[0]["response"]["complete"] is False
    async with (
        player(path) as emulator,
        connect(emulator) as session,
        session.stream("Why?") as stream,
    ):
        assert (await anext(stream)).text == "a"


async def test_equal_requests_get_their_responses_in_the_recorded_order(path, upstream):
    for text in ("one", "two"):
        upstream.reply(text)
    await record(path, upstream, "Why?", "Why?")
    answers = await play(path, "Why?", "Why?", "Why?")
    assert [answer.text for answer in answers] == ["one", "two", "two"]


async def test_recording_again_adds_only_what_is_missing(path, upstream):
    await record(path, upstream, "Why?")
    await record(path, upstream, "Why?", "How?")
    assert len(upstream.requests) == 2
    assert len(lines(path)) == 2


async def test_the_order_of_the_members_of_a_body_does_not_matter(path, upstream):
    await record(path, upstream, "Why?", temperature=0, max_tokens=5)
    [played] = await play(path, "Why?", max_tokens=5, temperature=0)
    assert played.text


async def test_an_unknown_request_fails_and_names_the_nearest_one(path, upstream):
    await record(path, upstream, "What is the capital of France?", "Why is the sky blue?")
    with pytest.raises(BadRequestError) as caught:
        await play(path, "Why is the sky red?", temperature=0)
    assert caught.value.message == (
        "talk.jsonl has no recorded response to this POST /v1/chat/completions; the nearest is in"
        ' line 2, where body.messages[0].content is "Why is the sky blue?", not'
        ' "Why is the sky red?"; body.temperature is absent, not 0'
    )


async def test_an_empty_cassette_says_that_nothing_is_recorded(path):
    path.touch()
    with pytest.raises(BadRequestError, match="nothing is recorded in it"):
        await play(path, "Why?")


async def test_scripts_and_faults_come_before_the_cassette(path, upstream):
    upstream.reply("Blue.")
    await record(path, upstream, "Why?")
    async with player(path) as emulator, connect(emulator) as session:
        emulator.reply("Red.")
        emulator.fail(status=503)
        emulator.fault(Cut(20))
        assert (await session.complete("Why?", stop="x")).text == "Red."
        with pytest.raises(ServerError):
            await session.complete("Why?")
        with pytest.raises(ProtocolError):
            await session.stream("Why?").collect()
        assert (await session.stream("Why?").collect()).text == "Blue."
        assert emulator.billed == 3


async def test_other_endpoints_are_recorded_too(path, upstream):
    async with recorder(path, upstream) as emulator, connect(emulator) as session:
        recorded = await session.models()
    async with player(path) as emulator, connect(emulator) as session:
        assert await session.models() == recorded


async def test_a_server_that_cannot_be_reached_is_a_502_and_is_not_recorded(path, upstream):
    base_url = upstream.base_url
    await upstream.close()
    emulator = Emulator(cassette=path, record_from=base_url)
    async with emulator, connect(emulator) as session:
        with pytest.raises(ServerError, match="cannot record: http://127") as caught:
            await session.complete("Why?")
    assert caught.value.status == 502
    assert not path.exists()


def test_a_missing_cassette_raises_when_it_is_to_be_played(path):
    with pytest.raises(FileNotFoundError):
        Emulator(cassette=path)


def test_a_missing_folder_raises_before_anything_is_recorded(tmp_path):
    with pytest.raises(FileNotFoundError):
        Emulator(cassette=tmp_path / "no" / "talk.jsonl", record_from="http://127.0.0.1:9/v1")


@pytest.mark.parametrize("line", ["{", "[]", '{"request": {}}', '{"request": 1, "response": 2}'])
def test_a_damaged_line_is_named(path, line):
    path.write_text(f"\n{line}\n")
    with pytest.raises(ValueError, match=r"talk\.jsonl, line 2, is not a recorded exchange"):
        Emulator(cassette=path)


async def test_a_last_line_without_a_line_feed_is_kept_whole(path, upstream):
    await record(path, upstream, "Why?")
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    await record(path, upstream, "How?")
    assert len(lines(path)) == 2


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"record_from": "http://127.0.0.1:9/v1"}, "cassette="),
        ({"cassette": "x", "record_from": "api.example"}, "give a base URL"),
        ({"cassette": "x", "record_from": "http://127.0.0.1:9", "replay_speed": 0}, "replay_speed"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(options, named):
    with pytest.raises(ValueError, match=named):
        Emulator(**options)


async def test_text_beyond_utf8_and_line_separators_survive(path, upstream):
    upstream.reply(chunks=["a\u2028b\x85c", "\ud83d", "😀"])
    [recorded] = await record(path, upstream, "\u2028?")
    [played] = await play(path, "\u2028?")
    assert played.text == recorded.text

"""The bytes of responses that a fault ends too early or with an error, or damages."""

import json

import pytest

from aimlchat.emulator import (
    BrokenJson,
    Cut,
    ErrorEvent,
    Html,
    NoAnswer,
    OneByte,
    SlowClose,
    Trickle,
    WrongLength,
)

STREAM = b"data: one\n\ndata: two\n\ndata: three\n\n"
WHOLE = b'{"text":"blue"}'


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("how", "ended"), [("close", "closed"), ("reset", "reset")])
async def test_no_answer_ends_the_connection_before_the_headers(raw, how, ended, stream):
    response = await raw.ask_with(NoAnswer(how), stream=stream, connection="keep-alive")
    assert (response.data, response.ended) == (b"", ended)


class TestCut:
    @pytest.mark.parametrize("after", [0, 1, 11, 13, len(STREAM) - 1])
    @pytest.mark.parametrize(("how", "ended"), [("close", "closed"), ("reset", "reset")])
    async def test_a_stream_is_sent_up_to_the_byte(self, raw, how, ended, after):
        response = await raw.ask_with(Cut(after, how), connection="keep-alive")
        assert response.headers.startswith("HTTP/1.1 200")
        assert response.unchunked == STREAM[:after]
        assert response.ended == ended
        assert not response.is_complete

    @pytest.mark.parametrize(
        ("after", "complete", "rest"),
        [(0, b"", b"b\r\n"), (11, b"data: one\n\n", b"b\r\n"), (4, b"", b"b\r\ndata")],
    )
    async def test_an_http_chunk_is_longer_than_its_bytes(self, raw, after, complete, rest):
        response = await raw.ask_with(Cut(after, "chunk"), connection="keep-alive")
        chunks, broken = response.http_chunks
        assert b"".join(chunks) == complete
        assert broken == rest
        assert response.ended == "closed"

    async def test_end_sends_the_terminating_chunk(self, raw):
        response = await raw.ask_with(Cut(13, "end"), connection="keep-alive")
        assert response.unchunked == STREAM[:13]
        assert response.is_complete
        assert response.ended == "quiet"

    @pytest.mark.parametrize(
        ("how", "ended"), [("close", "closed"), ("reset", "reset"), ("chunk", "closed")]
    )
    async def test_a_whole_response_is_shorter_than_its_content_length(self, raw, how, ended):
        response = await raw.ask_with(Cut(4, how), stream=False, connection="keep-alive")
        assert f"Content-Length: {len(WHOLE)}" in response.headers
        assert response.body == WHOLE[:4]
        assert response.ended == ended

    async def test_end_adapts_the_content_length_of_a_whole_response(self, raw):
        response = await raw.ask_with(Cut(4, "end"), stream=False)
        assert "Content-Length: 4" in response.headers
        assert response.body == WHOLE[:4]

    @pytest.mark.parametrize("how", ["close", "reset", "chunk", "end"])
    async def test_a_cut_beyond_the_end_does_nothing(self, raw, how):
        response = await raw.ask_with(Cut(len(STREAM), how))
        assert response.unchunked == STREAM
        assert response.is_complete
        assert (await raw.ask_with(Cut(len(WHOLE), how), stream=False)).body == WHOLE


class TestErrorEvent:
    @pytest.mark.parametrize("after", [0, 2])
    async def test_it_is_the_last_event_of_a_stream(self, raw, after):
        response = await raw.ask_with(ErrorEvent(after, 529, "Overloaded"))
        *deltas, error, rest = response.unchunked.split(b"\n\n")
        assert response.headers.startswith("HTTP/1.1 200")
        assert response.is_complete
        assert deltas == [b"data: one", b"data: two"][:after]
        assert rest == b""
        expected = {"message": "Overloaded", "statusCode": 529}
        assert json.loads(error.removeprefix(b"data: ")).items() >= expected.items()

    async def test_its_body_is_sent_verbatim(self, raw):
        body = {"error": {"type": "overloaded_error"}}
        response = await raw.ask_with(ErrorEvent(body=body))
        assert response.unchunked == b'data: {"error":{"type":"overloaded_error"}}\n\n'

    async def test_it_is_the_body_of_a_whole_response(self, raw):
        response = await raw.ask_with(ErrorEvent(status=503), stream=False)
        assert response.headers.startswith("HTTP/1.1 200")
        assert json.loads(response.body)["message"] == "Service unavailable"


@pytest.mark.parametrize("after", [0, 1])
async def test_only_one_event_of_a_stream_is_broken_json(emulator, raw, after):
    emulator.reply(events=[{"n": 0}, {"n": 1}, {"n": 2}], fault=BrokenJson(after))
    response = await raw.ask()
    lines = response.unchunked.split(b"\n\n")[:-1]
    assert lines.pop(after) == b'data: {"n":%d' % after
    assert all(json.loads(line.removeprefix(b"data: ")) for line in lines)
    assert response.is_complete


async def test_a_whole_response_of_broken_json_lacks_its_last_character(raw):
    response = await raw.ask_with(BrokenJson(), stream=False)
    assert response.body == WHOLE[:-1]
    assert f"Content-Length: {len(WHOLE) - 1}" in response.headers


@pytest.mark.parametrize("stream", [True, False])
async def test_html_replaces_the_response(raw, stream):
    response = await raw.ask_with(Html(), stream=stream)
    assert response.headers.startswith("HTTP/1.1 200")
    assert "Content-Type: text/html" in response.headers
    assert response.body.startswith(b"<!DOCTYPE html>")


@pytest.mark.parametrize("fault", [OneByte(), Trickle(0.001), SlowClose(0.001)], ids=repr)
async def test_a_fault_that_only_slows_a_response_leaves_it_complete(raw, fault):
    response = await raw.ask_with(fault)
    assert response.unchunked == STREAM
    assert response.is_complete
    assert (await raw.ask_with(fault, stream=False)).body == WHOLE


async def test_one_byte_sends_each_byte_in_an_http_chunk_of_its_own(raw):
    chunks, _ = (await raw.ask_with(OneByte())).http_chunks
    assert {len(chunk) for chunk in chunks[:-1]} == {1}


@pytest.mark.parametrize(("stream", "body"), [(True, STREAM), (False, WHOLE)])
@pytest.mark.parametrize(("by", "difference"), [(-5, -5), (7, 7), (-1000, None)])
async def test_a_wrong_length_differs_from_the_length_of_the_body(
    raw, stream, body, by, difference
):
    response = await raw.ask_with(WrongLength(by), stream=stream, connection="keep-alive")
    length = 0 if difference is None else len(body) + difference
    assert f"Content-Length: {length}\r\n" in f"{response.headers}\r\n"
    assert response.body == body
    assert response.ended == "closed"

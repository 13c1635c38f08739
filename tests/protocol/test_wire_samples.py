"""Recorded responses against their manifest: those of this repository, and those of a folder.

The environment variable ``AIMLCHAT_WIRE_SAMPLES`` may name a folder with a ``manifest.json`` and
the files that it lists: ``streams/``, ``completions/``, ``errors/`` and ``other/``.
"""

import asyncio
import itertools
import json
import os
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_server import CHUNKED, http_chunk, serving
from soak import examples

from aimlchat import (
    AIMLChatError,
    AnswerDelta,
    AuthenticationError,
    BadRequestError,
    ChatSession,
    Cost,
    InsufficientCreditsError,
    NotFoundError,
    RateLimitError,
    ReasoningDelta,
    ServerError,
    StreamParser,
)
from aimlchat._protocol.api_errors import error_from_response
from aimlchat._protocol.model_list import parse_models
from aimlchat._protocol.whole import parse_completion

OWN = Path(__file__).parent.parent / "data" / "wire"
GIVEN = os.environ.get("AIMLCHAT_WIRE_SAMPLES")
FOLDERS = {"own": OWN} | ({"given": Path(GIVEN)} if GIVEN else {})
CLASSES = {
    400: BadRequestError,
    401: AuthenticationError,
    403: InsufficientCreditsError,
    404: NotFoundError,
    429: RateLimitError,
    500: ServerError,
    502: ServerError,
    503: ServerError,
    504: ServerError,
}

needs_samples = pytest.mark.skipif(
    not GIVEN, reason="AIMLCHAT_WIRE_SAMPLES names no folder of recorded responses"
)


def entries(kind, folders=FOLDERS):
    """Return a parameter for each file of a kind: its bytes, and its entry in the manifest."""
    return [
        pytest.param((folder / entry["file"]).read_bytes(), entry, id=f"{name}-{entry['file']}")
        for name, folder in folders.items()
        for entry in json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        if entry["file"].startswith(kind)
    ]


def given_entries(kind):
    folders = {name: folder for name, folder in FOLDERS.items() if name == "given"}
    nothing = pytest.mark.skip(reason="the folder of recorded responses has none of this kind")
    return entries(kind, folders) or [pytest.param(b"", {}, id="none", marks=nothing)]


def check(completion, expected):
    assert completion.reasoning == expected["reasoning"]
    assert completion.text == expected["answer"]
    assert completion.finish_reason == expected["finish_reason"]
    assert completion.native_finish_reason == expected["native_finish_reason"]
    assert completion.id == expected["id"]
    assert completion.model == expected["model"]
    if expected["usage"] is None:
        assert completion.usage is None
    else:
        assert completion.usage.raw == expected["usage"]
        for field in ("prompt_tokens", "completion_tokens", "total_tokens"):
            assert getattr(completion.usage, field) == int(expected["usage"][field])


def odd_pieces(body):
    """Cut a body into pieces of sizes that fit neither lines nor events nor characters."""
    sizes = itertools.cycle((1, 3, 17, 2, 211, 5, 1021, 7))
    start = 0
    while start < len(body):
        size = next(sizes)
        yield body[start : start + size]
        start += size


@needs_samples
def test_the_named_folder_holds_every_file_of_its_manifest():
    manifest = json.loads((Path(GIVEN) / "manifest.json").read_text(encoding="utf-8"))
    assert manifest
    for entry in manifest:
        assert (Path(GIVEN) / entry["file"]).is_file()


@pytest.mark.parametrize(("body", "entry"), entries("streams/"))
class TestStreams:
    def test_a_body_in_one_piece(self, read_bytes, body, entry):
        reading = read_bytes([body], entry["model"])
        check(reading.completion, entry["expected"])
        assert reading.joined(AnswerDelta) == entry["expected"]["answer"]
        assert reading.joined(ReasoningDelta) == entry["expected"]["reasoning"]

    def test_a_body_byte_by_byte(self, read_bytes, body, entry):
        reading = read_bytes([body[i : i + 1] for i in range(len(body))], entry["model"])
        check(reading.completion, entry["expected"])
        assert reading.completion == read_bytes([body], entry["model"]).completion

    @pytest.mark.sampled
    def test_a_body_in_random_pieces(self, read_bytes, body, entry):
        whole = read_bytes([body], entry["model"])

        @given(st.randoms(use_true_random=False), st.integers(1, 40))
        @examples(25)
        def check_pieces(rng: random.Random, count):
            ends = sorted(rng.randrange(len(body) + 1) for _ in range(count))
            bounds = itertools.pairwise([0, *ends, len(body)])
            reading = read_bytes([body[a:b] for a, b in bounds], entry["model"])
            assert reading.deltas == whole.deltas
            assert reading.completion == whole.completion

        check_pieces()

    def test_a_body_with_trailing_bytes(self, read_bytes, body, entry):
        for tail in (b"\n\n", b"\r\n\r\n: bye\r\n\r\n", b"\n\ndata: [DONE]\n\n", b"\n\ndata: [DO"):
            check(read_bytes([body, tail], entry["model"]).completion, entry["expected"])

    def test_the_text_of_a_cut_body_is_a_beginning_of_the_whole_text(self, read_bytes, body, entry):
        whole = read_bytes([body], entry["model"])
        for end in range(0, len(body), 1 + len(body) // 400):
            reading = read_bytes([body[:end]], entry["model"])
            assert reading.fed == whole.deltas[: len(reading.fed)]
            result = reading.completion or reading.error.partial
            assert result.text == reading.joined(AnswerDelta)
            assert result.reasoning == reading.joined(ReasoningDelta)
            if reading.error is None:
                assert result.text == whole.completion.text

    @pytest.mark.parametrize("framing", ["chunked", "length", "close"])
    async def test_a_body_over_a_socket_in_odd_pieces(self, body, entry, framing):
        async def respond(_, writer):
            if framing == "chunked":
                writer.write(CHUNKED)
            elif framing == "length":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
            else:
                writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            for piece in odd_pieces(body):
                writer.write(http_chunk(piece) if framing == "chunked" else piece)
                await writer.drain()
                await asyncio.sleep(0)
            if framing == "chunked":
                writer.write(http_chunk(b""))
            elif framing == "close":
                writer.close()

        async with (
            serving(respond) as server,
            ChatSession("k", base_url=server.base_url) as session,
        ):
            stream = session.stream("Hello", model=entry["model"])
            async with stream:
                deltas = [delta async for delta in stream]
        check(stream.completion, entry["expected"])
        pieces = [d.text for d in deltas if isinstance(d, AnswerDelta) and d.choice == 0]
        assert "".join(pieces) == entry["expected"]["answer"]


@pytest.mark.parametrize(("body", "entry"), entries("completions/"))
class TestCompletions:
    def test_a_body_in_one_piece(self, body, entry):
        completion = parse_completion(body, entry["model"])
        check(completion, entry["expected"])
        assert completion.raw == json.loads(body)

    def test_a_body_instead_of_a_stream(self, read_bytes, body, entry):
        for pieces in ([body], list(odd_pieces(body)), [b"\n", body, b"\n"]):
            reading = read_bytes(pieces, entry["model"])
            check(reading.completion, entry["expected"])
            assert reading.joined(AnswerDelta) == entry["expected"]["answer"]
            assert reading.completion == parse_completion(body, entry["model"])

    def test_a_body_as_the_only_event_does_not_crash(self, read_bytes, body, entry):
        event = b"data: " + json.dumps(json.loads(body)).encode() + b"\n\n"
        reading = read_bytes([event], entry["model"])
        assert (reading.error or reading.completion) is not None

    def test_the_cost_is_that_of_the_meta(self, body, entry):
        usage = (json.loads(body).get("meta") or {}).get("usage") or {}
        cost = parse_completion(body, entry["model"]).cost
        if "credits_used" in usage:
            assert cost.credits == usage["credits_used"]
            assert cost.usd == pytest.approx(usage.get("usd_spent", cost.credits / 2_000_000))
        else:
            assert cost is None

    @pytest.mark.parametrize("framing", ["chunked", "length"])
    async def test_a_body_over_a_socket_in_odd_pieces(self, body, entry, framing):
        async def respond(_, writer):
            length = b"Content-Length: %d" % len(body)
            encoding = b"Transfer-Encoding: chunked" if framing == "chunked" else length
            writer.write(b"HTTP/1.1 201 Created\r\n%s\r\n\r\n" % encoding)
            for piece in odd_pieces(body):
                writer.write(http_chunk(piece) if framing == "chunked" else piece)
                await writer.drain()
            if framing == "chunked":
                writer.write(http_chunk(b""))

        async with (
            serving(respond) as server,
            ChatSession("k", base_url=server.base_url) as session,
        ):
            check(await session.complete("Hello", model=entry["model"]), entry["expected"])
            check(await session.stream("Hello", model=entry["model"]).collect(), entry["expected"])


@pytest.mark.parametrize(("body", "entry"), given_entries("errors/"))
def test_an_error_body_has_the_class_of_its_status(body, entry):
    stem = Path(entry["file"]).stem
    if stem[-3:].isdecimal():
        cases = [(int(stem[-3:]), body)]
    else:
        rows = json.loads(body)
        cases = [(row["status"], json.dumps({"message": row["message"]}).encode()) for row in rows]
    assert cases
    for status, data in cases:
        error = error_from_response(status, data, {}, 0.0)
        assert type(error) is CLASSES[status]
        assert error.status == status
        assert error.message
        assert "{" not in error.message
        fields = json.loads(data) if data.startswith(b"{") else {}
        assert error.request_id == fields.get("requestId")
        assert error.path == fields.get("path")


@pytest.mark.parametrize(("body", "entry"), given_entries("errors/"))
def test_an_error_body_with_status_200_is_an_error(read_bytes, body, entry):
    assert isinstance(read_bytes([body]).error, AIMLChatError)
    with pytest.raises(AIMLChatError):
        parse_completion(body)


@pytest.mark.parametrize(("body", "entry"), given_entries("other/messages-"))
def test_a_message_in_claudes_own_format_is_a_completion(read_bytes, body, entry):
    sample = json.loads(body)
    for completion in (parse_completion(body), read_bytes([body]).completion):
        assert completion.text == sample["content"][0]["text"]
        assert (completion.id, completion.model) == (sample["id"], sample["model"])
        assert completion.finish_reason == "stop"
        assert completion.usage.prompt_tokens == sample["usage"]["input_tokens"]
        assert completion.cost.usd == sample["meta"]["usage"]["usd_spent"]
        assert completion.raw == sample


@pytest.mark.parametrize(
    ("body", "entry"),
    [
        entry
        for entry in given_entries("other/")
        if not str(entry.id).startswith("given-other/messages-")
    ],
)
def test_a_body_that_is_not_a_completion_is_an_error(read_bytes, body, entry):
    assert isinstance(read_bytes([body]).error, AIMLChatError)
    with pytest.raises(AIMLChatError):
        parse_completion(body)


@pytest.mark.parametrize(("body", "entry"), given_entries("other/stream-final"))
def test_a_last_event_with_the_cost_is_read(chunk, sse, body, entry):
    last = json.loads(body)
    parser = StreamParser()
    parser.feed(sse(chunk({"content": "a"}, finish="stop"), last))
    parser.close()
    usage = last["meta"]["usage"]
    assert parser.completion.cost == Cost(usage["usd_spent"], usage["credits_used"])
    assert parser.completion.text == "a"


@pytest.mark.parametrize(("body", "entry"), given_entries("other/models"))
def test_a_list_of_models_is_read(body, entry):
    items = json.loads(body)
    named = [item for item in items if "id" in item]
    models = parse_models({"data": items})
    assert [model.id for model in models] == [item["id"] for item in named]
    for model, item in zip(models, named, strict=True):
        assert model.type == item.get("type", "")
        assert model.raw == item
        assert all(model.goes_by(alias) for alias in item.get("aliases") or ())

"""The vendor's batch endpoint, and runs over whatever it returns."""

import json

import pytest

from aimlchat import (
    APIError,
    BadRequestError,
    ChatSession,
    NotFoundError,
    ProtocolError,
    ServerError,
)
from aimlchat.batch import batches_api, run_on_server, server_side
from aimlchat.batch.batches_api import cancel_batch, create_batch, fetch_results
from aimlchat.batch.known_ids import hash_id
from aimlchat.batch.server_batches import build_server_id

CLAUDE = "anthropic/claude-sonnet-4"
REQUESTS = [b'{"custom_id":"a"}']
MESSAGE = {"id": "msg_1", "content": [{"type": "text", "text": "Yes."}]}


class FakeEndpoint:
    """Answers each call with ``respond(method, ids)``; ``ids`` are the ids in the last batch."""

    def __init__(self) -> None:
        self.respond = None
        self.batches = []
        self.polls = 0

    async def send(self, method, path, parse, body=None, **_):
        if method == "POST":
            assert path == "batches"
            self.batches.append([request["custom_id"] for request in json.loads(body)["requests"]])
        self.polls += method == "GET"
        return parse(self.respond(method, self.batches[-1] if self.batches else []))


@pytest.fixture
def endpoint(monkeypatch):
    fake = FakeEndpoint()
    monkeypatch.setattr(batches_api, "endpoints_of", lambda _: fake)
    monkeypatch.setattr(server_side, "_FIRST_DELAY", 0.001)
    return fake


@pytest.fixture
def session():
    return ChatSession("test-key", model=CLAUDE)


@pytest.fixture
def record(files):
    """Return the path of the file that records the batches on the server."""
    return files.target.with_name("results.jsonl.batches")


def build_result(server_id, result=None):
    result = result or {"type": "succeeded", "message": MESSAGE}
    return json.dumps({"custom_id": server_id, "result": result}).encode()


def respond_with(build):
    """Create the batch b1, and respond to polls with what ``build`` makes of its ids."""
    return lambda method, ids: b'{"id":"b1"}' if method == "POST" else build(ids)


# --- creating ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("batch_id", "expected"),
    [('"b1"', "b1"), ("17", "17"), ("9" * 400, "9" * 400), ('"half \\ud83d"', "half \ufffd")],
)
async def test_an_id_is_taken_as_text_whatever_its_type(session, endpoint, batch_id, expected):
    endpoint.respond = lambda *_: b'{"id":%b}' % batch_id.encode()
    assert await create_batch(session, REQUESTS) == expected


@pytest.mark.parametrize(
    "response",
    [
        b"{}",
        b"[]",
        b"null",
        b'"b1"',
        b'{"id":null}',
        b'{"id":""}',
        b'{"id":true}',
        b'{"id":1.5}',
        b'{"id":[]}',
        b'{"id":%b}' % (b"[" * 100_000 + b"]" * 100_000),
        b"<html>",
        b"",
    ],
)
async def test_a_response_without_an_id_is_a_protocol_error(session, endpoint, response):
    endpoint.respond = lambda *_: response
    with pytest.raises(ProtocolError):
        await create_batch(session, REQUESTS)


# --- fetching ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "response",
    [
        b'{"id":"b1","status":"generating"}',
        b'{"id":"b1"}',
        b'{"status":null}',
        b'{"status":["cancelled"]}',
        b'{"status":{}}',
        b'{"status":5}',
    ],
)
async def test_a_state_of_any_type_means_that_the_batch_is_running(session, endpoint, response):
    endpoint.respond = lambda *_: response
    assert await fetch_results(session, "b1") is None


@pytest.mark.parametrize("status", ["cancelled", "canceled", "failed", "expired"])
async def test_a_batch_that_ended_without_results_has_none(session, endpoint, status):
    endpoint.respond = lambda *_: json.dumps({"id": "b1", "status": status}).encode()
    fetched = await fetch_results(session, "b1")
    assert (fetched.results, fetched.unreadable) == ([], 0)


@pytest.mark.parametrize(
    "response", [b"", b"\n", b"null", b"5", b"[]", b"[[]]", b"<html>", b"{\n{"]
)
async def test_a_response_of_another_kind_is_a_protocol_error(session, endpoint, response):
    endpoint.respond = lambda *_: response
    with pytest.raises(ProtocolError, match="batch b1"):
        await fetch_results(session, "b1")


@pytest.mark.parametrize(
    ("response", "unreadable"),
    [
        (b'{"custom_id":"a"}', 0),
        (b'{"custom_id":"a"}\n', 0),
        (b'\r\n{"custom_id":"a"}\r\n', 0),
        (b'[{"custom_id":"a"}]', 0),
        (b'{"custom_id":"a"}\n{"custom_id":\n', 1),
        (b'5\n{"custom_id":"a"}\nnull\n[]\n{"status":"done"}\n<html>', 5),
    ],
)
async def test_the_readable_results_are_returned_beside_the_number_of_others(
    session, endpoint, response, unreadable
):
    endpoint.respond = lambda *_: response
    fetched = await fetch_results(session, "b1")
    assert fetched.results == [{"custom_id": "a"}]
    assert fetched.unreadable == unreadable


# --- whole runs over unexpected results ----------------------------------------------------------


@pytest.mark.parametrize(
    "amounts",
    [
        {"credits_used": "n/a"},
        {"credits_used": "n/a", "usd_spent": 0.25},
        {"credits_used": [], "usd_spent": {}},
        {"credits_used": float("nan"), "usd_spent": float("inf")},
        {"credits_used": 10**400, "usd_spent": 10**400},
    ],
)
async def test_a_cost_that_cannot_be_read_does_not_stop_this_run_or_the_next(
    session, endpoint, files, record, amounts
):
    message = {**MESSAGE, "usage": amounts, "meta": {"usage": amounts}}
    endpoint.respond = respond_with(
        lambda ids: b"\n".join(
            build_result(server_id, {"type": "succeeded", "message": message}) for server_id in ids
        )
    )
    files.write_prompts(2)
    summary = await run_on_server(session, files.source, files.target)
    assert (summary.done, summary.is_success) == (2, True)
    assert not record.exists()
    assert (await run_on_server(session, files.source, files.target)).before == 2
    assert len(endpoint.batches) == 1


@pytest.mark.parametrize("server_id", [None, 1.5, [], {}, True, "", "row-0", "0" * 16, -1, 10**400])
async def test_a_result_with_an_unknown_id_is_ignored(session, endpoint, files, server_id):
    endpoint.respond = respond_with(
        lambda ids: build_result(server_id) + b"\n" + build_result(ids[0])
    )
    files.write_prompts(1)
    assert (await run_on_server(session, files.source, files.target)).is_success
    assert files.ids == ["row-0"]


@pytest.mark.parametrize(
    "result", [{"type": "canceled"}, {"type": "canceled", "message": {}}, None]
)
async def test_a_request_that_was_not_answered_stays_pending(
    session, endpoint, files, record, result
):
    endpoint.respond = respond_with(
        lambda ids: json.dumps({"custom_id": ids[0], "result": result}).encode()
    )
    files.write_prompts(1)
    summary = await run_on_server(session, files.source, files.target)
    assert (summary.done, summary.left) == (0, 1)
    assert not record.exists()


async def test_a_broken_line_hides_no_other_result_and_the_batch_stays_recorded(
    session, endpoint, files, record
):
    files.write_prompts(3)
    endpoint.respond = respond_with(
        lambda ids: build_result(ids[0]) + b'\n{"custom_id":"' + b"\n" + build_result(ids[2])
    )
    for _ in range(2):
        with pytest.raises(
            ProtocolError, match=r"lines: 1, requests without a result: 1.*the same command"
        ):
            await run_on_server(session, files.source, files.target)
        assert files.ids == ["row-0", "row-2"]
        assert record.exists()
    endpoint.respond = respond_with(lambda ids: b"\n".join(map(build_result, ids)))
    summary = await run_on_server(session, files.source, files.target)
    assert (summary.before, summary.done, summary.is_success) == (2, 1, True)
    assert not record.exists()
    assert len(endpoint.batches) == 1


async def test_a_result_whose_id_is_damaged_is_not_taken_for_a_missing_one(
    session, endpoint, files, record
):
    files.write_prompts(2)
    endpoint.respond = respond_with(
        lambda ids: build_result(ids[0]) + b"\n" + build_result(ids[1][:-1])
    )
    for _ in range(2):
        with pytest.raises(ProtocolError, match="lines: 1, requests without a result: 1"):
            await run_on_server(session, files.source, files.target)
    assert files.ids == ["row-0"]
    assert len(endpoint.batches) == 1


async def test_an_error_under_the_status_200_is_raised_and_not_polled_for_ever(session, endpoint):
    endpoint.respond = lambda *_: b'{"error":{"message":"no such batch","code":404}}'
    with pytest.raises(APIError, match="no such batch"):
        await fetch_results(session, "b1")


async def test_an_id_of_any_form_is_one_part_of_the_url(session, monkeypatch):
    paths = []

    class Endpoint:
        async def send(self, _, path, *__):
            paths.append(path)
            return b'{"id":"b1"}'

    monkeypatch.setattr(batches_api, "endpoints_of", lambda _: Endpoint())
    await fetch_results(session, "a/../b?c&d e#f")
    await cancel_batch(session, "a/../b?c&d e#f")
    quoted = "a%2F..%2Fb%3Fc%26d%20e%23f"
    assert paths == [f"batches?batch_id={quoted}", f"batches/cancel/{quoted}"]


@pytest.mark.parametrize("problem", ["not JSON", "not found", "the server fails"])
async def test_a_batch_that_cannot_be_fetched_does_not_hold_up_the_others(
    session, endpoint, files, record, problem
):
    files.write_prompts(2)
    created = iter(["b1", "b2"])
    forgotten = NotFoundError("Batch b1 not found", status=404)
    failure = ServerError("no results of b1", status=500)

    def respond(method, ids):
        if method == "POST":
            return json.dumps({"id": next(created)}).encode()
        if endpoint.polls == 1:  # that of b1
            if problem == "not found":
                raise forgotten
            if problem == "the server fails":
                raise failure
            return b"<html>"
        return build_result(ids[0])

    endpoint.respond = respond
    with pytest.raises((ProtocolError, NotFoundError, ServerError), match="b1") as caught:
        await run_on_server(session, files.source, files.target, batch_size=1)
    assert problem != "not found" or str(record) in caught.value.__notes__[0]
    assert files.ids == ["row-1"]
    assert [json.loads(line)["id"] for line in record.read_bytes().splitlines()] == ["b1"]


async def test_a_recorded_digest_that_is_not_valid_counts_as_unknown(
    session, endpoint, files, record
):
    files.write_prompts(1)
    record.write_bytes(b'{"id":"b1","members":[["row-0","not hexadecimal"]]}\n')
    server_id = build_server_id(hash_id("row-0"), bytes(16))
    endpoint.respond = respond_with(lambda _: build_result(server_id))
    assert (await run_on_server(session, files.source, files.target)).is_success
    assert (await run_on_server(session, files.source, files.target)).before == 1
    assert endpoint.batches == []


# --- the emulator --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "requests",
    [
        [],
        [5],
        [{"custom_id": "a b", "params": {"model": CLAUDE}}],
        [{"custom_id": "a", "params": {"model": "gpt-4o"}}],
        [{"custom_id": "a", "params": {"model": CLAUDE}}] * 2,
        [{"custom_id": "a"}],
    ],
)
async def test_the_emulator_refuses_what_the_endpoint_would(emulator, requests):
    async with ChatSession("test-key", base_url=emulator.base_url) as session:
        with pytest.raises(BadRequestError, match="requests"):
            await create_batch(session, [json.dumps(request).encode() for request in requests])

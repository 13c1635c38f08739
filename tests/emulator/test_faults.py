"""Faults as a client sees them that reads bytes off a socket."""

import asyncio
import json

import attrs
import pytest

from aimlchat.emulator import (
    BrokenJson,
    Cut,
    Emulator,
    ErrorEvent,
    ErrorStatus,
    Html,
    NoAnswer,
    OneByte,
    Pings,
    SlowClose,
    Stall,
    Trickle,
    WrongLength,
)

CLAUDE = "anthropic/claude-3.7-sonnet"
GPT = "openai/gpt-4o"
EVENTS = ("one", "two", "three")
STREAMED = b"data: one\n\ndata: two\n\ndata: three\n\n"
WHOLE = b'{"text":"blue"}'
# Long enough for what is on its way over loopback, and short for a test.
SILENCE = 0.1


@attrs.frozen
class Heard:
    """All that came until the connection ended, or until nothing more came."""

    data: bytes
    ended: str

    @property
    def head(self):
        return self.data.partition(b"\r\n\r\n")[0].decode()

    @property
    def body(self):
        return self.data.partition(b"\r\n\r\n")[2]

    @property
    def chunks(self):
        """The complete HTTP chunks, and what stands after them."""
        found, rest = [], self.body
        while rest:
            size, _, after = rest.partition(b"\r\n")
            length = int(size, 16)
            if len(after) < length + 2:
                break
            found.append(after[:length])
            rest = after[length + 2 :]
        return found, rest

    @property
    def unchunked(self):
        return b"".join(self.chunks[0])

    @property
    def is_complete(self):
        return self.body.endswith(b"\r\n0\r\n\r\n") or self.body == b"0\r\n\r\n"


async def connect(emulator, *, stream=True, model=GPT, connection="close"):
    body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": "Hi"}]}
    content = json.dumps(body).encode()
    host, port = emulator.base_url.removeprefix("http://").removesuffix("/v1").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\n"
        b"Connection: %b\r\nContent-Length: %d\r\n\r\n%b"
        % (connection.encode(), len(content), content)
    )
    return reader, writer


async def listen(reader):
    data = b""
    try:
        while True:
            async with asyncio.timeout(SILENCE):
                more = await reader.read(65536)
            if not more:
                return Heard(data, "closed")
            data += more
    except TimeoutError:
        return Heard(data, "silent")
    except ConnectionResetError:
        return Heard(data, "reset")


async def hear(emulator, **request):
    reader, writer = await connect(emulator, **request)
    try:
        return await listen(reader)
    finally:
        writer.close()


@pytest.fixture
def spoiled(emulator):
    """Ask for an answer of known bytes with a fault, as a stream or whole."""

    async def spoiled(fault, *, stream=True, **request):
        what = {"events": EVENTS} if stream else {"body": WHOLE}
        emulator.reply(**what, fault=fault)
        return await hear(emulator, stream=stream, **request)

    return spoiled


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("how", "ended"), [("close", "closed"), ("reset", "reset")])
async def test_without_an_answer_the_connection_ends_before_the_head(spoiled, how, ended, stream):
    assert await spoiled(NoAnswer(how), stream=stream, connection="keep-alive") == Heard(b"", ended)


class TestCut:
    @pytest.mark.parametrize("after", [0, 1, 11, 13, len(STREAMED) - 1])
    @pytest.mark.parametrize(("how", "ended"), [("close", "closed"), ("reset", "reset")])
    async def test_a_stream_loses_all_after_so_many_bytes(self, spoiled, how, ended, after):
        heard = await spoiled(Cut(after, how), connection="keep-alive")
        assert heard.head.startswith("HTTP/1.1 200")
        assert heard.unchunked == STREAMED[:after]
        assert heard.ended == ended
        assert not heard.is_complete

    @pytest.mark.parametrize(
        ("after", "complete", "rest"),
        [(0, b"", b"b\r\n"), (11, b"data: one\n\n", b"b\r\n"), (4, b"", b"b\r\ndata")],
    )
    async def test_a_chunk_promises_more_than_comes(self, spoiled, after, complete, rest):
        heard = await spoiled(Cut(after, "chunk"), connection="keep-alive")
        chunks, broken = heard.chunks
        assert b"".join(chunks) == complete
        assert broken == rest
        assert heard.ended == "closed"

    async def test_an_end_is_a_proper_one(self, spoiled):
        heard = await spoiled(Cut(13, "end"), connection="keep-alive")
        assert heard.unchunked == STREAMED[:13]
        assert heard.is_complete
        assert heard.ended == "silent"

    @pytest.mark.parametrize(
        ("how", "ended"), [("close", "closed"), ("reset", "reset"), ("chunk", "closed")]
    )
    async def test_a_whole_answer_falls_short_of_its_length(self, spoiled, how, ended):
        heard = await spoiled(Cut(4, how), stream=False, connection="keep-alive")
        assert f"Content-Length: {len(WHOLE)}" in heard.head
        assert heard.body == WHOLE[:4]
        assert heard.ended == ended

    async def test_a_whole_answer_that_ends_has_a_length_that_fits(self, spoiled):
        heard = await spoiled(Cut(4, "end"), stream=False)
        assert "Content-Length: 4" in heard.head
        assert heard.body == WHOLE[:4]

    @pytest.mark.parametrize("how", ["close", "reset", "chunk", "end"])
    async def test_behind_the_end_nothing_is_cut(self, spoiled, how):
        heard = await spoiled(Cut(len(STREAMED), how))
        assert heard.unchunked == STREAMED
        assert heard.is_complete
        assert (await spoiled(Cut(len(WHOLE), how), stream=False)).body == WHOLE


class TestStall:
    @pytest.mark.parametrize("stream", [True, False])
    async def test_before_the_head_nothing_comes(self, spoiled, stream):
        assert await spoiled(Stall(before="head"), stream=stream) == Heard(b"", "silent")

    @pytest.mark.parametrize(("model", "events"), [(CLAUDE, 2), (GPT, 1)])
    async def test_before_the_first_token_only_empty_deltas_come(self, emulator, model, events):
        emulator.reply("Blue.", reasoning="Light.", fault=Stall(before="first_token"))
        heard = await hear(emulator, model=model)
        assert heard.ended == "silent"
        assert heard.unchunked.count(b"data: ") == events
        assert b"Blue" not in heard.unchunked
        assert b"Light" not in heard.unchunked

    @pytest.mark.parametrize("after", [0, 1, 3])
    async def test_so_many_deltas_come(self, spoiled, after):
        heard = await spoiled(Stall(after=after))
        assert heard.head.startswith("HTTP/1.1 200")
        assert heard.unchunked.count(b"data: ") == after
        assert heard.ended == "silent"

    async def test_only_what_carries_text_counts_as_a_delta(self, emulator):
        emulator.reply(chunks=["a", "b", "c"], fault=Stall(after=2))
        heard = await hear(emulator, model=CLAUDE)
        deltas = [json.loads(line[6:]) for line in heard.unchunked.split(b"\n\n")[:-1]]
        contents = [delta["choices"][0]["delta"]["content"] for delta in deltas]
        assert contents == ["", "", "a", "b"]

    async def test_an_answer_with_fewer_deltas_does_not_stall(self, spoiled):
        assert (await spoiled(Stall(after=4))).is_complete

    @pytest.mark.parametrize(
        ("stall", "come"), [({"before": "first_token"}, 0), ({"after": 0}, 0), ({"after": 1}, 7)]
    )
    async def test_a_whole_answer_stalls_after_its_head_or_in_its_middle(
        self, spoiled, stall, come
    ):
        heard = await spoiled(Stall(**stall), stream=False)
        assert f"Content-Length: {len(WHOLE)}" in heard.head
        assert heard.body == WHOLE[:come]
        assert heard.ended == "silent"


HANGING = [Stall(before="head"), Stall(before="first_token"), Stall(after=1), Pings(3600)]


@pytest.mark.parametrize("fault", HANGING, ids=repr)
@pytest.mark.parametrize("stream", [True, False])
async def test_what_hangs_ends_at_once_when_the_client_leaves(emulator, spoiled, fault, stream):
    before = asyncio.all_tasks()
    await spoiled(fault, stream=stream)
    async with asyncio.timeout(1):
        await emulator.requests[0].finished()
        await emulator.no_connections()
    await asyncio.sleep(0)
    assert emulator.requests[0].outcome == "left"
    assert asyncio.all_tasks() <= before


@pytest.mark.parametrize("fault", [*HANGING, SlowClose(3600), Trickle(3600)], ids=repr)
async def test_what_hangs_ends_at_once_when_the_emulator_closes(fault):
    async with Emulator() as emulator:
        emulator.fault(fault)
        reader, writer = await connect(emulator)
        await listen(reader)
        async with asyncio.timeout(1):
            await emulator.close()
            await emulator.requests[0].finished()
    await listen(reader)
    writer.close()
    assert emulator.requests[0].outcome == "left"
    assert emulator.open_connections == 0


@pytest.mark.parametrize("after", [0, 2])
async def test_after_so_many_deltas_come_pings(emulator, after):
    emulator.reply(events=EVENTS, fault=Pings(0.001, after=after))
    reader, writer = await connect(emulator)
    async with asyncio.timeout(5):
        data = await reader.readuntil(b": ping\n\n\r\n")
    writer.close()
    assert Heard(data, "left").unchunked == STREAMED[: 11 * after] + b": ping\n\n"


async def test_pings_go_on_until_the_client_leaves(emulator):
    emulator.fault(Pings(0.001))
    reader, writer = await connect(emulator)
    async with asyncio.timeout(5):
        for _ in range(20):
            await reader.readuntil(b": ping\n\n")
        writer.close()
        await emulator.requests[0].finished()
    assert emulator.requests[0].outcome == "left"


async def test_a_whole_answer_is_kept_alive_with_line_feeds(emulator):
    emulator.fault(Pings(0.001))
    reader, writer = await connect(emulator, stream=False)
    async with asyncio.timeout(5):
        head = await reader.readuntil(b"\r\n\r\n")
        chunks = [await reader.readuntil(b"1\r\n\n\r\n") for _ in range(5)]
    writer.close()
    assert b"application/json" in head
    assert set(chunks) == {b"1\r\n\n\r\n"}


class TestErrorEvent:
    @pytest.mark.parametrize("after", [0, 2])
    async def test_a_stream_ends_with_it(self, spoiled, after):
        heard = await spoiled(ErrorEvent(after, 529, "Overloaded"))
        *deltas, error, nothing = heard.unchunked.split(b"\n\n")
        assert heard.head.startswith("HTTP/1.1 200")
        assert heard.is_complete
        assert deltas == [b"data: one", b"data: two"][:after]
        assert nothing == b""
        wanted = {"message": "Overloaded", "statusCode": 529}
        assert json.loads(error.removeprefix(b"data: ")).items() >= wanted.items()

    async def test_it_may_be_any_error(self, spoiled):
        body = {"error": {"type": "overloaded_error"}}
        heard = await spoiled(ErrorEvent(body=body))
        assert heard.unchunked == b'data: {"error":{"type":"overloaded_error"}}\n\n'

    async def test_it_is_the_body_of_a_whole_answer(self, spoiled):
        heard = await spoiled(ErrorEvent(status=503), stream=False)
        assert heard.head.startswith("HTTP/1.1 200")
        assert json.loads(heard.body)["message"] == "Service unavailable"


@pytest.mark.parametrize("after", [0, 1])
async def test_one_event_of_broken_json_and_then_the_rest(emulator, after):
    emulator.reply(events=[{"n": 0}, {"n": 1}, {"n": 2}], fault=BrokenJson(after))
    heard = await hear(emulator)
    lines = heard.unchunked.split(b"\n\n")[:-1]
    assert lines.pop(after) == b'data: {"n":%d' % after
    assert all(json.loads(line.removeprefix(b"data: ")) for line in lines)
    assert heard.is_complete


async def test_a_whole_answer_of_broken_json_lacks_its_last_character(spoiled):
    heard = await spoiled(BrokenJson(), stream=False)
    assert heard.body == WHOLE[:-1]
    assert f"Content-Length: {len(WHOLE) - 1}" in heard.head


@pytest.mark.parametrize("stream", [True, False])
async def test_html_stands_in_place_of_the_answer(spoiled, stream):
    heard = await spoiled(Html(), stream=stream)
    assert heard.head.startswith("HTTP/1.1 200")
    assert "Content-Type: text/html" in heard.head
    assert heard.body.startswith(b"<!DOCTYPE html>")


@pytest.mark.parametrize("fault", [OneByte(), Trickle(0.001), SlowClose(0.001)], ids=repr)
async def test_what_is_only_slow_is_complete(spoiled, fault):
    heard = await spoiled(fault)
    assert heard.unchunked == STREAMED
    assert heard.is_complete
    assert (await spoiled(fault, stream=False)).body == WHOLE


async def test_one_byte_is_a_chunk_of_its_own(spoiled):
    chunks, _ = (await spoiled(OneByte())).chunks
    assert {len(chunk) for chunk in chunks[:-1]} == {1}


async def test_a_trickle_pauses_between_any_two_events(spoiled):
    heard = await spoiled(Trickle(3600))
    assert heard.unchunked == b"data: one\n\n"
    heard = await spoiled(Trickle(3600), stream=False)
    assert heard.body == WHOLE[:2]


async def test_a_slow_close_lacks_the_end_of_the_chunks(spoiled):
    heard = await spoiled(SlowClose(3600))
    assert heard.unchunked == STREAMED
    assert not heard.is_complete
    assert heard.ended == "silent"


async def test_a_slow_close_of_a_whole_answer_lacks_its_last_byte(spoiled):
    assert (await spoiled(SlowClose(3600), stream=False)).body == WHOLE[:-1]


@pytest.mark.parametrize(("stream", "body"), [(True, STREAMED), (False, WHOLE)])
@pytest.mark.parametrize(("by", "promised"), [(-5, -5), (7, 7), (-1000, None)])
async def test_a_wrong_length_is_not_what_comes(spoiled, stream, body, by, promised):
    heard = await spoiled(WrongLength(by), stream=stream, connection="keep-alive")
    length = 0 if promised is None else len(body) + promised
    assert f"Content-Length: {length}\r\n" in f"{heard.head}\r\n"
    assert heard.body == body
    assert heard.ended == "closed"


async def test_a_fault_alone_goes_with_the_usual_answer(emulator):
    emulator.fault(Cut(150, "end"))
    cut, usual = await hear(emulator, stream=False), await hear(emulator, stream=False)
    assert len(cut.body) == 150
    assert json.loads(usual.body)["choices"][0]["message"]["content"]


async def test_faults_wait_in_the_queue_of_replies(emulator):
    emulator.reply("first")
    emulator.fault(Html())
    emulator.fail(status=503)
    kinds = [(await hear(emulator, stream=False)).body[:1] for _ in range(2)]
    assert kinds == [b"{", b"<"]
    assert (await hear(emulator)).head.startswith("HTTP/1.1 503")


async def test_the_connection_serves_on_after_a_proper_end(emulator, client):
    for fault in (Html(), OneByte(), ErrorStatus(500), Cut(3, "end")):
        emulator.reply("x", fault=fault)
        await client.ask()
    assert emulator.open_connections == 1


async def test_retry_after_comes_in_milliseconds_too(emulator, client):
    emulator.fail(status=429, retry_after_ms=20)
    assert (await client.ask()).headers["retry-after-ms"] == "20"


@pytest.mark.parametrize(
    ("fault", "billed"),
    [
        (None, True),
        (Cut(), True),
        (Stall(before="head"), True),
        (NoAnswer("reset"), True),
        (SlowClose(0), True),
        (ErrorEvent(after=1), True),
        (ErrorEvent(), False),
        (Html(), False),
        (ErrorStatus(429), False),
    ],
    ids=repr,
)
async def test_a_record_says_what_went_wrong_and_whether_it_cost(emulator, spoiled, fault, billed):
    await spoiled(fault)
    assert emulator.requests[0].fault is fault
    assert emulator.requests[0].billed is billed
    assert emulator.billed == billed


async def test_an_error_event_for_a_whole_answer_costs_nothing(emulator, spoiled):
    await spoiled(ErrorEvent(after=1), stream=False)
    assert emulator.billed == 0


async def test_the_record_of_a_failure_says_which_it_was(emulator, client):
    emulator.fail(status=502)
    await client.ask()
    assert emulator.requests[0].fault == ErrorStatus(502)
    assert not emulator.requests[0].billed


async def test_an_answer_that_was_cut_as_planned_is_done(emulator, spoiled):
    for fault in (Cut(3), Cut(3, "reset"), NoAnswer(), WrongLength(2)):
        await spoiled(fault)
    assert [record.outcome for record in emulator.requests] == ["done"] * 4


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: Cut(-1), "after"),
        (lambda: Cut(how="softly"), "how"),
        (lambda: NoAnswer("chunk"), "how"),
        (Stall, "either before or after"),
        (lambda: Stall(before="head", after=1), "either before or after"),
        (lambda: Stall(before="tail"), "before"),
        (lambda: Stall(after=-1), "after"),
        (lambda: Pings(-1), "seconds"),
        (lambda: Trickle(float("nan")), "seconds"),
        (lambda: SlowClose(-0.1), "seconds"),
        (lambda: ErrorEvent(-1), "after"),
        (lambda: BrokenJson(-1), "after"),
        (lambda: WrongLength(0), "right"),
    ],
)
def test_a_fault_that_cannot_be_is_refused_at_once(make, word):
    with pytest.raises(ValueError, match=word):
        make()


@pytest.mark.parametrize("wrong", ["cut", Cut])
def test_only_a_fault_is_taken_as_one(wrong):
    with pytest.raises(TypeError, match="fault"):
        Emulator().reply("x", fault=wrong)
    with pytest.raises(TypeError, match="fault"):
        Emulator().fault(wrong)

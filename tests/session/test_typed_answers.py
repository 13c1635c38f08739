"""`output_type=`: answers that are values of a type, and errors where they are not."""

import json
import pickle

import pytest
from typed_answers import CLAUDE, DEEPSEEK, GPT, INVOICE, WAYS, Invoice, complete, stream

from aimlchat import (
    AnswerDelta,
    ChatRequest,
    ChatSession,
    InvalidRequestError,
    OutputError,
    ReasoningDelta,
    RetryPolicy,
    StreamInterruptedError,
    Tool,
)
from aimlchat.emulator import Cut

KEY = "sk-a-key-that-no-error-may-show"
ADA = Invoice("Ada", 3, ("a", "b"))


@pytest.fixture(params=[complete, stream], ids=["complete", "stream"])
def call(request):
    return request.param


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def way(request):
    return request.param


async def fail(call, session, **options):
    with pytest.raises(OutputError) as caught:
        await call(session, output_type=Invoice, **options)
    return caught.value


# --- answers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", [None, "fenced", "prose"])
async def test_the_output_is_a_value_of_the_type(session, emulator, call, way, broken):
    emulator.reply(output=INVOICE, broken=broken)

    completion = await call(session, output_type=Invoice, **way)

    assert completion.output == ADA
    assert (completion.finish_reason, completion.tool_calls) == ("stop", ())
    assert '"total": 3' in completion.text


async def test_no_type_is_no_output(session, emulator, call):
    emulator.reply(output=INVOICE, times=2)

    for options in ({}, {"output_type": None}):
        assert (await call(session, model=GPT, **options)).output is None
    assert "response_format" not in emulator.requests[0].body


async def test_the_deltas_of_a_stream_are_those_of_the_json(session, emulator, way):
    emulator.reply(output=INVOICE, reasoning="Hm.")

    async with session.stream("Read it", output_type=Invoice, **way) as opened:
        assert opened.partial.output is None
        with pytest.raises(RuntimeError):
            _ = opened.output
        deltas = [delta async for delta in opened]

    assert {type(delta) for delta in deltas} <= {ReasoningDelta, AnswerDelta}
    answer = "".join(delta.text for delta in deltas if isinstance(delta, AnswerDelta))
    assert answer == opened.completion.text == opened.partial.text
    assert opened.output == opened.completion.output == ADA


async def test_drafts_are_plain_values_of_the_type(session, emulator, way):
    emulator.reply(output={"a": [1, {"b": None}], "c": [{}]})

    async with session.stream("Read it", output_type=dict[str, list[dict | int]], **way) as opened:
        view = opened.drafts()
        drafts = [draft async for draft in view]

    assert drafts[-1] == opened.output == {"a": [1, {"b": None}], "c": [{}]}
    assert len(drafts) > 2


async def test_the_output_is_that_of_choice_0(session, emulator):
    emulator.reply(output=INVOICE)

    completion = await session.complete("Read it", model=GPT, n=2, output_type=Invoice)

    assert completion.output == ADA
    assert len(completion.choices) == 2


async def test_a_turn_goes_back_as_text(session, emulator, call, way):
    emulator.reply(output=INVOICE, reasoning="Hm.")
    first = await call(session, output_type=Invoice, **way)
    emulator.reply(output={"name": "Bo", "total": 4})

    request = ChatRequest().user("Read it").assistant(first).user("And the other one?")
    second = await call(session, request, output_type=Invoice, **way)

    assert second.output == Invoice("Bo", 4)
    turn = emulator.requests[-1].body["messages"][-2]
    blocks = turn["content"] if isinstance(turn["content"], list) else [turn]
    assert "tool_calls" not in turn
    assert [block for block in blocks if block.get("type") == "tool_use"] == []
    assert first.text in (blocks[-1].get("text") or turn["content"])
    if way.get("dialect") == "messages":
        assert blocks[0]["type"] == "thinking"  # whose signature the emulator has checked


async def test_each_model_is_asked_in_its_way(session, emulator, call):
    emulator.fail(status=503)
    emulator.reply(output=INVOICE)

    completion = await call(session, models=[CLAUDE, DEEPSEEK], output_type=Invoice)

    first, second = (record.body for record in emulator.requests)
    assert first["tools"]
    assert "tools" not in second
    assert completion.output == ADA


async def test_calls_of_other_tools_come_before_the_answer(session, emulator, way):
    request = ChatRequest(tools=[Tool("look")]).user("Look it up")
    for call in (complete, stream):
        emulator.reply(tool_calls=[("look", {})], reasoning="Hm.")
        completion = await call(session, request, output_type=Invoice, **way)

        assert completion.output is None
        assert completion.tool_calls[0].name == "look"
        emulator.reply(output=INVOICE)
        following = request.assistant(completion).tool_result(completion.tool_calls[0].id, "Ada")
        assert (await call(session, following, output_type=Invoice, **way)).output == ADA


# --- failures -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "failure",
    [
        ({"output": INVOICE, "broken": "truncated"}, "truncated", "raise max_tokens"),
        ({"refusal": "I will not."}, "refused", "I will not."),
        ({"text": "No.", "finish_reason": "content_filter"}, "refused", "refused"),
        ({"text": "I cannot read it."}, "not_json", "I cannot read it."),
        ({"text": '{"name": "Ada", "total": '}, "not_json", "broken"),
        ({"output": INVOICE, "broken": "invalid"}, "invalid", "name: expected a string"),
        ({"output": INVOICE | {"total": 0}}, "invalid", "total has to be positive"),
    ],
    ids=["truncated", "refused", "filtered", "not_json", "broken", "invalid", "validator"],
)
async def test_every_failure_has_its_reason(session, emulator, call, way, failure):
    reply, reason, words = failure
    emulator.reply(**reply)

    error = await fail(call, session, **way)

    assert error.reason == reason
    assert error.path == ("name" if "broken" in reply and reason == "invalid" else "")
    assert words in str(error)
    assert error.completion is error.partial
    assert error.completion.cost is not None
    assert error.completion.output is None
    assert [attempt.cause for attempt in error.attempts] == [str(error)]
    assert error.completion.attempts == error.attempts
    assert len(emulator.requests) == 1


def call_twice(emulator, other):
    """Script two calls of the tool for the answer."""
    emulator.reply(tool_calls=[("answer_Invoice", INVOICE), ("answer_Invoice", other)])


TOOL_WAYS = [name for name in WAYS if "tool" in name]


@pytest.mark.parametrize("name", TOOL_WAYS)
async def test_an_answer_that_is_given_twice_is_one_answer(session, emulator, call, name):
    call_twice(emulator, dict(reversed(INVOICE.items())))

    completion = await call(session, output_type=Invoice, **WAYS[name])

    assert (completion.output, completion.tool_calls) == (ADA, ())
    assert completion.text.count("Ada") == 1


@pytest.mark.parametrize("name", TOOL_WAYS)
async def test_of_two_answers_that_differ_none_is_chosen(session, emulator, call, name):
    call_twice(emulator, INVOICE | {"total": 4})

    error = await fail(call, session, **WAYS[name])

    assert (error.reason, error.path) == ("not_json", "")
    assert "there are 2 answers that differ" in str(error)
    assert [json.loads(line)["total"] for line in error.completion.text.splitlines()] == [3, 4]
    assert error.completion.tool_calls == ()


async def test_drafts_of_two_answers_that_differ_are_those_of_the_first(session, emulator):
    call_twice(emulator, INVOICE | {"total": 4})

    async with session.stream("Read it", output_type=Invoice, **WAYS["tool"]) as opened:
        drafts = [draft async for draft in opened.drafts()]

    assert drafts[-1] == INVOICE
    assert [json.loads(line)["total"] for line in opened.completion.text.splitlines()] == [3, 4]
    with pytest.raises(OutputError, match="2 answers that differ"):
        _ = opened.output


async def test_the_iteration_of_a_stream_ends_as_usual(session, emulator, way):
    emulator.reply(output=INVOICE, broken="invalid")

    async with session.stream("Read it", output_type=Invoice, **way) as opened:
        drafts = [draft async for draft in opened.drafts()]
        assert [delta async for delta in opened] == []

    assert drafts
    assert opened.completion.is_complete
    assert opened.completion.output is None
    for _ in range(2):
        with pytest.raises(OutputError) as caught:
            _ = opened.output
        assert caught.value.completion == opened.completion


async def test_a_stream_that_is_cut_raises_what_cut_it(session, emulator, way):
    emulator.reply(output=INVOICE, fault=Cut(900))

    with pytest.raises(StreamInterruptedError) as caught:
        await stream(session, output_type=Invoice, **way)

    assert caught.value.partial.tool_calls == ()


async def test_the_record_of_a_call_has_the_error(emulator, call):
    records = []
    url = emulator.base_url
    async with ChatSession("k", base_url=url, on_finish=records.append, model=GPT) as session:
        emulator.reply(output=INVOICE, broken="invalid")
        error = await fail(call, session)

    (record,) = records
    assert (record.outcome, str(record.error)) == ("error", str(error))
    assert (record.usage, record.cost) == (error.completion.usage, error.completion.cost)
    assert record.attempts == error.attempts


async def test_the_error_shows_no_key_and_crosses_processes(emulator, call, way):
    once = RetryPolicy(attempts=1)
    async with ChatSession(KEY, base_url=emulator.base_url, retry=once) as session:
        emulator.reply(output=INVOICE | {"total": KEY})
        error = await fail(call, session, **way)

    frame, shown = error.__traceback__, [repr(error), str(error), error.completion.text]
    while frame is not None:
        if "aimlchat" in frame.tb_frame.f_code.co_filename.replace("tests", ""):
            shown.append(repr(frame.tb_frame.f_locals))
        frame = frame.tb_next
    assert KEY not in "".join(shown)
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.reason, copy.path) == (str(error), "invalid", "total")
    assert copy.completion == error.completion


# --- what is refused before anything is sent ------------------------------------------------------


class Broken:
    items: list[complex]

    def __init__(self, items):
        self.items = items


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (complex, "output_type"),
        (list[complex], "output_type[]"),
        (dict[str, tuple[int, complex]], "output_type{}[1]"),
        ("Invoice", "output_type"),
        ({"type": "object"}, "output_type"),
        (Broken, "output_type"),
    ],
)
def test_a_type_that_cannot_be_a_schema_is_refused_at_once(kind, field):
    session = ChatSession("k")
    for begin in (
        lambda: session.stream("Hi", output_type=kind),
        lambda: session.complete_many(["Hi"], output_type=kind),
        lambda: session.stream_many(["Hi"], output_type=kind),
        lambda: session.run("Hi", tools=[], output_type=kind),
        lambda: session.complete("Hi", output_type=kind).send(None),
    ):
        with pytest.raises(InvalidRequestError) as caught:
            begin()
        assert caught.value.field == field


async def test_a_response_format_of_the_request_is_refused(session, emulator, call, way):
    given = {"type": "json_object"}
    with pytest.raises(InvalidRequestError) as caught:
        await call(session, output_type=Invoice, response_format=given, **way)

    assert caught.value.field == "response_format"
    assert emulator.requests == []


@pytest.mark.parametrize("retries", [-1, 1.0, True, "1", None])
async def test_retries_are_a_number(session, emulator, retries):
    with pytest.raises(InvalidRequestError) as caught:
        await session.complete("Hi", output_type=Invoice, output_retries=retries)
    assert caught.value.field == "output_retries"
    assert emulator.requests == []


async def test_retries_need_a_type(session):
    with pytest.raises(InvalidRequestError, match="output_type"):
        await session.complete("Hi", output_retries=1)


def test_a_stream_cannot_ask_again():
    session = ChatSession("k")
    with pytest.raises(TypeError, match="complete"):
        session.stream("Hi", output_type=Invoice, output_retries=1)
    with pytest.raises(TypeError, match="complete"):
        session.stream_many(["Hi"], output_type=Invoice, output_retries=1)
    session.stream("Hi", output_type=Invoice, output_retries=0)

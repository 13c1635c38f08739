"""`output_retries=`: the model is told what is wrong with its answer, and gets another request."""

import asyncio

import pytest
from run_tools import in_virtual_time, now
from typed_answers import CLAUDE, DEEPSEEK, GPT, INVOICE, WAYS, Invoice, complete, run

from aimlchat import (
    ChatRequest,
    ChatSession,
    Limits,
    OutputError,
    RequestTimeoutError,
    RetryPolicy,
    ServerError,
    Timeouts,
)

BO = {"name": "Bo", "total": 0}
ONCE = RetryPolicy(attempts=1)


@pytest.fixture(params=[complete, run], ids=["complete", "run"])
def call(request):
    return request.param


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def way(request):
    return request.param


@pytest.fixture
def records():
    return []


@pytest.fixture
async def session(emulator, records):
    url = emulator.base_url
    async with ChatSession("k", base_url=url, retry=ONCE, on_finish=records.append) as opened:
        yield opened


def bill(emulator, *, bad=1, usd=0.5, tokens=10):
    """Script answers that are not of the type, and then one that is, each of which costs."""
    usage = {"prompt_tokens": tokens, "completion_tokens": tokens}
    usage["total_tokens"] = 2 * tokens
    for _ in range(bad):
        emulator.reply(output=BO, cost=usd, usage=usage)
    emulator.reply(output=INVOICE, cost=usd, usage=usage)


async def fail(kind, session, **options):
    with pytest.raises(kind) as caught:
        await session.complete("Read it", output_type=Invoice, **options)
    return caught.value


# --- the next attempt -----------------------------------------------------------------------------


@pytest.mark.parametrize("broken", ["validator", "invalid", "not_json", "empty"])
async def test_the_model_is_told_what_is_wrong(session, emulator, call, way, broken):
    if broken == "validator":
        emulator.reply(output=BO, reasoning="Hm.")
    elif broken == "invalid":
        emulator.reply(output=BO, broken="invalid", reasoning="Hm.")
    else:
        emulator.reply("Oh no." if broken == "not_json" else "", reasoning="Hm.")
    emulator.reply(output=INVOICE)

    request = ChatRequest(system="Be brief.").user("Read it")
    completion = await call(session, request, output_type=Invoice, output_retries=1, **way)

    assert completion.output.name == "Ada"
    first, second = emulator.requests
    told = second.body["messages"][-1]
    assert told["role"] == "user"
    wanted = {"validator": "total has to be positive", "invalid": "name: expected a string"}
    assert wanted.get(broken, "not one JSON value") in str(told["content"])
    assert second.body.get("system") == first.body.get("system")
    for name in ("tools", "tool_choice", "response_format", "thinking"):
        assert second.body.get(name) == first.body.get(name)
    if broken != "empty":
        turn = second.body["messages"][-2]
        assert turn["role"] == "assistant"
        assert "tool_use" not in str(turn)
        assert ("Bo" in str(turn)) == (broken == "validator")


@pytest.mark.parametrize("name", ["tool", "tool of claude", "offered_tool in messages"])
async def test_of_two_answers_that_differ_the_model_gives_the_right_one(
    session, emulator, call, name
):
    answers = [("answer_Invoice", INVOICE), ("answer_Invoice", INVOICE | {"total": 4})]
    emulator.reply(tool_calls=answers, reasoning="Hm.")
    emulator.reply(output=INVOICE)

    completion = await call(session, output_type=Invoice, output_retries=1, **WAYS[name])

    assert completion.output.total == 3
    turn, told = emulator.requests[1].body["messages"][-2:]
    assert "Ada" in str(turn)
    assert "tool_use" not in str(turn)
    assert "there are 2 answers that differ" in str(told["content"])


async def test_each_is_an_attempt_and_all_are_billed(session, emulator, records):
    bill(emulator, bad=2, usd=0.1)

    completion = await session.complete("Hi", model=GPT, output_type=Invoice, output_retries=3)

    (record,) = records
    assert [bool(attempt.cause) for attempt in completion.attempts] == [True, True, False]
    assert "positive" in completion.attempts[0].cause
    assert completion.cost.usd == 0.3
    assert (completion.usage.total_tokens, completion.usage.prompt_tokens) == (60, 30)
    assert record.outcome == "complete"
    assert (record.cost, record.usage) == (completion.cost, completion.usage)
    assert record.attempts == completion.attempts
    ids = {one.headers["X-Client-Request-Id"] for one in emulator.requests}
    assert ids == {completion.client_request_id}


async def test_the_last_error_has_what_all_answers_have_cost(session, emulator, records):
    bill(emulator, bad=3, usd=0.1)

    error = await fail(OutputError, session, model=GPT, output_retries=2)

    assert (error.reason, len(error.attempts)) == ("invalid", 3)
    assert all(attempt.cause for attempt in error.attempts)
    assert error.completion.text == '{"name": "Bo", "total": 0, "tags": null}'
    assert error.completion.cost.usd == 0.3
    assert error.completion.usage.total_tokens == 60
    assert (records[0].outcome, records[0].cost) == ("error", error.completion.cost)
    assert records[0].error.completion == error.completion


async def test_another_failure_has_what_the_answers_have_cost(session, emulator, records):
    emulator.reply(output=BO, cost=0.1)
    emulator.fail(status=503)

    error = await fail(ServerError, session, model=GPT, output_retries=1)

    assert error.partial.cost.usd == records[0].cost.usd == 0.1
    assert len(error.attempts) == 2


async def test_the_hook_of_retries_is_called(emulator):
    noted = []
    url = emulator.base_url
    async with ChatSession("k", base_url=url, on_retry=noted.append, model=GPT) as session:
        bill(emulator, bad=2)
        await session.complete("Hi", output_type=Invoice, output_retries=2)

    assert [record.attempt for record in noted] == [1, 2]
    assert all(isinstance(record.error, OutputError) for record in noted)


@pytest.mark.parametrize(
    "reply",
    [
        {"output": INVOICE, "broken": "truncated"},
        {"refusal": "No."},
        {"text": "No.", "finish_reason": "content_filter"},
    ],
    ids=["truncated", "refused", "filtered"],
)
async def test_what_would_happen_again_is_not_asked_again(session, emulator, call, reply):
    emulator.reply(**reply)

    with pytest.raises(OutputError):
        await call(session, model=GPT, output_type=Invoice, output_retries=3)

    assert len(emulator.requests) == 1


async def test_each_question_may_be_retried_by_the_policy(emulator):
    quick = RetryPolicy(attempts=2, base_delay=0.001)
    async with ChatSession("k", base_url=emulator.base_url, retry=quick, model=GPT) as session:
        emulator.fail(status=503)
        emulator.reply(output=BO)
        emulator.fail(status=503)
        emulator.reply(output=INVOICE)
        completion = await session.complete("Hi", output_type=Invoice, output_retries=1)

    assert completion.output.name == "Ada"
    assert len(completion.attempts) == 4


async def test_the_model_that_has_answered_is_asked_again(session, emulator):
    emulator.fail(status=503)
    emulator.reply(output=BO)
    emulator.fail(status=503)
    emulator.reply(output=INVOICE)

    completion = await session.complete(
        "Hi", models=[GPT, CLAUDE, DEEPSEEK], output_type=Invoice, output_retries=1
    )

    assert [attempt.model for attempt in completion.attempts] == [GPT, CLAUDE, CLAUDE, DEEPSEEK]
    assert completion.output.name == "Ada"
    assert "positive" in str(emulator.requests[-1].body["messages"])


async def test_a_request_that_the_caller_changes_meanwhile_stays_the_same(session, emulator):
    messages = [{"role": "user", "content": "Hi"}]

    def change(_):
        messages.append({"role": "user", "content": "Bye"})
        return ""

    emulator.reply(change)
    emulator.reply(output=INVOICE)
    await session.complete(messages, model=GPT, output_type=Invoice, output_retries=1)

    assert "Bye" not in str(emulator.requests[-1].body)


# --- limits ---------------------------------------------------------------------------------------


def test_the_deadline_is_that_of_all_attempts():
    async def slow(session, emulator):
        async def answer(_):
            await asyncio.sleep(4)
            return '{"name": "Bo"}'

        emulator.reply(answer, times=None)
        timeouts = Timeouts(deadline=10)
        return await fail(RequestTimeoutError, session, timeouts=timeouts, output_retries=99)

    error = in_virtual_time(slow)
    assert error.phase == "deadline"
    assert len(error.attempts) == 3


async def test_a_spent_budget_ends_the_questions(emulator):
    url = emulator.base_url
    async with ChatSession("k", base_url=url, budget_usd=1.0, model=GPT) as session:
        bill(emulator, bad=5, usd=0.4)
        error = await fail(OutputError, session, output_retries=5)

    assert len(error.attempts) == 3
    assert error.completion.cost.usd == 1.2
    assert "budget" in error.__notes__[0]


async def test_all_answers_count_against_the_budget(emulator):
    url = emulator.base_url
    async with ChatSession("k", base_url=url, budget_usd=10.0, model=GPT) as session:
        bill(emulator, bad=2, usd=0.25)
        await session.complete("Hi", output_type=Invoice, output_retries=2)
        assert session._context.spending.spent_usd == 0.75
        bill(emulator, bad=2, usd=0.25)
        await fail(OutputError, session, output_retries=1)
        assert session._context.spending.spent_usd == 1.25


def test_all_answers_count_against_the_tokens_per_minute():
    async def ask(session, emulator):
        bill(emulator, bad=1, tokens=600)
        await session.complete("Hi", max_tokens=1, output_type=Invoice, output_retries=1)
        before = now()
        await session.complete("Hi", max_tokens=1)
        return now() - before

    limits = Limits(tokens_per_minute=2400)
    assert in_virtual_time(ask, limits=limits) > 0


async def test_a_run_of_many_counts_all_answers(session, emulator):
    def answer(record):
        return '{"name": "Ada", "total": 3}' if len(record.body["messages"]) > 1 else "No."

    emulator.reply(answer, times=None, cost=0.25)
    options = {"model": GPT, "output_type": Invoice, "output_retries": 1}
    outcomes = session.complete_many(["Hi"] * 8, concurrency=2, **options)
    found = await outcomes.gather()

    assert [outcome.unwrap().output.name for outcome in found] == ["Ada"] * 8
    assert outcomes.cost.usd == 4.0
    assert len(emulator.requests) == 16

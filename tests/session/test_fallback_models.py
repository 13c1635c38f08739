"""`models=[...]`: the next model is asked if the one before cannot respond."""

import asyncio

import pytest

from aimlchat import (
    AIMLChatError,
    AuthenticationError,
    BadRequestError,
    ChatRequest,
    ChatSession,
    InsufficientCreditsError,
    InvalidRequestError,
    Limits,
    NotFoundError,
    RequestTimeoutError,
    RetryPolicy,
    ServerError,
    StreamInterruptedError,
    Timeouts,
)
from aimlchat._client.fallback import is_curable
from aimlchat.emulator import Cut, Html, Stall
from aimlchat.errors import ConnectionFailedError, ProtocolError, RateLimitError

CLAUDE, GPT, GEMINI = (
    "anthropic/claude-3.7-sonnet",
    "openai/gpt-4o",
    "google/gemini-3-flash-preview",
)
BOTH = [CLAUDE, GPT]
QUICK = RetryPolicy(attempts=2, base_delay=0.001, max_delay=0.001)


@pytest.fixture
async def session(emulator):
    async with ChatSession("k", base_url=emulator.base_url, retry=QUICK) as opened:
        yield opened


def models_of(emulator):
    return [record.body["model"] for record in emulator.requests]


async def complete(session, request="Why?", **options):
    return await session.complete(request, **options)


async def stream(session, request="Why?", **options):
    return await session.stream(request, **options).collect()


@pytest.fixture(params=[complete, stream], ids=["complete", "stream"])
def call(request):
    return request.param


async def test_the_first_model_answers_if_it_can(emulator, session, call):
    completion = await call(session, models=BOTH)
    assert completion.model == "claude-3-7-sonnet-20250219"
    assert [attempt.model for attempt in completion.attempts] == [CLAUDE]
    assert models_of(emulator) == [CLAUDE]


async def test_the_next_model_answers_if_the_first_does_not_exist(emulator, session, call):
    emulator.fail(status=404, message="The model is gone.")
    completion = await call(session, models=BOTH)
    assert completion.model == "gpt-4o-2024-08-06"
    first, second = completion.attempts
    assert (first.model, first.delay) == (CLAUDE, 0.0)
    assert "The model is gone." in first.cause
    assert (second.number, second.model, second.cause) == (2, GPT, None)


async def test_each_model_gets_the_attempts_of_the_policy(emulator, session, call):
    for _ in range(2):
        emulator.fail(status=500)
    completion = await call(session, models=BOTH)
    assert models_of(emulator) == [CLAUDE, CLAUDE, GPT]
    assert [attempt.number for attempt in completion.attempts] == [1, 2, 3]


async def test_an_overloaded_model_is_left_at_once(emulator, session, call):
    for status in (429, 529):
        emulator.fail(status=status, retry_after=60)
    completion = await call(session, models=[CLAUDE, GPT, GEMINI])
    assert models_of(emulator) == [CLAUDE, GPT, GEMINI]
    assert completion.text


async def test_a_model_that_pauses_after_a_rate_limit_is_left_out(emulator, session, call):
    for model in (CLAUDE, GPT):
        emulator.fail(status=429, retry_after=60)
        with pytest.raises(RateLimitError):
            await session.complete("Why?", model=model, retry=RetryPolicy(1))
    emulator.requests.clear()
    completion = await call(session, models=[CLAUDE, GPT, GEMINI])
    assert models_of(emulator) == [GEMINI]
    assert [attempt.model for attempt in completion.attempts] == [GEMINI]
    emulator.fail(status=404)
    emulator.requests.clear()
    await call(session, models=["openai/gpt-4o-mini", CLAUDE, GEMINI])
    assert models_of(emulator) == ["openai/gpt-4o-mini", GEMINI]


async def test_the_last_model_is_tried_again_like_any_other(emulator, session, call):
    emulator.fail(status=404)
    emulator.fail(status=429, retry_after=0.001)
    await call(session, models=BOTH)
    assert models_of(emulator) == [CLAUDE, GPT, GPT]


async def test_the_last_failure_is_raised_with_the_attempts_of_all(emulator, session, call):
    emulator.fail(status=404)
    emulator.fail(status=403, message="Not on this plan.")
    with pytest.raises(AIMLChatError, match=r"Not on this plan\.") as caught:
        await call(session, models=BOTH)
    assert [attempt.model for attempt in caught.value.attempts] == BOTH


@pytest.mark.parametrize("status", [401, 402])
async def test_a_failure_that_would_hit_every_model_is_final(emulator, session, call, status):
    emulator.fail(status=status)
    with pytest.raises((AuthenticationError, InsufficientCreditsError)):
        await call(session, models=BOTH)
    assert len(emulator.requests) == 1


async def test_a_stream_that_is_cut_before_its_first_delta_goes_to_the_next_model(
    emulator, session
):
    for _ in range(2):
        emulator.fault(Cut(0))
    assert (await stream(session, models=BOTH)).model.startswith("gpt")


async def test_a_stream_that_is_cut_after_a_delta_is_not_asked_again(emulator, session):
    emulator.reply(events=[{"choices": [{"index": 0, "delta": {"content": "Blue"}}]}])
    with pytest.raises(StreamInterruptedError) as caught:
        await stream(session, models=[GPT, CLAUDE])
    assert caught.value.partial.text
    assert len(emulator.requests) == 1


async def test_a_stream_of_html_goes_to_the_next_model(emulator, session):
    emulator.fault(Html())
    assert (await stream(session, models=BOTH)).model.startswith("gpt")


async def test_a_whole_response_that_was_cut_is_billed_and_final(emulator, session):
    emulator.fault(Cut(10))
    with pytest.raises(ProtocolError):
        await complete(session, models=BOTH)
    assert len(emulator.requests) == 1


async def test_a_model_that_does_not_begin_in_time_is_left(emulator, session):
    emulator.fault(Stall(before="headers"))
    emulator.fault(Stall(before="first_token"))
    completion = await stream(
        session,
        models=[CLAUDE, GPT, GEMINI],
        timeouts=Timeouts(first_token=0.05),
        retry=RetryPolicy(1),
    )
    assert models_of(emulator) == [CLAUDE, GPT, GEMINI]
    assert completion.text


async def test_the_deadline_covers_all_models(emulator, session, call):
    for _ in range(2):
        emulator.fault(Stall(before="headers"))
    timeouts = Timeouts(first_token=0.06, deadline=0.1)
    with pytest.raises(RequestTimeoutError) as caught:
        await call(session, models=[CLAUDE, GPT, GEMINI], timeouts=timeouts, retry=RetryPolicy(1))
    assert caught.value.phase == "deadline"
    assert models_of(emulator) == BOTH


async def test_each_model_gets_its_own_dialect(emulator, session):
    emulator.fail(status=404)
    request = ChatRequest(system="Be brief.").user("Why?")
    await session.complete(request, models=["anthropic/claude-sonnet-4.5", GPT])
    first, second = (record.body for record in emulator.requests)
    assert first["system"] == "Be brief."
    assert second["messages"][0] == {"role": "system", "content": "Be brief."}


async def test_all_attempts_have_the_same_request_id(emulator, session):
    emulator.fail(status=404)
    completion = await session.complete("Why?", models=BOTH)
    ids = {record.client_request_id for record in emulator.requests}
    assert ids == {completion.client_request_id}


async def test_a_request_that_one_of_the_models_refuses_is_not_sent_at_all(emulator, session, call):
    with pytest.raises(InvalidRequestError) as caught:
        await call(session, models=[CLAUDE, GPT], thinking=2048)
    assert caught.value.field == "thinking"
    assert f"models= names {GPT}, which does not take this request" in caught.value.__notes__
    assert emulator.requests == []


async def test_models_override_the_model_of_the_request(emulator, session, call):
    await call(session, ChatRequest(GEMINI).user("Why?"), models=BOTH)
    assert models_of(emulator) == [CLAUDE]


async def test_later_changes_to_the_list_have_no_effect(emulator, session):
    models = list(BOTH)
    pending = session.stream("Why?", models=models)
    models.clear()
    await pending.collect()
    assert models_of(emulator) == [CLAUDE]


@pytest.mark.parametrize(
    ("options", "field", "told"),
    [
        ({"models": []}, "models", "the list is empty"),
        ({"models": GPT}, "models", "is not a list of names"),
        ({"models": {GPT: 1}}, "models", "is not a list of names"),
        ({"models": [GPT, " "]}, "models[1]", "blank"),
        ({"models": [GPT, 7]}, "models[1]", "7"),
        ({"models": [GPT, CLAUDE, GPT]}, "models[2]", "named twice"),
        ({"models": [GPT], "model": CLAUDE}, "models", "either model= or models="),
    ],
)
async def test_a_list_that_makes_no_sense_is_refused(session, call, options, field, told):
    with pytest.raises(InvalidRequestError, match=told) as caught:
        await call(session, **options)
    assert caught.value.field == field


async def test_the_hooks_name_the_model_of_the_attempt(emulator):
    retries, calls = [], []
    session = ChatSession(
        "k", base_url=emulator.base_url, on_retry=retries.append, on_finish=calls.append
    )
    emulator.fail(status=404)
    async with session:
        await session.complete("Why?", models=BOTH)
    assert [(record.model, record.attempt, record.delay) for record in retries] == [(CLAUDE, 1, 0)]
    assert [(record.model, record.outcome) for record in calls] == [(GPT, "complete")]
    assert [attempt.model for attempt in calls[0].attempts] == BOTH


async def test_each_attempt_takes_a_slot_of_its_own_model(emulator):
    limits = Limits(concurrency=1)
    async with ChatSession("k", base_url=emulator.base_url, limits=limits) as session:
        emulator.fail(status=404)
        await session.complete("Why?", models=BOTH)
        await session.complete("Why?", models=BOTH)
    assert models_of(emulator) == [CLAUDE, GPT, CLAUDE]


async def test_a_closed_session_asks_no_other_model(stalling_server):
    async with ChatSession("k", base_url=stalling_server.base_url) as session:
        task = asyncio.ensure_future(session.complete("Why?", models=BOTH))
        await stalling_server.requested.wait()
    with pytest.raises(AIMLChatError):
        await task
    assert len(stalling_server.requests) == 1


async def test_a_run_goes_to_the_next_model_instead_of_waiting(emulator, session):
    for _ in range(3):
        emulator.fail(status=429, retry_after=60)
        emulator.reply("Blue.")
    outcomes = await session.complete_many(["Why?"] * 3, concurrency=1, models=BOTH).gather()
    assert [outcome.unwrap().model[:3] for outcome in outcomes] == ["gpt"] * 3


async def test_a_run_of_streams_takes_models_too(emulator, session):
    emulator.fail(status=404)
    run = session.stream_many(["Why?"], models=BOTH)
    async for _ in run:
        pass
    assert run.outcomes[0].unwrap().model.startswith("gpt")


@pytest.mark.parametrize(
    ("error", "curable"),
    [
        (NotFoundError("gone", status=404), True),
        (ServerError("x", status=500), True),
        (ServerError("x", status=529), True),
        (RateLimitError("Too Many Requests", status=429), True),
        (RateLimitError("Free-tier limit", status=429), False),
        (AIMLChatError("x"), False),
        (AuthenticationError("x", status=401), False),
        (InsufficientCreditsError("x", status=403), False),
        (BadRequestError("This model does not support images", status=400), True),
        (BadRequestError("maximum context length is 8192 tokens", status=400), True),
        (BadRequestError("prompt is too long: 9 tokens > 8 maximum", status=400), True),
        (BadRequestError("Body validation error!", status=400), False),
        (ConnectionFailedError("x", sent=True), True),
        (ConnectionFailedError("x", sent=False), False),
        (InvalidRequestError("x", field="n"), False),
        *((RequestTimeoutError("x", phase=phase), False) for phase in ("queue", "connect")),
        *((RequestTimeoutError("x", phase=phase), False) for phase in ("whole", "deadline")),
        (RequestTimeoutError("x", phase="first_token"), True),
    ],
    ids=str,
)
def test_a_failure_is_curable_if_another_model_may_respond(error, curable):
    assert is_curable(error, is_stream=False) is curable
    assert is_curable(error, is_stream=True) is curable


@pytest.mark.parametrize(
    "error", [RequestTimeoutError("x", phase="idle"), StreamInterruptedError("x")], ids=str
)
def test_only_a_stream_without_a_delta_was_not_generated(error):
    assert is_curable(error, is_stream=True)
    assert not is_curable(error, is_stream=False)


async def test_the_last_model_gets_no_more_than_the_attempts_of_the_policy(emulator, session, call):
    emulator.fail(status=404)
    for _ in range(9):
        emulator.fail(status=500)
    with pytest.raises(ServerError) as caught:
        await call(session, models=BOTH)
    assert [attempt.model for attempt in caught.value.attempts] == [CLAUDE, GPT, GPT]

"""`aimlchat.otel`: the span of a call, its attributes, its events and its place in a trace."""

import asyncio

from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from spans import CLAUDE, GPT, USAGE, only


async def test_a_call_has_the_attributes_of_the_conventions(emulator, session, exporter):
    emulator.reply("Blue.", usage=USAGE, cost=0.25)
    completion = await session.complete(
        "Why?", max_tokens=9, temperature=0.5, top_p=0.9, stop=["x"], seed=3, model=GPT
    )
    span = only(exporter)
    assert span.name == f"chat {GPT}"
    assert span.kind is SpanKind.CLIENT
    assert span.status.status_code is StatusCode.UNSET
    port = int(emulator.base_url.rpartition(":")[2].removesuffix("/v1"))
    assert dict(span.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "aimlapi",
        "gen_ai.request.model": GPT,
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.seed": 3,
        "gen_ai.request.stop_sequences": ("x",),
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.response.id": completion.id,
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "gen_ai.usage.cache_creation.input_tokens": 2,
        "gen_ai.usage.reasoning.output_tokens": 3,
        "server.address": "127.0.0.1",
        "server.port": port,
        "aimlchat.outcome": "complete",
        "aimlchat.client_request_id": completion.client_request_id,
        "aimlchat.inference_id": completion.inference_id,
        "aimlchat.cost.usd": 0.25,
    }
    assert "1.41" in span.instrumentation_scope.schema_url


async def test_a_stream_has_the_time_to_its_first_chunk(session, exporter):
    await session.stream("Why?").collect()
    attributes = only(exporter).attributes
    assert attributes["gen_ai.request.stream"] is True
    assert 0 < attributes["gen_ai.response.time_to_first_chunk"] < 5


async def test_each_attempt_is_an_event(emulator, session, exporter):
    emulator.fail(status=503)
    emulator.fail(status=429, retry_after=0.001)
    await session.complete("Why?")
    events = only(exporter).events
    assert [event.name for event in events] == ["aimlchat.attempt"] * 3
    assert [event.attributes["aimlchat.attempt.number"] for event in events] == [1, 2, 3]
    assert [event.attributes.get("error.type") for event in events] == ["503", "429", None]


async def test_the_events_name_the_model_of_their_attempt(emulator, session, exporter):
    emulator.fail(status=404)
    await session.complete("Why?", models=[CLAUDE, GPT])
    span = only(exporter)
    assert span.attributes["gen_ai.request.model"] == CLAUDE
    assert span.attributes["gen_ai.response.model"].startswith("gpt-4o")
    assert [event.attributes["gen_ai.request.model"] for event in span.events] == [CLAUDE, GPT]


async def test_a_request_that_a_run_puts_back_is_an_event(emulator, session, exporter):
    emulator.reply("Blue.")
    emulator.fail(status=429, retry_after=0.01)
    await session.complete_many(["Why?", "How?"], concurrency=1).gather()
    spans = exporter.get_finished_spans()
    flags = [
        event.attributes.get("aimlchat.attempt.is_put_back")
        for span in spans
        for event in span.events
    ]
    assert flags == [None, True, None]


async def test_the_parent_is_the_span_that_is_current_when_the_call_begins(
    session, exporter, tracer_provider
):
    tracer = tracer_provider.get_tracer("service")
    stream = session.stream("Why?")
    with tracer.start_as_current_span("request") as parent:
        await session.complete("Why?")
        await stream.collect()
        await session.complete_many(["Why?"]).gather()
    *calls, _ = exporter.get_finished_spans()
    assert len(calls) == 3
    assert {call.parent.span_id for call in calls} == {parent.get_span_context().span_id}


async def test_nothing_is_attached_while_the_caller_holds_a_delta(session, emulator):
    emulator.reply(chunks=["Blue", " sky"])
    async for _ in session.stream("Why?"):
        assert trace.get_current_span() is trace.INVALID_SPAN
    assert trace.get_current_span() is trace.INVALID_SPAN


async def test_the_trace_headers_are_sent_with_every_attempt(emulator, session, exporter):
    emulator.fail(status=404)
    await session.complete("Why?", models=[CLAUDE, GPT])
    context = only(exporter).context
    sent = {record.headers["traceparent"].rpartition("-")[0] for record in emulator.requests}
    assert sent == {f"00-{context.trace_id:032x}-{context.span_id:016x}"}


async def test_a_trace_header_of_the_caller_is_kept(emulator, session):
    await session.complete("Why?", headers={"Traceparent": "mine"})
    assert emulator.requests[0].headers.getall("traceparent") == ["mine"]


async def test_concurrent_calls_have_spans_of_their_own(emulator, session, exporter):
    await asyncio.gather(*(session.complete(f"Why {n}?") for n in range(20)))
    spans = exporter.get_finished_spans()
    assert len({span.context.span_id for span in spans}) == 20
    sent = {record.headers["traceparent"].split("-")[2] for record in emulator.requests}
    assert sent == {f"{span.context.span_id:016x}" for span in spans}


async def test_an_answer_of_a_type_is_json_however_it_is_asked_for(emulator, session, exporter):
    emulator.reply(output={"a": 1})
    await session.complete("Why?", model=CLAUDE, output_type=dict[str, bool | int])

    span = only(exporter)
    assert span.attributes["gen_ai.output.type"] == "json"


async def test_an_answer_that_is_asked_for_again_is_an_event(emulator, session, exporter):
    emulator.reply("No.", cost=0.25)
    emulator.reply(output={"a": 1}, cost=0.25)
    options = {"output_type": dict[str, int], "output_retries": 1}
    await session.complete("Why?", model=GPT, **options)

    span = only(exporter)
    first, second = span.events
    assert first.attributes["error.type"] == "OutputError"
    assert "error.type" not in second.attributes
    assert span.attributes["aimlchat.cost.usd"] == 0.5
    parents = {one.headers["traceparent"].rpartition("-")[0] for one in emulator.requests}
    assert parents == {f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}"}

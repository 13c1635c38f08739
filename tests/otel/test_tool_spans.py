"""`aimlchat.otel`: the spans of the tools of a run."""

import asyncio

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from spans import GPT

from aimlchat import Image, Text, Tool
from aimlchat.otel import instrument


@pytest.fixture
def run_tool(session, emulator, exporter):
    """Return a function that runs a tool once and returns its span."""

    async def run_tool(function, **fields):
        emulator.reply(tool_calls=[{"name": "f", "arguments": {"city": "Ulm"}, "id": "c1"}])
        emulator.reply("Done.")
        tool = Tool("f", description="Says something", function=function, **fields)
        await session.run("Go", tools=[tool], model=GPT).collect()
        [span] = [s for s in exporter.get_finished_spans() if s.name.startswith("execute_tool")]
        return span

    return run_tool


async def test_a_tool_has_the_attributes_of_the_conventions(run_tool):
    span = await run_tool(lambda city: city)

    assert span.name == "execute_tool f"
    assert span.kind is SpanKind.INTERNAL
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes) == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "f",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": "c1",
        "gen_ai.tool.description": "Says something",
    }


@pytest.mark.parametrize(
    ("returned", "recorded"),
    [("Rain", "Rain"), ([Text("A map"), Image.from_bytes(b"\x89PNG\r\n\x1a\n")], "A map\n[Image]")],
)
async def test_content_is_recorded_on_request(
    run_tool, session, tracer_provider, returned, recorded
):
    instrument(session, tracer_provider=tracer_provider, capture_content=True)

    span = await run_tool(lambda **_: returned)

    assert span.attributes["gen_ai.tool.call.arguments"] == '{"city":"Ulm"}'
    assert span.attributes.get("gen_ai.tool.call.result") == recorded


async def test_a_failure_has_its_type_and_no_message(run_tool):
    def fail(city):
        raise ValueError(city)

    span = await run_tool(fail)

    assert span.attributes["error.type"] == "ValueError"
    assert span.status.status_code is StatusCode.ERROR
    assert "Ulm" not in str(span.to_json())


async def test_a_timeout_is_named_as_one(run_tool):
    async def wait(city):
        await asyncio.sleep(60)

    span = await run_tool(wait, timeout=0.01)

    assert span.attributes["error.type"] == "timeout"


async def test_tools_are_below_the_span_in_which_the_run_began(run_tool, exporter, tracer_provider):
    tracer = tracer_provider.get_tracer("test")

    def work(city):
        with tracer.start_as_current_span("query"):
            return "Rain"

    with tracer.start_as_current_span("request") as outer:
        span = await run_tool(work)
        assert trace.get_current_span() is outer

    names = {s.name: s for s in exporter.get_finished_spans()}
    assert span.parent.span_id == outer.get_span_context().span_id
    assert names["query"].parent.span_id == span.context.span_id
    assert names[f"chat {GPT}"].parent.span_id == outer.get_span_context().span_id


async def test_a_failing_tracer_does_not_break_a_tool(session, emulator, run_tool, caplog):
    class Broken:
        def start_span(self, name, **_):
            if name.startswith("execute_tool"):
                raise ValueError
            return trace.INVALID_SPAN

    class Provider:
        def get_tracer(self, *_):
            return Broken()

    instrument(session, tracer_provider=Provider())
    emulator.reply(tool_calls=[("f", {})])
    run = session.run("Go", tools=[Tool("f", function=lambda: "Rain")], model=GPT)
    await run.collect()

    assert "tracing a tool failed" in caplog.text
    assert len(run.request.messages) == 4

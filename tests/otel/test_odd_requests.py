"""Whatever a caller or a model writes, a call has its span, with valid attributes and no log."""

import json
from contextlib import suppress

import pytest
from spans import GPT, only

from aimlchat import AIMLChatError, ChatSession
from aimlchat.otel import instrument

CUSTOM_CALL = {"id": "a", "type": "custom", "custom": {"name": "run", "input": "ls"}}
IMAGE_PART = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


@pytest.fixture
def content_session(session, tracer_provider):
    instrument(session, tracer_provider=tracer_provider, capture_content=True)
    return session


@pytest.mark.parametrize(
    "extra",
    [
        {"messages": "Why?"},
        {"messages": ["Why?"]},
        {"messages": [{"role": "user", "content": {"text": "Why?"}}]},
        {"messages": [{"role": "user", "content": ["Why?", {"type": ["text"]}]}]},
        {"messages": [{"role": "assistant", "tool_calls": [{"function": {}}, {"function": 1}, 2]}]},
        {"system": 5},
        {"system": {"text": "Be brief."}},
    ],
    ids=str,
)
async def test_content_of_another_form_is_left_out(content_session, exporter, caplog, extra):
    with suppress(AIMLChatError):  # the emulator refuses most of them
        await content_session.complete("Why?", model=GPT, extra=extra)
    assert only(exporter).attributes["gen_ai.input.messages"].startswith("[")
    assert caplog.records == []


async def test_a_call_of_a_custom_tool_and_the_parts_of_a_result_are_content(
    emulator, content_session, exporter
):
    emulator.reply(body={"choices": []}, status=400)
    messages = [
        {"role": "assistant", "content": None, "tool_calls": [CUSTOM_CALL]},
        {"role": "tool", "tool_call_id": "a", "content": [IMAGE_PART]},
    ]
    with pytest.raises(AIMLChatError):
        await content_session.complete("Why?", model=GPT, extra={"messages": messages})
    called, returned = json.loads(only(exporter).attributes["gen_ai.input.messages"])
    assert called["parts"] == [{"type": "tool_call", "id": "a", "name": "run", "arguments": "ls"}]
    [result] = returned["parts"]
    assert result["response"] == [{"type": "file", "modality": "image"}]


async def test_arguments_that_are_nested_too_deep_are_a_text(
    emulator, content_session, exporter, caplog
):
    emulator.reply(tool_calls=[("f", "[" * 50_000)])
    await content_session.complete("Why?", model=GPT)
    [message] = json.loads(only(exporter).attributes["gen_ai.output.messages"])
    assert message["parts"][-1]["arguments"] == "[" * 50_000
    assert caplog.records == []


@pytest.mark.parametrize(
    ("options", "name", "value"),
    [
        ({"temperature": 1}, "temperature", 1.0),
        ({"max_tokens": 5}, "max_tokens", 5),
        ({"seed": 2**63 - 1}, "seed", 2**63 - 1),
        ({"seed": 2**63}, "seed", None),  # more than an attribute can hold
        ({"extra": {"temperature": {"a": 1}}}, "temperature", None),
        ({"extra": {"top_k": [1]}}, "top_k", None),
        ({"stop": "x"}, "stop_sequences", ("x",)),
        ({"extra": {"stop": ["x", 1]}}, "stop_sequences", None),
    ],
    ids=str,
)
async def test_parameters_have_the_types_of_the_conventions(
    session, exporter, options, name, value
):
    with suppress(AIMLChatError):  # the emulator refuses some of them
        await session.complete("Why?", model=GPT, **options)
    found = only(exporter).attributes.get(f"gen_ai.request.{name}")
    assert (type(found), found) == (type(value), value)


async def test_the_caller_s_own_traceparent_gets_no_foreign_tracestate(
    emulator, session, exporter, tracer_provider
):
    headers = {"TraceParent": f"00-{'1' * 32}-{'2' * 16}-01", "TraceState": "own=1"}
    await session.complete("Why?", headers=headers)
    await session.complete("Why?", headers={"TraceState": "own=1"})
    first, second = (record.headers for record in emulator.requests)
    assert (first["traceparent"], first["tracestate"]) == tuple(headers.values())
    assert (
        second["traceparent"][3:35] == f"{exporter.get_finished_spans()[1].context.trace_id:032x}"
    )
    assert "tracestate" not in second


async def test_a_hook_that_is_interrupted_leaves_no_span_open(emulator, tracer_provider, exporter):
    def interrupt(_):
        raise KeyboardInterrupt

    async with ChatSession("k", base_url=emulator.base_url, on_finish=interrupt) as session:
        instrument(session, tracer_provider=tracer_provider)
        try:
            await session.complete("Why?")
        except KeyboardInterrupt:
            pass
        else:
            pytest.fail("the interrupt was swallowed")
    assert only(exporter).attributes["aimlchat.outcome"] == "complete"

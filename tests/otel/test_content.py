"""Spans carry the content of a conversation only on request."""

import json

from spans import GPT, only

from aimlchat import (
    ChatRequest,
    Image,
    Tool,
)
from aimlchat.otel import instrument


async def test_content_has_the_form_of_the_conventions(
    emulator, session, exporter, tracer_provider
):
    instrument(session, tracer_provider=tracer_provider, capture_content=True)
    emulator.reply("Blue.", reasoning="Think.", tool_calls=[("look_up", {"word": "sky"})])
    request = (
        ChatRequest(GPT, system="Be brief.", tools=[Tool("look_up")])
        .user("Why?")
        .assistant("Hm.")
        .user("Well?")
    )
    await session.complete(request)
    attributes = only(exporter).attributes
    assert json.loads(attributes["gen_ai.system_instructions"]) == [
        {"type": "text", "content": "Be brief."}
    ]
    assert json.loads(attributes["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "Why?"}]},
        {"role": "assistant", "parts": [{"type": "text", "content": "Hm."}]},
        {"role": "user", "parts": [{"type": "text", "content": "Well?"}]},
    ]
    [message] = json.loads(attributes["gen_ai.output.messages"])
    reasoning, text, call = message["parts"]
    assert message["finish_reason"] == "tool_calls"
    assert reasoning == {"type": "reasoning", "content": "Think."}
    assert text == {"type": "text", "content": "Blue."}
    assert (call["type"], call["name"], call["arguments"]) == (
        "tool_call",
        "look_up",
        {"word": "sky"},
    )


async def test_a_large_file_is_not_part_of_the_content(
    emulator, session, exporter, tracer_provider
):
    instrument(session, tracer_provider=tracer_provider, capture_content=True)
    png = b"\x89PNG\r\n\x1a\n" + bytes(500_000)
    await session.complete(ChatRequest(GPT).user("What?", Image.from_bytes(png)))
    [message] = json.loads(only(exporter).attributes["gen_ai.input.messages"])
    assert message["parts"] == [
        {"type": "text", "content": "What?"},
        {"type": "file", "modality": "image"},
    ]

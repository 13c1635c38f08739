"""The public types as a user's type checker sees them; checked by mypy, never run."""

from collections.abc import Mapping
from typing import Any, assert_type

import aimlchat
from aimlchat import (
    AnswerDelta,
    ChatRequest,
    ChatSession,
    Completion,
    CompletionIterator,
    Delta,
    DeltaStream,
    Image,
    Model,
    Outcome,
    ReasoningDelta,
    RefusalDelta,
    StreamParser,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolCallDelta,
)
from aimlchat.emulator import Emulator


async def calls(session: ChatSession) -> None:
    assert_type(await session.complete("Hi"), Completion)
    assert_type(await session.complete([{"role": "user", "content": "Hi"}]), Completion)
    assert_type(session.stream(ChatRequest().user("Hi"), temperature=0.5), DeltaStream)
    assert_type(await session.models(), list[Model])
    run = session.complete_many(["Hi", ChatRequest().user("Hi")], concurrency="auto")
    assert_type(run, CompletionIterator)
    async for outcome in run:
        assert_type(outcome, Outcome)
        assert_type(outcome.unwrap(), Completion)
    assert_type(await run.gather(), list[Outcome])
    async for index, delta in session.stream_many(["Hi"]):
        assert_type(index, int)
        assert_type(delta, Delta)


async def deltas(stream: DeltaStream) -> str:
    async with stream as entered:
        assert_type(entered, DeltaStream)
        async for delta in entered:
            match delta:
                case ReasoningDelta(text) | AnswerDelta(text) | RefusalDelta(text):
                    assert_type(text, str)
                case ToolCallDelta(text, index=index, id=call_id, name=name):
                    assert_type(index, int)
                    assert_type(call_id, str | None)
                    assert_type(name, str | None)
    async for piece in stream.answer_text():
        assert_type(piece, str)
    assert_type(stream.headers, Mapping[str, str])
    return (await stream.collect()).text


def completions(completion: Completion) -> None:
    assert_type(completion.text, str)
    assert_type(completion.reasoning, str)
    assert_type(completion.finish_reason, str | None)
    assert_type(completion.tool_calls, tuple[ToolCall, ...])
    assert_type(completion.tool_calls[0].arguments, dict[str, Any])
    assert_type(completion.cost.usd if completion.cost else None, float | None)


def requests() -> None:
    request = ChatRequest(model="openai/gpt-4o", thinking=Thinking(budget_tokens=2048))
    request = request.system("Be brief.").user("What is this?", Image.from_url("https://x.test/a"))
    assert_type(request.options(tools=[Tool("f", parameters={})]), ChatRequest)
    assert_type(request.user(Text("Hi")).payload(stream=True), dict[str, Any])


def parsers(parser: StreamParser) -> None:
    found: list[Delta] = parser.feed(b"")
    assert_type(parser.partial, Completion)
    assert_type(found, list[Delta])


async def emulators() -> None:
    async with Emulator() as emulator:
        emulator.reply("Hi")
        assert_type(emulator.base_url, str)


def errors(error: aimlchat.APIError) -> None:
    assert_type(error.status, int)
    assert_type(error.retry_after, float | None)
    assert_type(error.partial, Completion | None)

"""The public types as a user's type checker sees them; mypy and pyright check it, it never runs.

Both report an error that is ignored here and does not occur: so each ``type: ignore`` states that
the line is an error.
"""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from collections.abc import Mapping
from typing import Any, Literal, TypedDict, assert_type

import aimlchat
from aimlchat import (
    AIMLChatError,
    AnswerDelta,
    Attempt,
    Balance,
    CallRecord,
    ChatRequest,
    ChatSession,
    Completion,
    CompletionIterator,
    Cost,
    Delta,
    DeltaStream,
    Image,
    Model,
    Outcome,
    OutputError,
    Progress,
    ReasoningDelta,
    RefusalDelta,
    RequestOptions,
    RetryRecord,
    RoundEnd,
    StreamInterruptedError,
    StreamParser,
    StreamsIterator,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    ToolRun,
)
from aimlchat.emulator import Emulator


async def calls(session: ChatSession) -> None:
    assert_type(await session.complete("Hi"), Completion)
    assert_type(await session.complete([{"role": "user", "content": "Hi"}]), Completion)
    assert_type(session.stream(ChatRequest().user("Hi"), temperature=0.5), DeltaStream)
    assert_type(await session.complete("Hi", models=["a", "b"]), Completion)
    assert_type(session.stream("Hi", models=("a", "b")), DeltaStream)
    assert_type(await session.models(), list[Model])
    assert_type(await session.balance(), Balance)
    run = session.complete_many(["Hi", ChatRequest().user("Hi")], concurrency="auto")
    assert_type(run, CompletionIterator)
    async for outcome in run:
        assert_type(outcome, Outcome)
        assert_type(outcome.unwrap(), Completion)
    assert_type(await run.gather(), list[Outcome])
    deltas = session.stream_many(["Hi"], reasoning_effort="low")
    assert_type(deltas, StreamsIterator)
    async for index, delta in deltas:
        assert_type(index, int)
        assert_type(delta, Delta)


async def runs(session: ChatSession) -> None:
    async def approve(call: ToolCall) -> str | None:
        return None if call.name == "f" else "no"

    run = session.run("Hi", tools=[Tool("f", function=len)], on_tool=approve, temperature=0.5)
    assert_type(run, ToolRun)
    async with run as entered:
        async for event in entered:
            match event:
                case ToolResult(call, _, is_error=is_error):
                    assert_type(call, ToolCall)
                    assert_type(is_error, bool)
                case RoundEnd(completion) as end:
                    assert_type(completion, Completion[Any])
                    assert_type(end.pending_calls, tuple[ToolCall, ...])
                case delta:
                    assert_type(delta, Delta)
    assert_type(await run.collect(), Completion)
    assert_type(run.request, ChatRequest)
    assert_type(run.pending_calls, tuple[ToolCall, ...])
    assert_type(run.cost, Cost)
    session.run("Hi")  # type: ignore[call-overload]


async def options(session: ChatSession) -> None:
    shared: RequestOptions = {"temperature": 0.5, "stop": ["."], "thinking": 2048}
    assert_type(await session.complete("Hi", **shared), Completion)
    assert_type(session.stream("Hi", **shared), DeltaStream)

    await session.complete("Hi", temprature=1)  # type: ignore[call-overload]
    session.stream("Hi", temprature=1)  # type: ignore[call-overload]
    session.complete_many(["Hi"], temprature=1)  # type: ignore[call-overload]
    session.stream_many(["Hi"], temprature=1)  # type: ignore[call-overload]
    await session.complete("Hi", timeout=10)  # type: ignore[call-overload]
    await session.complete("Hi", temperature="hot")  # type: ignore[call-overload]


def hooks() -> None:
    def log_retry(record: RetryRecord) -> None:
        assert_type(record.error, AIMLChatError)
        assert_type(record.delay, float)

    def log_call(record: CallRecord) -> None:
        assert_type(record.attempts, tuple[Attempt, ...])
        assert_type(record.cost, Cost | None)

    ChatSession(on_retry=log_retry, on_finish=log_call)


def report(progress: Progress) -> None:
    assert_type(progress.done, int)
    assert_type(progress.seconds_left, float | None)


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


async def drafts(stream: DeltaStream) -> None:
    async for draft in stream.drafts():
        assert_type(draft, Any)
        assert_type(draft["items"][0], Any)


class Invoice:
    total: float


class Row(TypedDict):
    total: float


async def typed_calls(session: ChatSession) -> None:
    completion = await session.complete("Hi", output_type=Invoice, output_retries=2)
    assert_type(completion, Completion[Invoice])
    assert_type(completion.output.total, float)
    assert_type(await session.complete("Hi", output_type=int), Completion[int])
    assert_type(await session.complete("Hi", output_type=list[Invoice]), Completion[list[Invoice]])
    assert_type((await session.complete("Hi", output_type=dict[str, Row])).output["a"], Row)
    assert_type(await session.complete("Hi", output_type=None), Completion)
    # The types of special forms are not seen.
    assert_type(await session.complete("Hi", output_type=int | str), Completion[Any])
    assert_type(await session.complete("Hi", output_type=Literal["a", "b"]), Completion[Any])
    assert_type(await session.complete("Hi", output_type=Invoice | None), Completion[Any])
    await session.complete("Hi", output_type=Invoice, output_retries="2")  # type: ignore[call-overload]

    stream = session.stream("Hi", output_type=Invoice)
    assert_type(stream, DeltaStream[Invoice])
    async with stream as entered:
        assert_type(entered, DeltaStream[Invoice])
        async for delta in entered:
            assert_type(delta, Delta)
    assert_type(stream.output, Invoice)
    assert_type(stream.completion, Completion[Invoice])
    assert_type(await stream.collect(), Completion[Invoice])
    assert_type(session.stream("Hi", output_type=int | str), DeltaStream[Any])
    assert_type(session.stream("Hi").output, Any)
    session.stream("Hi", output_type=Invoice, output_retries=1)  # type: ignore[call-overload]


async def typed_runs(session: ChatSession) -> None:
    iterator = session.complete_many(["Hi"], output_type=Invoice, output_retries=1, ordered=False)
    assert_type(iterator, CompletionIterator[Invoice])
    async for outcome in iterator:
        assert_type(outcome, Outcome[Invoice])
        assert_type(outcome.unwrap().output, Invoice)
        if outcome.completion is not None:
            assert_type(outcome.completion.output, Invoice)
    assert_type(await iterator.gather(), list[Outcome[Invoice]])
    streams = session.stream_many(["Hi"], output_type=Invoice)
    async for index, delta in streams:
        assert_type(index, int)
        assert_type(delta, Delta)
    assert_type(streams.outcomes[0], Outcome[Invoice])

    run = session.run("Hi", tools=[print], output_type=Invoice, output_retries=1)
    assert_type(run, ToolRun[Invoice])
    assert_type(run.output, Invoice)
    assert_type((await run.collect()).output, Invoice)
    assert_type(session.run("Hi", tools=None, output_type=Literal[1]), ToolRun[Any])


def send_back(request: ChatRequest, completion: Completion[Invoice]) -> ChatRequest:
    return request.assistant(completion)


def outputs(plain: Completion, typed: Completion[Invoice], error: OutputError) -> None:
    assert_type(plain, Completion[Any])
    assert_type(plain.output, Any)
    assert_type(typed.output, Invoice)
    either: Completion[Invoice | None] = typed
    assert_type(either.text, str)
    anything: Completion[Any] = plain
    assert_type(anything.output, Any)
    bare: Completion = typed
    assert_type(bare.text, str)
    assert_type(error.completion, Completion)
    assert_type(error.path, str)


def completions(completion: Completion) -> None:
    assert_type(completion.text, str)
    assert_type(completion.reasoning, str)
    assert_type(completion.finish_reason, str | None)
    assert_type(completion.tool_calls, tuple[ToolCall, ...])
    assert_type(completion.tool_calls[0].id, str)
    assert_type(completion.tool_calls[0].arguments, dict[str, Any])
    assert_type(completion.attempts, tuple[Attempt, ...])
    assert_type(completion.cost.usd if completion.cost else None, float | None)


def requests() -> None:
    request = ChatRequest(model="openai/gpt-4o", thinking=Thinking(budget_tokens=2048))
    request = request.system("Be brief.").user("What is this?", Image.from_url("https://x.test/a"))
    assert_type(request.options(tools=[Tool("f", parameters={})]), ChatRequest)
    assert_type(request.options(tools=[print, Tool("f")], tool_choice=print), ChatRequest)
    assert_type(ChatRequest(tools=[print]).tools, tuple[Tool | Mapping[str, Any], ...])
    assert_type(Tool.from_function(print, name="f", timeout=3), Tool)
    assert_type(request.user(Text("Hi")).payload(stream=True), dict[str, Any])
    assert_type(ChatRequest(system="Be brief.", stop=["."]).user("Hi"), ChatRequest)
    request.options(temprature=1)  # type: ignore[call-arg]


def tools(request: ChatRequest, completion: Completion) -> ChatRequest:
    request = request.assistant(completion)
    for call in completion.tool_calls:
        request = request.tool_result(call.id, {"rain": True}, is_error=False)
    return request


def parsers(parser: StreamParser) -> None:
    found: list[Delta] = parser.feed(b"")
    assert_type(parser.partial, Completion)
    assert_type(found, list[Delta])


async def emulators() -> None:
    async with Emulator() as emulator:
        emulator.reply("Hi")
        assert_type(emulator.base_url, str)


def errors(error: AIMLChatError) -> None:
    assert_type(error.partial, Completion)
    assert_type(error.partial.text, str)
    assert_type(error.attempts, tuple[Attempt, ...])
    if isinstance(error, aimlchat.APIError):
        assert_type(error.status, int)
        assert_type(error.retry_after, float | None)
    if isinstance(error, StreamInterruptedError):
        assert_type(error.partial.reasoning, str)


def version() -> None:
    assert_type(aimlchat.__version__, str)

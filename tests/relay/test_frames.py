"""`Framer`: deltas to frames, without I/O."""

import json
import time
import tracemalloc

import pytest

from aimlchat import (
    AIMLChatError,
    AnswerDelta,
    AuthenticationError,
    BadRequestError,
    Choice,
    Completion,
    ConfigurationError,
    ConnectionFailedError,
    Cost,
    InsufficientCreditsError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    ProtocolError,
    RateLimitError,
    ReasoningDelta,
    RefusalDelta,
    RequestTimeoutError,
    ServerError,
    StreamInterruptedError,
    StreamParser,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from aimlchat.errors import APIError
from aimlchat.relay import PageTooSlowError
from aimlchat.relay.encoding import encode_frame
from aimlchat.relay.frames import Framer


def feed_all(*deltas):
    framer = Framer()
    return [frame for delta in deltas for frame in framer.feed(delta)]


def finish_after(*deltas, **choice):
    framer = Framer()
    for delta in deltas:
        framer.feed(delta)
    return framer.finish(Completion((Choice(**choice),)))


def test_arguments_that_waited_for_a_name_come_in_frames_that_a_web_socket_takes():
    pieces = ["x" * 5] * 100_000
    framer = Framer()
    started = time.process_time()
    for piece in pieces:
        assert framer.feed(ToolCallDelta(piece, index=0)) == []
    elapsed = time.process_time() - started
    frames = framer.feed(ToolCallDelta("y", index=0, name="f"))

    texts = [frame["inputTextDelta"] for frame in frames[1:]]
    assert "".join(texts) == "".join(pieces) + "y"
    assert max(map(len, texts)) == 200_000
    assert elapsed < 2  # copying all that waits for each fragment took 4 s


def test_each_part_has_a_start_an_end_and_its_own_id():
    frames = feed_all(AnswerDelta("a"), ReasoningDelta("b"), ReasoningDelta("c"), AnswerDelta("d"))

    assert [(frame["type"], frame["id"]) for frame in frames] == [
        ("text-start", "text-1"),
        ("text-delta", "text-1"),
        ("text-end", "text-1"),
        ("reasoning-start", "reasoning-2"),
        ("reasoning-delta", "reasoning-2"),
        ("reasoning-delta", "reasoning-2"),
        ("reasoning-end", "reasoning-2"),
        ("text-start", "text-3"),
        ("text-delta", "text-3"),
    ]


def test_only_the_first_of_several_choices_becomes_frames():
    assert feed_all(AnswerDelta("other", choice=1)) == []


def test_a_refusal_is_sent_as_text_and_marked_as_a_refusal():
    start, delta, end, other, _ = feed_all(RefusalDelta("I will not."), AnswerDelta("Well."))

    assert start["type"] == other["type"] == "text-start"
    assert start["providerMetadata"] == {"aimlchat": {"refusal": True}}
    assert delta == {"type": "text-delta", "id": "refusal-1", "delta": "I will not."}
    assert end == {"type": "text-end", "id": "refusal-1"}
    assert "providerMetadata" not in other


def test_tool_calls_stream_in_parallel_and_become_available_at_the_end():
    framer = Framer()
    deltas = [
        ToolCallDelta("", index=0, id="a", name="find"),
        ToolCallDelta('{"q"', index=0, id="a", name="find"),
        ToolCallDelta("{}", index=1, id="b", name="look"),
        ToolCallDelta(":1}", index=0, id="a", name="find"),
    ]
    frames = [frame for delta in deltas for frame in framer.feed(delta)]
    calls = ToolCall("a", "find", '{"q":1}'), ToolCall("b", "look", "{}")
    frames += framer.finish(Completion((Choice(tool_calls=calls, finish_reason="tool_calls"),)))

    assert [(frame["type"], frame.get("toolCallId")) for frame in frames] == [
        ("tool-input-start", "a"),
        ("tool-input-delta", "a"),
        ("tool-input-start", "b"),
        ("tool-input-delta", "b"),
        ("tool-input-delta", "a"),
        ("tool-input-available", "a"),
        ("tool-input-available", "b"),
        ("finish-step", None),
        ("finish", None),
    ]
    assert frames[5] | {"input": {"q": 1}, "toolName": "find"} == frames[5]
    assert frames[-1]["finishReason"] == "tool-calls"


def test_a_tool_call_is_announced_when_its_name_is_known_and_keeps_its_id():
    deltas = [ToolCallDelta('{"q"', name=None), ToolCallDelta(":1}", id=None, name="find")]
    framer = Framer()

    assert framer.feed(deltas[0]) == []
    assert [frame["type"] for frame in framer.feed(deltas[1])] == [
        "tool-input-start",
        "tool-input-delta",
        "tool-input-delta",
    ]
    call = ToolCall("late", "find", '{"q":1}')
    available, *_ = framer.finish(Completion((Choice(tool_calls=(call,)),)))
    assert available["toolCallId"].startswith("call-0-")


def test_a_tool_call_without_a_name_is_announced_at_the_end():
    delta = ToolCallDelta('{"q":1}', id="a", name=None)

    frames = finish_after(delta, tool_calls=(ToolCall("a", "", '{"q":1}'),))

    assert [frame["type"] for frame in frames] == [
        "tool-input-start",
        "tool-input-delta",
        "tool-input-available",
        "finish-step",
        "finish",
    ]


def test_broken_arguments_are_an_error_of_their_tool_call_only():
    frames = finish_after(tool_calls=(ToolCall("a", "find", '{"q":'),))

    assert frames[1]["type"] == "tool-input-error"
    assert frames[1]["input"] == '{"q":'
    assert frames[-1]["type"] == "finish"


def test_a_call_that_was_cut_off_is_an_error_and_never_available():
    delta = ToolCallDelta("", id="a", name="delete_files")
    call = ToolCall("a", "delete_files", "", complete=False)

    frames = finish_after(delta, tool_calls=(call,), finish_reason="length")

    types = [frame["type"] for frame in frames]
    assert types == ["tool-input-start", "tool-input-error", "finish-step", "finish"]
    assert frames[1]["errorText"] == "This tool call was cut off."


@pytest.mark.parametrize("arguments", ["", "{}", '{"path"'])
def test_a_call_of_a_stream_that_reached_its_token_limit_is_an_error(arguments):
    function = {"name": "delete_files", "arguments": arguments}
    delta = {"tool_calls": [{"index": 0, "id": "a", "function": function}]}
    choice = {"index": 0, "delta": delta, "finish_reason": "length"}
    parser, framer = StreamParser("m"), Framer()

    deltas = parser.feed(b"data: %s\n\n" % json.dumps({"choices": [choice]}).encode())
    frames = [frame for delta in [*deltas, *parser.close()] for frame in framer.feed(delta)]
    frames += framer.finish(parser.completion)

    types = [frame["type"] for frame in frames if frame["type"] != "tool-input-delta"]
    assert types == ["tool-input-start", "tool-input-error", "finish-step", "finish"]


def test_the_input_of_a_custom_tool_is_available_as_text():
    call = ToolCall("a", "python", "print(1)", type="custom")

    frames = finish_after(ToolCallDelta("print(1)", id="a", name="python"), tool_calls=(call,))

    assert frames[0]["type"] == "tool-input-available"
    assert frames[0]["input"] == "print(1)"


def test_a_call_is_announced_with_its_arguments_since_its_name_may_arrive_in_pieces():
    deltas = [
        ToolCallDelta("", id="a", name="put_a"),
        ToolCallDelta('{"q":', id="a", name="put_away_file"),
    ]

    start, _ = feed_all(*deltas)

    assert start == {"type": "tool-input-start", "toolCallId": "a", "toolName": "put_away_file"}


def test_a_lone_surrogate_in_the_arguments_is_replaced():
    frames = finish_after(tool_calls=(ToolCall("a", "find", '{"q":"\\ud83d"}'),))

    assert json.loads(encode_frame(frames[1]))["input"] == {"q": "\N{REPLACEMENT CHARACTER}"}


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("tool_calls", "tool-calls"),
        ("content_filter", "content-filter"),
        ("eos", "other"),
        (None, "other"),
    ],
)
def test_the_finish_reason_is_one_of_the_ai_sdk(reason, expected):
    assert finish_after(finish_reason=reason)[-1]["finishReason"] == expected


def test_the_metadata_has_the_known_facts_and_no_nulls():
    completion = Completion(
        (Choice(finish_reason="eos"),),
        usage=Usage(prompt_tokens=3, reasoning_tokens=0),
        cost=Cost(usd=0.5, credits=1e6),
        model="m",
        inference_id="i",
    )

    assert Framer().finish(completion)[-1]["messageMetadata"] == {
        "finishReason": "other",
        "usage": {"inputTokens": 3, "outputTokenDetails": {"reasoningTokens": 0}},
        "cost": {"usd": 0.5, "credits": 1e6},
        "model": "m",
        "inferenceId": "i",
    }
    assert Framer().finish(Completion())[-1]["messageMetadata"] == {}


def test_the_counts_of_usage_have_the_names_of_the_ai_sdk():
    usage = Usage(
        prompt_tokens=1,
        completion_tokens=2,
        total_tokens=3,
        reasoning_tokens=4,
        cached_tokens=5,
        cache_write_tokens=6,
        raw={"prompt_tokens": 1},
    )

    finish = Framer().finish(Completion(usage=usage))[-1]

    assert finish["messageMetadata"]["usage"] == {
        "inputTokens": 1,
        "inputTokenDetails": {"cacheReadTokens": 5, "cacheWriteTokens": 6},
        "outputTokens": 2,
        "outputTokenDetails": {"reasoningTokens": 4},
        "totalTokens": 3,
    }


def test_every_kind_of_end_closes_the_open_part():
    for end in (Framer.stop, lambda framer: framer.fail(ServerError("x"))):
        framer = Framer()
        framer.feed(AnswerDelta("a"))
        assert end(framer)[0] == {"type": "text-end", "id": "text-1"}


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (AuthenticationError, "authentication"),
        (InsufficientCreditsError, "credits"),
        (PermissionDeniedError, "permission"),
        (NotFoundError, "not_found"),
        (RateLimitError, "rate_limit"),
        (BadRequestError, "bad_request"),
        (InvalidRequestError, "bad_request"),
        (ServerError, "provider"),
        (APIError, "provider"),
        (RequestTimeoutError, "timeout"),
        (ConnectionFailedError, "connection"),
        (StreamInterruptedError, "interrupted"),
        (ProtocolError, "protocol"),
        (ConfigurationError, "configuration"),
        (PageTooSlowError, "too_slow"),
        (AIMLChatError, "internal"),
        (LookupError, "internal"),
    ],
)
def test_an_error_is_described_by_its_class_and_never_by_its_message(kind, code):
    data, error = Framer().fail(kind("a secret"))

    assert data["data"]["code"] == code
    assert error["errorText"].endswith(".")
    assert "secret" not in f"{data}{error}"


def test_arguments_that_wait_for_a_name_take_little_more_than_their_text():
    framer = Framer()
    tracemalloc.start()
    try:
        for number in range(20_000):
            framer.feed(ToolCallDelta(f"{number:05d}", 0, 0, "c", None))
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    _, *frames = framer.feed(ToolCallDelta("end", 0, 0, "c", "f"))

    assert size < 3 * 100_000
    arguments = "".join(frame["inputTextDelta"] for frame in frames)
    assert arguments == "".join(f"{number:05d}" for number in range(20_000)) + "end"


def test_a_step_encloses_the_content_of_an_answer():
    framer = Framer()
    frames = framer.start() + framer.feed(AnswerDelta("a")) + framer.finish(Completion())
    assert [frame["type"] for frame in frames] == [
        *("start", "start-step", "text-start", "text-delta", "text-end", "finish-step", "finish")
    ]


def test_the_message_has_an_id_only_if_one_is_given():
    assert Framer().start()[0] == {"type": "start"}
    assert Framer("m1").start()[0] == {"type": "start", "messageId": "m1"}


def test_each_cited_page_becomes_a_source_once():
    annotations = (
        {"type": "url_citation", "url_citation": {"url": "https://a.example/", "title": "A"}},
        {"type": "url_citation", "url_citation": {"url": "https://a.example/", "title": "Again"}},
        {"type": "url_citation", "url": "http://b.example/"},
        {"type": "url_citation", "url_citation": {"url": "javascript:alert(1)", "title": "No"}},
        {"type": "file_citation", "file_citation": None},
        {"url_citation": "odd"},
    )
    completion = Completion((Choice(annotations=annotations),))
    assert Framer().finish(completion)[:2] == [
        {"type": "source-url", "sourceId": "source-1", "url": "https://a.example/", "title": "A"},
        {"type": "source-url", "sourceId": "source-2", "url": "http://b.example/"},
    ]

"""`Framer`: the events of a run to frames, without I/O."""

import pytest

from aimlchat import (
    AnswerDelta,
    Choice,
    Completion,
    Cost,
    Image,
    Text,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from aimlchat.relay.frames import Framer
from aimlchat.run_events import CallsBegin, RoundEnd, ToolResult

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)
CALL = ToolCall("weather-of-ulm", "weather", '{"city": "Ulm"}')
OTHER = ToolCall("weather-of-jena", "weather", '{"city": "Jena"}')


def turn(*calls, text=""):
    choice = Choice(text=text, tool_calls=calls, finish_reason="tool_calls" if calls else "stop")
    return Completion((choice,), is_complete=True)


def announce(call, index=0):
    return ToolCallDelta(call.raw_arguments, index=index, id=call.id, name=call.name)


def feed_all(framer, *events):
    return [frame for event in events for frame in framer.feed(event)]


def types_of(frames):
    return [frame["type"] for frame in frames]


def test_each_round_is_a_step_that_ends_behind_its_results():
    framer = Framer()
    frames = feed_all(
        framer,
        AnswerDelta("Let me look."),
        announce(CALL),
        ToolResult(CALL, "rain"),
        RoundEnd(turn(CALL)),
        AnswerDelta("Take one."),
        RoundEnd(turn(text="Take one.")),
    )
    frames += framer.finish(turn(text="Take one."))

    assert types_of(frames) == [
        *("text-start", "text-delta", "text-end"),
        *("tool-input-start", "tool-input-delta", "tool-input-available", "tool-output-available"),
        *("finish-step", "start-step"),
        *("text-start", "text-delta", "text-end"),
        *("finish-step", "finish"),
    ]


def test_a_result_names_the_call_as_the_page_knows_it():
    counted = ToolCall("call_0", "weather", "{}")
    framer = Framer()
    start, *_, output = feed_all(framer, announce(counted), ToolResult(counted, "rain"))

    assert output["toolCallId"] == start["toolCallId"] != "call_0"
    assert output["output"] == "rain"


@pytest.mark.parametrize("texts", [("", ""), ("", "{}"), ("{}", "")])
def test_a_call_without_arguments_is_announced_once(texts):
    calls = [ToolCall(f"of-the-{name}", "now", "") for name in ("first", "second")]
    framer = Framer()
    frames = feed_all(
        framer,
        *(ToolCallDelta(text, 0, i, calls[i].id, "now") for i, text in enumerate(texts)),
        *(ToolResult(call, "noon") for call in calls),
        RoundEnd(turn(*calls)),
    )

    for call in calls:
        kinds = types_of(frame for frame in frames if frame["toolCallId"] == call.id)
        kinds = [kind for kind in kinds if kind != "tool-input-delta"]
        assert kinds == ["tool-input-start", "tool-input-available", "tool-output-available"]


def test_calls_are_whole_for_the_page_when_they_begin_to_run():
    call = ToolCall("of-the-hour", "now", "")
    framer = Framer()
    before = feed_all(framer, ToolCallDelta("", 0, 0, call.id, "now"), CallsBegin(turn(call)))
    after = feed_all(framer, ToolResult(call, "noon"), RoundEnd(turn(call)))

    assert types_of(before) == ["tool-input-start", "tool-input-available"]
    assert before[1]["input"] == {}
    assert types_of(after) == ["tool-output-available"]


def test_a_signed_turn_is_sent_before_its_calls_run_since_the_answer_may_be_stopped():
    signed = {"content_blocks": [{"type": "thinking", "thinking": "Hm.", "signature": "s"}]}
    choice = Choice(tool_calls=(CALL,), finish_reason="tool_calls", turn=signed)
    framer = Framer()
    frames = feed_all(framer, announce(CALL), CallsBegin(Completion((choice,), is_complete=True)))

    assert types_of(frames)[-2:] == ["tool-input-available", "message-metadata"]
    (kept,) = frames[-1]["messageMetadata"]["turns"]
    assert kept["content_blocks"] == signed["content_blocks"]


def test_a_call_that_was_replaced_is_sent_as_it_ran():
    ran = ToolCall(CALL.id, "weather", '{"city": "Bonn"}')
    framer = Framer()
    feed_all(framer, announce(CALL), CallsBegin(turn(CALL)))
    frames = feed_all(framer, ToolResult(ran, "rain"), RoundEnd(turn(CALL)))

    assert types_of(frames) == ["tool-input-available", "tool-output-available"]
    assert frames[0]["input"] == {"city": "Bonn"}


def test_a_page_has_nothing_to_post_once_the_rounds_are_used_up():
    framer = Framer()
    last = turn(CALL)
    frames = feed_all(
        framer, announce(CALL), ToolResult(CALL, "No.", is_error=True), RoundEnd(last)
    )
    frames += framer.finish(last)

    assert types_of(frames)[-4:] == ["finish-step", "start-step", "finish-step", "finish"]


def test_a_page_that_has_a_call_to_answer_finds_it_in_the_last_step():
    framer = Framer()
    last = turn(CALL, OTHER)
    events = (announce(CALL), announce(OTHER, 1), ToolResult(OTHER, "sun"), RoundEnd(last))
    frames = feed_all(framer, *events) + framer.finish(last)

    assert "start-step" not in types_of(frames)


def test_a_counted_id_that_a_run_has_made_unique_is_made_so_for_the_page():
    start = feed_all(Framer(), announce(ToolCall("call_0_2", "weather", "{}")))[0]

    assert start["toolCallId"].startswith("call_0_2-")


def test_two_results_come_in_the_order_of_the_calls():
    framer = Framer()
    frames = feed_all(
        framer,
        announce(CALL),
        announce(OTHER, 1),
        ToolResult(CALL, "rain"),
        ToolResult(OTHER, "sun"),
        RoundEnd(turn(CALL, OTHER)),
    )

    outputs = [frame for frame in frames if frame["type"] == "tool-output-available"]
    assert [(frame["toolCallId"], frame["output"]) for frame in outputs] == [
        (CALL.id, "rain"),
        (OTHER.id, "sun"),
    ]
    assert types_of(frames).count("tool-input-available") == 2


def test_a_call_that_the_page_has_to_run_keeps_its_input_without_a_result():
    framer = Framer()
    feed_all(framer, announce(CALL), announce(OTHER, 1), ToolResult(CALL, "rain"))
    last_frames = framer.finish(turn(CALL, OTHER))

    assert types_of(last_frames) == ["tool-input-available", "finish-step", "finish"]
    assert last_frames[0]["toolCallId"] == OTHER.id


@pytest.mark.parametrize(
    ("content", "output"),
    [
        ("rain", "rain"),
        ('{"celsius": 21}', {"celsius": 21}),
        ("[1, 2]", [1, 2]),
        ("[rain]", "[rain]"),
        ('{"celsius": NaN}', '{"celsius": NaN}'),
        ("21", "21"),
        ("[" * 100_000, "[" * 100_000),
        (
            (Text("Radar:"), Image.from_bytes(PNG)),
            [
                {"type": "text", "text": "Radar:"},
                {
                    "type": "file",
                    "mediaType": "image/png",
                    "url": Image.from_bytes(PNG).data_uri(),
                },
            ],
        ),
    ],
)
def test_the_output_is_what_the_tool_returned(content, output):
    assert Framer().feed(ToolResult(CALL, content))[-1]["output"] == output


def test_a_failed_call_has_an_error_for_its_output():
    frame = Framer().feed(ToolResult(CALL, "ValueError: no such city", is_error=True))[-1]
    assert frame == {
        "type": "tool-output-error",
        "toolCallId": CALL.id,
        "errorText": "ValueError: no such city",
    }


def test_the_end_tells_the_usage_and_cost_of_all_rounds():
    *_, finish = Framer().finish(
        turn(text="Yes."), usage=Usage(10, 4, 14), cost=Cost(usd=0.5, credits=None)
    )
    assert finish["messageMetadata"]["usage"]["totalTokens"] == 14
    assert finish["messageMetadata"]["cost"]["usd"] == 0.5


def test_the_sources_of_several_rounds_have_different_ids():
    def cite(url):
        note = {"type": "url_citation", "url_citation": {"url": url}}
        choice = Choice(text="Yes.", annotations=(note,), finish_reason="stop")
        return RoundEnd(Completion((choice,)))

    framer = Framer()
    frames = feed_all(
        framer, cite("https://a.example/"), AnswerDelta("B"), cite("https://b.example/")
    )
    sources = [frame for frame in frames if frame["type"] == "source-url"]
    assert len({frame["sourceId"] for frame in sources}) == 2

"""Answers that come as the call of a tool, read as text."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimlchat import ChatRequest, Choice, Completion, StreamParser, ToolCall
from aimlchat._protocol.output_calls import OutputTranslator, count_answers, take_output_call
from aimlchat.completions import AnswerDelta, ReasoningDelta, ToolCallDelta

NAME = "answer_Invoice"
JSON = '{"total": 3}'


def completion(*calls, **fields):
    fields = {"finish_reason": "tool_calls", "native_finish_reason": "tool_use"} | fields
    return Completion(choices=(Choice(tool_calls=calls, **fields),), is_complete=True)


def test_the_arguments_of_the_call_are_the_text():
    taken = take_output_call(
        completion(ToolCall("c1", NAME, JSON), text="Here you are:", reasoning="Hm"), NAME
    )

    assert taken.text == JSON
    assert taken.tool_calls == ()
    assert taken.finish_reason == "stop"
    assert taken.native_finish_reason == "tool_use"
    assert taken.reasoning == "Hm"


def test_the_turn_goes_back_as_text():
    taken = take_output_call(completion(ToolCall("c1", NAME, JSON), text="Here:"), NAME)

    message = ChatRequest("gpt-4o").user("Hi").assistant(taken).payload()["messages"][1]

    assert message == {"role": "assistant", "content": JSON}


def test_signed_thinking_goes_back_before_the_text():
    thinking = {"type": "thinking", "thinking": "Hm", "signature": "s"}
    blocks = [
        thinking,
        {"type": "text", "text": "Here:"},
        {"type": "tool_use", "id": "c1", "name": NAME, "input": {"total": 3}},
    ]
    answer = completion(
        ToolCall("c1", NAME, JSON), text="Here:", reasoning="Hm", turn={"content_blocks": blocks}
    )

    taken = take_output_call(answer, NAME)

    request = ChatRequest("claude-sonnet-4-5", thinking=2048).user("Hi").assistant(taken).user("?")
    assert request.payload()["messages"][1]["content"] == [thinking, {"type": "text", "text": JSON}]
    assert answer.choices[0].turn["content_blocks"] == blocks


@pytest.mark.parametrize(
    ("others", "kept"),
    [([], []), ([{"type": "tool_use", "id": "c2", "name": "f", "input": {}}], ["thinking"] * 2)],
    ids=["alone", "beside another call"],
)
def test_thinking_around_a_text_that_is_left_out_stays_only_for_other_calls(others, kept):
    thinking = {"type": "thinking", "thinking": "Hm", "signature": "s"}
    call = {"type": "tool_use", "id": "c1", "name": NAME, "input": {"total": 3}}
    blocks = [thinking, {"type": "text", "text": "Well:"}, thinking, *others, call]
    answer = completion(ToolCall("c1", NAME, JSON), text="Well:", turn={"content_blocks": blocks})

    taken = take_output_call(answer, NAME).choices[0].turn["content_blocks"]

    assert [block["type"] for block in taken if block["type"] == "thinking"] == kept
    assert taken[-1] == {"type": "text", "text": JSON}


def test_calls_of_other_tools_stay():
    weather = ToolCall("c2", "weather", "{}")
    taken = take_output_call(completion(weather, ToolCall("c1", NAME, JSON)), NAME)

    assert taken.tool_calls == (weather,)
    assert taken.finish_reason == "tool_calls"
    assert taken.text == JSON


def test_a_call_that_is_repeated_counts_once():
    again = ToolCall("c2", NAME, '{ "total":3 }')
    called = completion(ToolCall("c1", NAME, JSON), again)
    taken = take_output_call(called, NAME)

    assert (taken.text, taken.tool_calls, count_answers(called, NAME)) == (JSON, (), 1)


def test_of_several_calls_that_differ_none_is_chosen():
    other, empty = '{"total": 4}', ""
    called = completion(*(ToolCall("c", NAME, text) for text in (JSON, other, JSON, empty, other)))
    taken = take_output_call(called, NAME)

    assert taken.text == f"{JSON}\n{other}\n{{}}"
    assert (taken.tool_calls, count_answers(called, NAME)) == ((), 3)


def test_while_a_completion_grows_its_text_is_that_of_the_first_call():
    calls = (ToolCall("c1", NAME, JSON), ToolCall("c2", NAME, '{"to', complete=False))
    growing = Completion(choices=(Choice(tool_calls=calls),))

    assert take_output_call(growing, NAME).text == JSON


@pytest.mark.parametrize("arguments", ["", " "])
def test_a_call_without_arguments_is_an_empty_object(arguments):
    assert take_output_call(completion(ToolCall("c1", NAME, arguments)), NAME).text == "{}"


def test_a_call_that_was_cut_stays_cut():
    cut = ToolCall("c1", NAME, '{"tot', complete=False)
    taken = take_output_call(completion(cut, finish_reason="length"), NAME)

    assert (taken.text, taken.finish_reason, taken.tool_calls) == ('{"tot', "length", ())


def test_a_completion_without_the_call_stays_as_it_is():
    weather = completion(ToolCall("c1", "weather", "{}"), text="Let me see")
    text = Completion(choices=(Choice(text=JSON, finish_reason="stop"),))

    assert take_output_call(weather, NAME) == weather
    assert take_output_call(text, NAME) == text


def test_each_choice_is_read_by_itself():
    both = Completion(
        choices=(
            Choice(0, tool_calls=(ToolCall("c1", NAME, "1"),), finish_reason="tool_calls"),
            Choice(1, text="2", finish_reason="stop"),
        )
    )
    assert [choice.text for choice in take_output_call(both, NAME).choices] == ["1", "2"]


def translate(*deltas):
    translator = OutputTranslator(NAME)
    translated = [new for delta in deltas for new in translator.translate([delta])]
    return translated, translator.close()


def test_fragments_of_the_call_are_text():
    translated, rest = translate(
        ReasoningDelta("Hm"),
        AnswerDelta("Here you are:"),
        ToolCallDelta("", 0, 0, "c1", NAME),
        ToolCallDelta('{"a"', 0, 0, "c1", NAME),
        ToolCallDelta(": 1}", 0, 0, "c1", NAME),
        AnswerDelta("There."),
    )

    assert translated == [ReasoningDelta("Hm"), AnswerDelta('{"a"'), AnswerDelta(": 1}")]
    assert rest == []


@pytest.mark.parametrize(
    ("other", "rest"),
    [('{"total":3}', []), ('{"total": true}', [AnswerDelta('\n{"total": true}')])],
    ids=["the same", "another one"],
)
def test_another_answer_comes_at_the_end(other, rest):
    translated, closed = translate(
        ToolCallDelta(JSON, 0, 0, "c1", NAME),
        ToolCallDelta(other[:5], 0, 1, "c2", NAME),
        ToolCallDelta(other[5:], 0, 1, "c2", NAME),
    )

    assert translated == [AnswerDelta(JSON)]
    assert closed == rest


def test_text_without_a_call_comes_at_the_end():
    assert translate(AnswerDelta("{"), AnswerDelta("}")) == (
        [],
        [AnswerDelta("{"), AnswerDelta("}")],
    )


def test_a_name_that_comes_late_or_in_pieces_is_waited_for():
    translated, rest = translate(
        ToolCallDelta('{"a"'),
        ToolCallDelta(": ", name="answer_"),
        ToolCallDelta("1}", id="c1", name=NAME),
    )

    assert "".join(delta.text for delta in translated) == '{"a": 1}'
    assert all(isinstance(delta, AnswerDelta) for delta in translated)
    assert rest == []


def test_calls_of_other_tools_are_counted_without_the_answer():
    weather = ToolCallDelta("{}", 0, 1, "c2", "weather")
    first = ToolCallDelta("{}", 0, 0, "c1", NAME)

    assert translate(first, weather) == (
        [AnswerDelta("{}"), ToolCallDelta("{}", 0, 0, "c2", "weather")],
        [],
    )
    assert translate(ToolCallDelta("{}", 0, 0, None, "answer")) == (
        [],
        [ToolCallDelta("{}", 0, 0, None, "answer")],
    )


def test_the_choices_of_a_stream_are_translated_apart():
    translated, rest = translate(
        AnswerDelta("a", 1), ToolCallDelta("{}", 0, 0, "c", NAME), AnswerDelta("b", 0)
    )

    assert translated == [AnswerDelta("{}", 0)]
    assert rest == [AnswerDelta("a", 1)]


def make_stream(events):
    """Return the bytes of a stream in OpenAI's form."""
    chunks = [{"choices": [{"index": 0, "delta": delta}]} for delta in events]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    lines = [f"data: {json.dumps({'id': 'i', 'model': 'm', **chunk})}\n\n" for chunk in chunks]
    return "".join([*lines, "data: [DONE]\n\n"]).encode()


def call_event(index, text, name=None):
    function = {"arguments": text} | ({"name": name} if name else {})
    extra = {"id": f"c{index}", "type": "function"} if name else {}
    return {"tool_calls": [{"index": index, "function": function} | extra]}


EVENTS = st.lists(
    st.one_of(
        st.just({"content": "prose "}),
        st.just({"reasoning_content": "Hm "}),
        st.sampled_from(['{"a"', ": 1}", "x", ""]).map(lambda text: call_event(0, text)),
        st.sampled_from(["{}", "y"]).map(lambda text: call_event(1, text)),
    ),
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(EVENTS, st.sampled_from([NAME, "weather"]), st.sampled_from([NAME, "weather", None]))
def test_the_deltas_add_up_to_the_completion(events, first, second):
    events = [call_event(0, "", first), *([call_event(1, "", second)] if second else []), *events]
    parser, translator = StreamParser(model="m"), OutputTranslator(NAME)
    deltas = translator.translate(parser.feed(make_stream(events)))
    deltas += translator.translate(parser.close())
    deltas += translator.close()

    taken = take_output_call(parser.completion, NAME)

    text = "".join(delta.text for delta in deltas if isinstance(delta, AnswerDelta))
    assert text == taken.text
    for index, call in enumerate(taken.tool_calls):
        fragments = [d for d in deltas if isinstance(d, ToolCallDelta) and d.index == index]
        assert "".join(d.text for d in fragments) == call.raw_arguments
        assert fragments[-1].name == call.name

"""Text that is not in the ``delta`` of choice 0: it is read, or the response is an error."""

import json

import pytest

from aimlchat import AnswerDelta, ProtocolError, ReasoningDelta, StreamParser
from aimlchat._protocol.whole import parse_completion

DONE = b"[DONE]"


def choice(finish=None, index=0, **keys):
    return {"choices": [{"index": index, "finish_reason": finish} | keys]}


def message(content, finish=None, **keys):
    return choice(finish, message={"role": "assistant", "content": content} | keys)


@pytest.mark.parametrize("model", ["gpt-4o", "qwen3-32b"])
@pytest.mark.parametrize("top", [{}, {"created": [0]}], ids=["fast path", "lenient path"])
class TestMessages:
    @pytest.mark.parametrize(
        ("texts", "whole"),
        [
            (["Hel", "lo", ""], "Hello"),
            (["ha", "ha", ""], "haha"),
            (["Hel", "lo", "Hello"], "Hello"),
            (["", "Hel", "Hello", "Hello"], "Hello"),
            (["Hel", "Hello", "Hello", "Hello you", "Hello you"], "Hello you"),
            (["Hello"], "Hello"),
        ],
        ids=str,
    )
    def test_messages_in_place_of_deltas_are_read_once(self, read, texts, whole, model, top):
        chunks = [message(text) | top for text in texts[:-1]]
        reading = read(*chunks, message(texts[-1], "stop") | top, DONE, model=model)
        assert reading.completion.text == reading.joined() == whole

    def test_a_message_beside_an_empty_delta_is_read(self, read, model, top):
        chunks = [choice(delta={}, message={"content": text}) | top for text in ("Hel", "lo")]
        assert read(*chunks, choice("stop"), model=model).completion.text == "Hello"

    def test_a_message_that_repeats_the_deltas_is_ignored(self, read, model, top):
        chunks = [
            choice(delta={"content": new}, message={"content": all_}) | top
            for new, all_ in (("", ""), ("Hel", "Hel"), ("lo ", "Hello "))
        ]
        for last in ("Hello ", "Hello", "HELLO"):
            end = choice("stop", delta={"content": ""}, message={"content": last})
            assert read(*chunks, end | top, model=model).completion.text == "Hello "

    def test_a_message_may_bring_what_the_deltas_had_not(self, read, model, top):
        end = message("Hello", "stop", reasoning_content="hm") | top
        reading = read(choice(delta={"reasoning_content": "hm"}) | top, end, model=model)
        assert reading.deltas == [ReasoningDelta("hm"), AnswerDelta("Hello")]

    def test_a_message_may_have_tool_calls(self, read, model, top):
        calls = [{"id": i, "function": {"name": i, "arguments": "{}"}} for i in ("f", "g")]
        reading = read(message(None, "tool_calls", tool_calls=calls) | top, model=model)
        assert [call.name for call in reading.completion.tool_calls] == ["f", "g"]

    def test_text_in_place_of_a_delta_is_read(self, read, model, top):
        chunks = [choice(text=text, delta=None) | top for text in ("Hel", "lo")]
        assert read(*chunks, choice("stop", text=""), model=model).completion.text == "Hello"

    def test_text_beside_a_delta_is_ignored(self, read, model, top):
        chunks = [choice(text=text, delta={"content": text}) | top for text in ("Hel", "lo")]
        assert read(*chunks, choice("stop", text=""), model=model).completion.text == "Hello"


class TestIndexThatCountsChunks:
    @pytest.mark.parametrize("first", [0, 1])
    @pytest.mark.parametrize("last", [4, 0], ids=["counted", "0"])
    @pytest.mark.parametrize("finish", [None, "stop"])
    def test_all_text_belongs_to_the_one_choice_that_was_requested(self, sse, first, finish, last):
        parser = StreamParser("gpt-4o", n=1)
        words = ["One ", "two ", "three."]
        deltas = []
        for index, word in enumerate(words, first):
            deltas += parser.feed(sse(choice(finish, index, delta={"content": word})))
        deltas += parser.feed(sse(choice("stop", last, delta={})))
        parser.close()
        assert deltas == [AnswerDelta(word) for word in words]
        assert [c.index for c in parser.completion.choices] == [0]
        assert parser.completion.text == "One two three."

    def test_halves_of_a_character_are_joined(self, sse):
        parser = StreamParser("gpt-4o", n=1)
        chunks = [choice(None, i, delta={"content": half}) for i, half in enumerate("\ud83e\udd89")]
        parser.feed(sse(*chunks, choice("stop", 2)))
        parser.close()
        assert parser.completion.text == "\U0001f989"

    def test_several_choices_are_kept_apart_even_if_one_was_requested(self, sse):
        parser = StreamParser("gpt-4o", n=1)
        both = {"choices": [{"index": i, "delta": {"content": t}} for i, t in enumerate("ab")]}
        parser.feed(sse(both, choice("stop", 1, delta={"content": "B"}), choice("stop", 0)))
        parser.close()
        assert [c.text for c in parser.completion.choices] == ["a", "bB"]

    def test_choices_that_come_by_turns_are_an_error_if_one_was_requested(self, sse):
        parser = StreamParser("gpt-4o", n=1)
        parser.feed(sse(*(choice("stop", i, delta={"content": "a"}) for i in (0, 1, 0, 1)), DONE))
        with pytest.raises(ProtocolError, match="several choices"):
            parser.close()

    def test_it_is_an_error_if_the_number_of_choices_is_not_known(self, read):
        chunks = [choice(None, index, delta={"content": "a"}) for index in range(3)]
        for end in ((), (choice("stop", 3),)):
            assert isinstance(read(*chunks, *end, DONE).error, ProtocolError)

    def test_the_text_is_that_of_the_only_choice_of_a_complete_stream(self, read):
        reading = read(choice(None, 1, delta={"content": "a"}), choice("stop", 1))
        assert reading.completion.text == "a"


UNREAD = [
    {"choices": [], "content": "Hi"},
    {"choices": [{"index": 0}], "delta": "Hi"},
    {"choices": [], "delta": {"content": "Hi"}},
    {"choices": [], "output_text": "Hi"},
    {"choices": [], "message": {"content": "Hi"}},
    choice(content="Hi"),
    choice(delta="Hi"),
    choice(message="Hi"),
    choice(delta={"text": "Hi"}),
    choice(delta={"parts": [{"text": "Hi"}]}),
    choice(delta={"content": [{"type": "x", "text": "Hi"}]}),
    {"message": {"content": "Hi"}, "done": False},
    {"type": "response.output_text.delta", "delta": "Hi"},
]


@pytest.mark.parametrize("unread", UNREAD, ids=json.dumps)
class TestUnreadText:
    @pytest.mark.parametrize("top", [{}, {"created": [0]}], ids=["fast path", "lenient path"])
    def test_a_stream_without_other_text_is_an_error(self, read, unread, top):
        for end in ((choice("stop"),), (DONE,), (choice("stop"), DONE)):
            error = read(choice(delta={"role": "assistant"}), unread | top, *end).error
            assert type(error) is ProtocolError
            assert "no text was found" in str(error)

    def test_it_is_no_error_beside_text_that_is_read(self, read, chunk, unread):
        assert read(chunk({"content": "a"}), unread, choice("stop")).completion.text == "a"

    def test_a_whole_body_without_other_text_is_an_error(self, read_bytes, unread):
        body = json.dumps(unread).encode()
        with pytest.raises(ProtocolError):
            parse_completion(body)
        assert isinstance(read_bytes([body]).error, ProtocolError)


@pytest.mark.parametrize(
    "empty",
    [
        {"choices": [], "message": "success", "obfuscation": "x", "provider": "y"},
        choice(delta={"role": "assistant", "content": ""}, text=""),
        choice(delta={"content": None, "name": "x"}, logprobs={"content": [{"token": "a"}]}),
        choice(delta={"content": [{"type": "text", "text": ""}]}, message={"content": ""}),
        {"choices": [], "prompt_filter_results": [{"content_filter_results": {"hate": {}}}]},
    ],
    ids=json.dumps,
)
def test_an_empty_answer_is_complete(read, empty):
    usage = {"prompt_tokens": 1, "completion_tokens": 0, "total_tokens": 1}
    completion = read(empty, choice("stop"), {"choices": [], "usage": usage}, DONE).completion
    assert (completion.text, completion.is_complete) == ("", True)


@pytest.mark.parametrize(
    "keys", [{"text": "Hi"}, {"delta": {"content": "Hi"}}, {"message": {}, "text": "Hi"}], ids=str
)
def test_a_whole_body_may_have_its_text_elsewhere(read_bytes, keys):
    body = json.dumps(choice("stop", 1, **keys)).encode()
    assert parse_completion(body).text == read_bytes([body]).completion.text == "Hi"

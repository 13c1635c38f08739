"""What a tool call has beside its name and arguments, custom tools, and images: all of it kept."""

import json

import pytest

from aimlchat import ProtocolError, StreamParser
from aimlchat._protocol.whole import parse_completion

FUNCTION = {"name": "f", "arguments": '{"a":1}'}
CALL = {"index": 0, "id": "x", "type": "function", "function": FUNCTION}
CUSTOM = {"id": "x", "type": "custom", "custom": {"name": "python", "input": "print(1)"}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
SIGNATURE = {"extra_content": {"google": {"thought_signature": "c2ln"}}}


def whole(message, finish="tool_calls"):
    body = {"choices": [{"message": message, "finish_reason": finish}]}
    return parse_completion(json.dumps(body).encode())


@pytest.fixture
def read_calls(sse, read_bytes, chunk):
    """Return a function that parses fragments, one in each chunk, at every split alike."""

    def read_fragments(*fragments):
        body = sse(*(chunk({"tool_calls": [one]}) for one in fragments), chunk(finish="tool_calls"))
        completion = read_bytes([body]).completion
        assert read_bytes([bytes([byte]) for byte in body]).completion == completion
        return completion.tool_calls

    return read_fragments


class TestUnknownKeys:
    @pytest.mark.parametrize(
        ("keys", "extra"),
        [
            (SIGNATURE, SIGNATURE),
            ({"extra": {"a": 1}}, {"extra": {"a": 1}}),
            ({"provider_fields": [1], "x": 0}, {"provider_fields": [1], "x": 0}),
            ({"extra_content": None, "custom": {}}, {}),
            ({"function": FUNCTION | {"parsed": {"a": 1}}}, {"function": {"parsed": {"a": 1}}}),
        ],
    )  # fmt: skip
    def test_they_are_kept(self, read_calls, keys, extra):
        for (call,) in (read_calls(CALL | keys), whole({"tool_calls": [CALL | keys]}).tool_calls):
            assert call.extra == extra
            assert (call.id, call.name, call.arguments) == ("x", "f", {"a": 1})

    def test_a_call_of_known_keys_has_none(self, read_calls):
        (call,) = read_calls(CALL)
        assert call.extra == {}

    @pytest.mark.parametrize(
        "late",
        [{"index": 0}, {"id": "x"}, {}, {"index": 0, "function": {"arguments": ""}}],
        ids=str,
    )
    def test_they_may_come_with_a_later_fragment(self, read_calls, late):
        (call,) = read_calls(CALL, late | SIGNATURE)
        assert call.extra == SIGNATURE
        assert call.arguments == {"a": 1}

    def test_those_of_all_fragments_are_merged(self, read_calls):
        (call,) = read_calls(
            CALL | {"extra_content": {"google": {"a": 1, "b": 1}, "vertex": 1}, "k": [1]},
            {"index": 0, "extra_content": {"google": {"b": 2, "c": None}}},
            {"index": 0, "extra_content": None, "k": [2]},
        )
        google = {"a": 1, "b": 2, "c": None}
        assert call.extra == {"extra_content": {"google": google, "vertex": 1}, "k": [2]}

    def test_each_call_has_its_own(self, read_calls):
        first, second = read_calls(CALL | SIGNATURE, CALL | {"index": 1, "id": "y", "k": 1})
        assert (first.extra, second.extra) == (SIGNATURE, {"k": 1})

    def test_an_early_completion_does_not_change_with_later_fragments(self, sse, chunk):
        parser = StreamParser("m")
        parser.feed(sse(chunk({"tool_calls": [CALL | SIGNATURE]})))
        (early,) = parser.partial.tool_calls
        late = {"index": 0, "extra_content": {"google": {"thought_signature": "new"}}}
        parser.feed(sse(chunk({"tool_calls": [late]})))
        assert early.extra == SIGNATURE

    def test_keys_nested_deep_are_kept(self, read_calls):
        deep = {"k": 1}
        for _ in range(50):
            deep = {"k": deep}
        (call,) = read_calls(CALL | {"deep": deep}, {"index": 0, "deep": deep})
        assert call.extra == {"deep": deep}


class TestCustomTools:
    @pytest.mark.parametrize(
        "fragments",
        [
            [CUSTOM],
            [{"index": 0, "id": "x", "custom": {"name": "python", "input": "print(1)"}}],
            [
                {
                    "index": 0,
                    "id": "x",
                    "type": "custom",
                    "custom": {"name": "python", "input": ""},
                },
                {"index": 0, "custom": {"input": "print"}},
                {"index": 0, "custom": {"input": "(1)"}},
            ],
            [
                {"index": 0, "id": "x", "type": "custom"},
                {"index": 0, "custom": {"name": "python"}},
                {"index": 0, "type": "custom", "custom": {"name": "python", "input": "print(1)"}},
            ],
        ],
        ids=["whole", "no type", "in pieces", "announced"],
    )
    def test_name_and_input_are_kept(self, read_calls, fragments):
        (call,) = read_calls(*fragments)
        assert (call.id, call.type, call.name) == ("x", "custom", "python")
        assert call.raw_arguments == "print(1)"

    def test_the_input_is_text_whatever_it_looks_like(self, read_calls):
        pieces = ["{}", "{}", '{"a":1}', '{"a":1}']
        (call,) = read_calls(
            CUSTOM | {"index": 0, "custom": {"name": "python"}},
            *({"index": 0, "custom": {"input": piece}} for piece in pieces),
        )
        assert call.raw_arguments == "".join(pieces)

    def test_a_whole_completion_may_have_both_kinds(self):
        custom, function = whole({"tool_calls": [CUSTOM, CALL]}).tool_calls
        assert (custom.type, custom.name, custom.raw_arguments) == ("custom", "python", "print(1)")
        assert (function.type, function.arguments) == ("function", {"a": 1})

    def test_there_are_no_arguments_to_read(self, read_calls):
        (call,) = read_calls(CUSTOM)
        with pytest.raises(ProtocolError, match=r"'python' is of a custom tool.*raw_arguments"):
            call.arguments  # noqa: B018 - reading it is the test

    def test_half_a_character_waits_for_its_other_half(self, read_calls):
        (call,) = read_calls(
            CUSTOM | {"index": 0, "custom": {"name": "python", "input": "\ud83e"}},
            {"index": 0, "custom": {"input": "\udd16"}},
        )
        assert call.raw_arguments == "\N{ROBOT FACE}"


class TestImages:
    def test_those_of_a_stream_are_kept(self, read, chunk):
        completion = read(
            chunk({"content": "Here"}),
            chunk({"content": "", "images": [IMAGE]}),
            chunk({"images": [IMAGE]}),
            chunk(finish="stop"),
        ).completion
        assert completion.text == "Here"
        assert completion.choices[0].images == [IMAGE, IMAGE]

    @pytest.mark.parametrize("images", [[IMAGE], IMAGE], ids=["list", "object"])
    def test_those_of_a_whole_completion_are_kept(self, images):
        completion = whole({"content": "Here", "images": images}, "stop")
        assert completion.choices[0].images == [IMAGE]
        assert completion.as_message() == {"role": "assistant", "content": "Here"}

    def test_those_among_the_parts_of_the_content_are_kept(self):
        completion = whole({"content": [{"type": "text", "text": "Here"}, IMAGE]}, "stop")
        assert (completion.text, completion.choices[0].images) == ("Here", [IMAGE])

    @pytest.mark.parametrize("images", [None, [], "x", 7], ids=repr)
    def test_without_images_the_list_is_empty(self, read, chunk, images):
        completion = read(chunk({"content": "a", "images": images}, finish="stop")).completion
        assert (completion.text, completion.choices[0].images) == ("a", [])

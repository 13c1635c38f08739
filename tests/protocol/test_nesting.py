"""Values that are nested too deeply for Python: what holds them can be copied and compared."""

import copy
import json
import pickle

import attrs
import msgspec
import pytest

from aimlchat import APIError, ProtocolError, StreamParser
from aimlchat._json import decode_json, prune
from aimlchat._protocol.api_errors import error_from_response
from aimlchat._protocol.model_list import parse_models
from aimlchat._protocol.whole import parse_completion

DEPTHS = [800, 5000]
CALL = (
    b'{"index":0,"id":"t","function":{"name":"f","arguments":"{}","x":%s},"extra_content":{"x":1}}'
)


def body_of(message=b"", choice=b"", top=b""):
    """Return a body with ``%s`` where its message belongs, and these keys in its parts."""
    return (
        b'{"choices":[{"%s":{"content":"Hi"'
        + message
        + b'},"finish_reason":"stop"'
        + choice
        + b"}]"
    ) + (top + b"}")


# Where a server can put a value that is handed out as it came.
PLACES = {
    "an unknown key": body_of(top=b',"x":%s'),
    "a known key": body_of(top=b',"object":%s'),
    "an unknown key of the choice": body_of(choice=b',"x":%s'),
    "usage": body_of(top=b',"usage":{"prompt_tokens":1,"x":%s}'),
    "meta": body_of(top=b',"meta":{"usage":{"credits_used":1,"x":%s}}'),
    "log probabilities": body_of(choice=b',"logprobs":{"content":[%s]}'),
    "audio": body_of(message=b',"audio":{"x":%s}'),
    "annotations": body_of(message=b',"annotations":[%s]'),
    "images": body_of(message=b',"images":[%s]'),
    "a tool call": body_of(message=b',"tool_calls":[' + CALL + b"]"),
}


def nested(depth):
    return b'[{"a":' * (depth // 2) + b"1" + b"}]" * (depth // 2)


def check(value):
    """Do what a program may do with a value that it got."""
    assert copy.deepcopy(value) == value
    assert pickle.loads(pickle.dumps(value)) == value
    assert repr(value)


def check_completion(completion):
    assert completion.text == "Hi"
    check(completion)
    attrs.asdict(completion)
    for part in (completion.raw, completion.as_message(), *completion.choices, completion.usage):
        check(part)
    json.dumps(completion.raw)
    msgspec.json.encode(completion.raw)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("place", PLACES)
class TestCompletions:
    def test_a_whole_completion_can_be_copied(self, place, depth):
        check_completion(parse_completion(PLACES[place] % (b"message", nested(depth))))

    def test_a_streamed_completion_can_be_copied(self, place, depth):
        event = b"data: " + PLACES[place] % (b"delta", nested(depth)) + b"\n\n"
        first = b'data: {"choices":[],"x":null}\n\n'  # the decoder accepts this key from now on
        for body in (event, first + event):
            parser = StreamParser()
            parser.feed(body)
            parser.close()
            check_completion(parser.completion)


@pytest.mark.parametrize("depth", DEPTHS)
class TestOthers:
    def test_an_error_can_be_copied_with_its_body(self, depth):
        data = b'{"error":{"message":"No.","details":%s}}' % nested(depth)
        error = error_from_response(400, data, {}, 0.0)
        assert error.message == "No."
        check(error.body)
        again = pickle.loads(pickle.dumps(copy.deepcopy(error)))
        assert (str(again), again.body) == (str(error), error.body)

    def test_an_error_in_a_stream_can_be_copied_with_its_body(self, depth):
        parser = StreamParser()
        parser.feed(b'data: {"error":{"message":"No.","details":%s}}\n\n' % nested(depth))
        with pytest.raises(APIError, match=r"No\.") as caught:
            parser.close()
        check(caught.value.body)

    def test_a_model_can_be_copied(self, depth):
        (model,) = parse_models(decode_json(b'[{"id":"m","x":%s}]' % nested(depth)))
        check(model)

    def test_a_body_that_is_no_list_of_models_is_a_protocol_error(self, depth):
        with pytest.raises(ProtocolError):
            parse_models(decode_json(b'{"data":%s}' % (b'{"a":' * depth + b"1" + b"}" * depth)))


def test_a_completion_nested_100000_deep_can_be_copied():
    check_completion(parse_completion(PLACES["an unknown key"] % (b"message", nested(100_000))))


def test_nesting_that_occurs_is_kept_as_it_came():
    value = json.loads(nested(50))
    completion = parse_completion(PLACES["log probabilities"] % (b"message", nested(50)))
    assert completion.choices[0].logprobs == {"content": [value]}
    assert completion.raw["choices"][0]["logprobs"] == {"content": [value]}


@pytest.mark.parametrize("place", ["an unknown key", "log probabilities"])
def test_only_what_is_too_deep_is_replaced_by_none(place):
    body = PLACES[place] % (b"message", b'{"near":[1],"deep":' + nested(200) + b"}")
    completion = parse_completion(body)
    check_completion(completion)
    assert b'"near":[1]' in msgspec.json.encode(completion.raw)
    assert b'"a":null}' in msgspec.json.encode(completion.raw)


@pytest.mark.parametrize("value", [[10**30], ["\ud800"], {"\ud800": 10**30}, [float("nan")]])
def test_values_that_json_cannot_hold_are_pruned_too(value):
    deep = []
    for _ in range(5000):
        deep = [deep]
    for holder in ([value, deep], {"a": value, "b": {"c": deep}}):
        prune(holder)
        check(repr(holder))
        assert repr(value) in repr(holder)

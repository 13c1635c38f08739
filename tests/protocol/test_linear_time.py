"""Parsing takes time linear in the size of the input: counted in calls and in bytes of JSON."""

import cProfile
import json

import pytest

from aimlchat import StreamParser
from aimlchat._protocol.error_messages import find_message


def choice(delta, **keys):
    return json.dumps({"choices": [{"index": 0, "delta": delta} | keys]}).encode()


def event(data):
    return b"data: " + data + b"\n\n"


def nested(depth):
    return b'{"x":' * depth + b"null" + b"}" * depth


ONE = event(choice({"content": "One "}))
STOP = event(choice({}, finish_reason="stop"))


def count_calls(pieces, model="qwen3-32b"):
    """Return how many function calls, into Python and C, it takes to parse these pieces."""
    parser = StreamParser(model)
    profile = cProfile.Profile()
    profile.enable()
    try:
        for piece in pieces:
            parser.feed(piece)
        parser.end()
    finally:
        profile.disable()
    return sum(entry.callcount for entry in profile.getstats())


def split(body, size):
    return [body[i : i + size] for i in range(0, len(body), size)]


def text_events(text, size):
    return [event(choice({"content": piece})) for piece in split(text, size)]


def fragment(**function):
    return event(choice({"tool_calls": [{"index": 0, "function": function}]}))


LONG = {
    "many small events": lambda n: [event(choice({"content": "word "}))] * n,
    "many small events at once": lambda n: [event(choice({"content": "word "})) * n],
    "many odd events": lambda n: [event(choice({"content": 7, "x": "\ud83e"}))] * n,
    "many unknown keys": lambda n: [event(b'{"k%d":1,"choices":[]}' % i) for i in range(n)],
    "many choices": lambda n: [event(choice({"content": "a"}, index=i)) for i in range(n)],
    "one large event in small pieces": lambda n: split(
        event(choice({"content": "a" * 16 * n})), 16
    ),
    "one large whole body in small pieces": lambda n: split(
        b'{"choices":[{"message":{"content":"%s"}}]}' % (b"a" * 16 * n), 16
    ),
    "one event of many lines": lambda n: [b"data: {\n", *[b"data: \n"] * n, b"data: }\n\n"],
    "lines of data without a blank line": lambda n: [b'data: {"x":1}\n'] * n,
    "other lines without a blank line": lambda n: [b"event: x\n"] * n,
    "lines of JSON": lambda n: [choice({"content": "a"}) + b"\n"] * n,
    "names of errors without a blank line": lambda n: [b"event: error\n"] * n,
    "lines of errors after the finish reason": lambda n: [ONE + STOP, *[b"error: x\n\n"] * n],
    "messages": lambda n: [event(b'{"choices":[{"message":{"content":"a"}}]}')] * n,
    "silent chunks": lambda n: [event(choice({}))] * n,
    "one line without an end": lambda n: [b"x" * 16] * n,
    "fragments of a tool call": lambda n: [fragment(name="f"), *[fragment(arguments="1,")] * n],
    "fragments that repeat the name": lambda n: [fragment(name="f", arguments='{"a":')] * n,
    "fragments that look like calls": lambda n: [
        fragment(name="f", arguments='{"a":"'),
        *[fragment(name="f", arguments="{}")] * n,
    ],
    "arguments that are repeated": lambda n: [
        fragment(name="f", arguments='{"a":1}'),
        *[fragment(arguments='{"a": 1}')] * n,
    ],
    "placeholders": lambda n: [fragment(name="f", arguments="{}"), *[fragment(arguments=" ")] * n],
    "a name in pieces": lambda n: [fragment(name="ab"[i % 2]) for i in range(n)],
    "calls that share an id": lambda n: [
        event(choice({"tool_calls": [{"index": i, "id": "x", "function": {"name": "f"}}]}))
        for i in range(n)
    ],
    "many unknown keys of a tool call": lambda n: [
        event(choice({"tool_calls": [{"index": 0, "id": "x", f"k{i}": {"k": i}}]}))
        for i in range(n)
    ],
    "many tool calls": lambda n: [
        event(choice({"tool_calls": [{"id": f"t{i}", "function": {"name": "f"}}]}))
        for i in range(n)
    ],
    "long reasoning in tags": lambda n: text_events("<think>" + "hm, " * n, 4),
    "white space before a tag": lambda n: text_events("    " * n + "<think>", 4),
    "white space in a tag": lambda n: text_events("<think>a" + "    " * n + "b", 4),
    "many beginnings of tags": lambda n: text_events("<think>" + "</thi" * n, 3),
    "lone surrogates": lambda n: [event(choice({"content": "\ud83e"}))] * n,
    "carriage returns": lambda n: [b"\r" * 16] * n,
    "carriage returns and data in turn": lambda n: [b"data: {", *[b"\r", b"data: "] * n],
    "white space only": lambda n: [b" "] * n,
    "comments only": lambda n: [b": ping\n\n"] * n,
    "comments without blank lines": lambda n: [b": ping\n"] * n,
    "one comment without an end": lambda n: [b": ping"] * n,
    "brackets without an end": lambda n: [event(b"[" * 16 * n)],
    "an event nested deep": lambda n: [event(nested(16 * n))],
    "bytes after the end": lambda n: [ONE + b"data: [DONE]\n\n", *[ONE] * n],
    "junk after the finish reason": lambda n: [ONE + STOP, *[event(b"junk")] * n],
}


@pytest.mark.parametrize("make", LONG.values(), ids=list(LONG))
def test_twice_the_input_takes_at_most_twice_the_calls(make):
    size = 500
    count_calls(make(size))  # fills the caches
    once, twice = count_calls(make(size)), count_calls(make(2 * size))

    assert twice <= 2.2 * once + 50


@pytest.mark.parametrize("make", LONG.values(), ids=list(LONG))
def test_twice_the_input_is_at_most_twice_the_json_to_decode(make, monkeypatch):
    # A call into C counts as one however much it reads, and decoding JSON is the costly one.
    decode = json.loads
    sizes = []

    def counted(text, **options):
        sizes.append(len(text))
        return decode(text, **options)

    monkeypatch.setattr(json, "loads", counted)
    work = []
    for size in (1000, 2000):  # so deep that no Python decodes the brackets at the first attempt
        sizes.clear()
        pieces = make(size)
        parser = StreamParser("qwen3-32b")
        for piece in pieces:
            parser.feed(piece)
        parser.end()
        work.append(sum(sizes))

    assert work[1] <= 2.2 * work[0] + 500


@pytest.mark.parametrize(
    "wrap",
    [
        lambda body: {"errors": body},
        lambda body: {"errors": {"n": body}},
        lambda body: {"detail": [body]},
        lambda body: {"message": json.dumps(body)},
    ],
    ids=["object", "map", "list", "text"],
)
def test_the_search_for_a_message_is_linear_in_the_depth_of_the_body(wrap):
    counts = []
    for depth in (7, 14):
        body = {}
        for _ in range(depth):
            body = wrap(body)
        profile = cProfile.Profile()
        profile.runcall(find_message, body)
        counts.append(sum(entry.callcount for entry in profile.getstats()))
    assert counts[1] < 4 * counts[0]

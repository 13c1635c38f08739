"""Any turn of Claude goes back as it came; the emulator, which signed it, is the judge."""

import copy
import itertools
import json
import pickle

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from message_events import START, message_events

from aimlchat import ChatRequest, StreamParser, Tool
from aimlchat._protocol.whole import parse_completion
from aimlchat.emulator.catalog import Catalog
from aimlchat.emulator.errors import RejectedRequestError
from aimlchat.emulator.signatures import Signer
from aimlchat.emulator.validation import read_request

CLAUDE = "anthropic/claude-sonnet-4.5"
ASK = ChatRequest(CLAUDE, tools=[Tool("f")], thinking=2048).user("Hi")
CATALOG = Catalog()
SIGNED_FIELDS = {"thinking": "signature", "redacted_thinking": "data"}

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
thinking = st.builds(lambda text: {"type": "thinking", "thinking": text}, texts)  # or none
redacted = st.just({"type": "redacted_thinking"})
spoken = st.builds(lambda text: {"type": "text", "text": f"{text}."}, texts)
call = st.builds(
    lambda value: {"type": "tool_use", "name": "f", "input": value},
    st.dictionaries(texts, values, max_size=2),
)
turns = st.tuples(
    thinking | redacted,
    st.lists(thinking | redacted | spoken | call, max_size=4),
    call,
).map(lambda parts: [parts[0], *parts[1], parts[2]])


def sign(blocks):
    """Return a turn as the emulator makes it, with an id for each call."""
    numbered = [
        block | {"id": f"toolu_{number}"} if block["type"] == "tool_use" else block
        for number, block in enumerate(blocks)
    ]
    return Signer().sign_turn(numbered)


def parse(data, cuts):
    parser = StreamParser(CLAUDE)
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in itertools.pairwise(places):
        parser.feed(data[start:end])
    parser.close()
    return parser.completion


def check(turn, calls):
    """Send a turn back, with the results of its calls, to another emulator."""
    request = ASK.assistant(turn)
    for tool_call in calls:
        request = request.tool_result(tool_call.id, "x")
    body = json.loads(json.dumps(request.payload()))
    read_request(body, CATALOG, Signer(), is_message=True)
    return body["messages"][1]["content"]


@given(turns, st.lists(st.integers(0, 2**20), max_size=6))
def test_a_turn_goes_back_as_it_came_after_any_split(blocks, cuts):
    turn = sign(blocks)
    completion = parse(message_events(turn), cuts)

    copies = [
        completion,
        pickle.loads(pickle.dumps(completion)),
        copy.deepcopy(completion),
        json.loads(json.dumps(completion.as_message())),
        parse_completion(json.dumps(START | {"content": turn}).encode()),
    ]

    assert completion == copies[1] == copies[2]
    for each in copies:
        assert check(each, completion.tool_calls) == turn


def drop(turn, index):
    del turn[index]


def change(turn, index):
    field = SIGNED_FIELDS[turn[index]["type"]]
    turn[index][field] = turn[index][field][::-1] + "A"


def change_thought(turn, index):
    assume(turn[index]["type"] == "thinking")
    turn[index]["thinking"] += "?"


def move(turn, index):
    turn.insert(len(turn) - 1, turn.pop(index))


def repeat(turn, index):
    turn.insert(index, dict(turn[index]))


@pytest.mark.parametrize("alter", [drop, change, change_thought, move, repeat])
@given(blocks=turns, data=st.data())
def test_an_altered_turn_is_refused(alter, blocks, data):
    turn = sign(blocks)
    message = parse(message_events(turn), []).as_message()
    altered = message["content_blocks"]
    signed = [index for index, block in enumerate(turn) if block["type"] in SIGNED_FIELDS]
    alter(altered, data.draw(st.sampled_from(signed)))
    assume(altered != turn)

    calls = parse(message_events(turn), []).tool_calls
    with pytest.raises((RejectedRequestError, ValueError)):
        check(message, calls)

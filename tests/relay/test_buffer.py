"""The queue of frames: joined, in order, and counted."""

import json

from hypothesis import given
from hypothesis import strategies as st

from aimlchat.relay.buffer import FrameQueue

_FRAMES = st.sampled_from(
    [
        {"type": "text-delta", "id": "t"},
        {"type": "text-delta", "id": "u"},
        {"type": "reasoning-delta", "id": "t"},
        {"type": "tool-input-delta", "toolCallId": "t"},
        {"type": "text-end", "id": "t"},
    ]
)


def with_text(frame, text):
    fields = {"tool-input-delta": "inputTextDelta", "text-end": None}
    field = fields.get(frame["type"], "delta")
    return frame if field is None else frame | {field: text}


def split_into_letters(frames):
    """Pair every letter with its frame, so that differently joined frames compare equal."""
    letters = []
    for frame in frames:
        fields = dict(frame)
        text = fields.pop("delta", None) or fields.pop("inputTextDelta", None)
        letters += [(json.dumps(fields), letter) for letter in text or "."]
    return letters


@given(st.lists(st.tuples(_FRAMES, st.text("abc", min_size=1), st.booleans())))
def test_no_text_is_lost_and_the_order_is_kept(steps):
    queue, added, taken = FrameQueue(), [], []
    for frame, text, takes_one in steps:
        added.append(with_text(frame, text))
        queue.add(added[-1])
        if takes_one:
            taken.append(queue.take())
    while queue:
        taken.append(queue.take())

    assert split_into_letters(taken) == split_into_letters(added)
    assert queue.size == 0


def test_neighboring_deltas_of_one_part_are_joined_and_the_frames_are_not_changed():
    queue = FrameQueue()
    frames = [
        {"type": "text-delta", "id": "t", "delta": letter, "number": number}
        for number, letter in enumerate("abc")
    ]
    for frame in frames:
        queue.add(frame)

    assert queue.size == 64 + 3
    assert queue.take() == {"type": "text-delta", "id": "t", "delta": "abc", "number": 2}
    assert not queue
    assert [frame["delta"] for frame in frames] == ["a", "b", "c"]


def test_a_joined_frame_stays_below_one_mebibyte():
    queue = FrameQueue()
    for _ in range(3):
        queue.add({"type": "text-delta", "id": "t", "delta": "\N{GRINNING FACE}" * 150_000})

    while queue:
        assert len(json.dumps(queue.take(), ensure_ascii=False).encode()) < 2**20

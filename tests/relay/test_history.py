"""What a broadcast keeps: numbered frames, from which a page can continue behind any of them."""

import itertools
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from aimlchat.relay.history import FrameHistory

_FRAMES = st.one_of(
    st.builds(
        lambda kind, part, text: {"type": f"{kind}-delta", "id": part, "delta": text},
        st.sampled_from(["text", "reasoning"]),
        st.sampled_from("tu"),
        st.text("abc", min_size=1),
    ),
    st.builds(
        lambda text: {"type": "tool-input-delta", "toolCallId": "c", "inputTextDelta": text},
        st.text("{}", min_size=1),
    ),
    st.just({"type": "text-end", "id": "t"}),
)


def read_all(history, after=0):
    frames = []
    while page := history.read(after):
        frames += page
        after = page[-1]["number"]
    return frames


def pieces(frames):
    """Return the frames without their numbers, with neighboring deltas of one part joined."""
    joined = []
    for frame in frames:
        fields = {name: value for name, value in frame.items() if name != "number"}
        text = fields.pop("delta", "") or fields.pop("inputTextDelta", "")
        if text and joined and joined[-1][0] == fields:
            joined[-1][1] += text
        else:
            joined.append([fields, text])
    return joined


@given(st.lists(_FRAMES, max_size=30))
def test_a_page_continues_behind_any_frame_without_a_gap_or_a_repetition(frames):
    history = FrameHistory()
    for frame in frames:
        history.add(frame)

    for after in range(len(frames) + 1):
        assert pieces(read_all(history, after)) == pieces(frames[after:])


def test_a_page_continues_behind_any_delta_of_a_long_text():
    history, texts = FrameHistory(), [f"{number} " for number in range(1300)]
    for text in texts:
        history.add({"type": "text-delta", "id": "t", "delta": text})

    for after in range(len(texts)):
        (frame,) = history.read(after)
        assert frame["delta"] == "".join(texts[after:])
        assert frame["number"] == len(texts)


def test_a_frame_of_joined_deltas_is_never_too_long_for_a_web_socket():
    history = FrameHistory()
    for _ in range(10):
        history.add({"type": "text-delta", "id": "t", "delta": "x" * 90_000})

    frames = read_all(history)

    assert [(len(frame["delta"]), frame["number"]) for frame in frames] == [
        (180_000, number) for number in (2, 4, 6, 8, 10)
    ]


def test_one_read_returns_no_second_copy_of_a_long_answer():
    history = FrameHistory()
    for number in range(100):
        for kind in ("text", "reasoning"):
            history.add({"type": f"{kind}-delta", "id": f"{number}", "delta": "x" * 50_000})

    assert sum(len(frame["delta"]) for frame in history.read(0)) == 200_000


def test_frames_are_numbered_and_not_changed():
    history, frame = FrameHistory(), {"type": "text-delta", "id": "t", "delta": "One"}

    numbered = [history.add(frame) for _ in range(3)]

    assert [row["number"] for row in numbered] == [1, 2, 3]
    assert frame == {"type": "text-delta", "id": "t", "delta": "One"}


def test_a_short_delta_costs_little_more_than_its_text():
    history, count = FrameHistory(), 20_000
    texts = itertools.cycle(["five ", "words", " seen"])

    tracemalloc.start()
    try:
        for text in itertools.islice(texts, count):
            history.add({"type": "text-delta", "id": "t", "delta": text})
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert kept / count < 20  # bytes; a frame by itself takes 340
    assert history.size / count < 20

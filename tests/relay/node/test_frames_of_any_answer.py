"""Every frame that the relay can send, read by the AI SDK: deltas and ends by hypothesis."""

import json
import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimlchat import (
    AnswerDelta,
    BudgetExceededError,
    Choice,
    Completion,
    Cost,
    ProtocolError,
    RateLimitError,
    ReasoningDelta,
    RefusalDelta,
    RequestTimeoutError,
    ServerError,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from aimlchat.relay import PageTooSlowError, ui_message
from aimlchat.relay.encoding import encode_frame
from aimlchat.relay.extra_frames import _FIELDS, _check_frame
from aimlchat.relay.frames import HEARTBEAT, Framer

TEXTS = st.text(min_size=1, max_size=8)
NAMES = st.text("abc_-", min_size=1, max_size=4)
CHOICES = st.sampled_from([0, 0, 0, 1])
DELTAS = st.lists(
    st.one_of(
        *(
            st.builds(kind, TEXTS, choice=CHOICES)
            for kind in (AnswerDelta, ReasoningDelta, RefusalDelta)
        ),
        st.builds(
            ToolCallDelta,
            st.text('{}[]":,a1\ud83d', max_size=5),
            choice=CHOICES,
            index=st.integers(0, 2),
            id=st.none() | NAMES,
            name=st.none() | NAMES,
        ),
    ),
    max_size=12,
)
COUNTS = st.none() | st.integers(0, 10**12)
ARGUMENTS = st.sampled_from(["{}", '{"a": "\\ud83d"}', "", "{", "[]", "5", "\ud83d", '{"a":NaN}'])
COMPLETIONS = st.builds(
    Completion,
    st.tuples(
        st.builds(
            Choice,
            tool_calls=st.lists(
                st.builds(
                    ToolCall,
                    NAMES,
                    NAMES,
                    ARGUMENTS,
                    complete=st.booleans(),
                    type=st.sampled_from(["function", "custom"]),
                ),
                max_size=3,
                unique_by=lambda call: call.id,
            ).map(tuple),
            finish_reason=st.none() | st.sampled_from(["stop", "length", "tool_calls", "x", ""]),
            annotations=st.lists(
                st.dictionaries(
                    st.sampled_from(["url", "title", "url_citation", "type"]),
                    st.none()
                    | st.sampled_from(
                        ["https://a", "javascript:a", {"url": "http://b", "title": 1}]
                    ),
                ),
                max_size=3,
            ).map(tuple),
        )
    ),
    usage=st.none() | st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS),
    cost=st.none() | st.builds(Cost, st.none() | st.floats(0, 1e6), st.none() | st.floats(0, 1e6)),
    model=st.text(max_size=3),
    inference_id=st.none() | TEXTS,
    is_complete=st.just(value=True),
)
ERRORS = st.one_of(
    st.sampled_from(
        [
            ServerError("no", status=503, retry_after=0.5),
            RateLimitError("wait", status=429, retry_after=float("inf")),
            RequestTimeoutError("late", phase="idle"),
            ProtocolError("no"),
            PageTooSlowError("slow"),
            ValueError("a bug"),
        ]
    ),
    st.builds(BudgetExceededError, st.just("spent"), budget_usd=st.just(1), spent_usd=st.just(2)),
)
ENDS = st.one_of(
    COMPLETIONS.map(lambda completion: partial(Framer.finish, completion=completion)),
    ERRORS.map(lambda error: partial(Framer.fail, error=error)),
    st.just(Framer.stop),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
_OF_TYPE = {str: st.text(max_size=8), bool: st.booleans()}
EXTRAS = st.one_of(
    st.fixed_dictionaries(
        {"type": st.text(min_size=1, max_size=5).map("data-our-{}".format), "data": JSON},
        optional={"id": st.text(max_size=3), "transient": st.booleans()},
    ),
    *(
        st.fixed_dictionaries(
            {"type": st.just(kind)}
            | {
                name: _OF_TYPE.get(expected, st.dictionaries(st.text(max_size=3), JSON))
                for name, expected in required.items()
            },
            optional={name: _OF_TYPE[expected] for name, expected in optional.items()},
        )
        for kind, (required, optional) in _FIELDS.items()
    ),
)


@pytest.fixture(scope="module")
def ai_sdk(ai_sdk_folder):
    """Read frames with the AI SDK, in one process for all examples."""
    shutil.copy(Path(__file__).with_name("check.mjs"), ai_sdk_folder)
    process = subprocess.Popen(
        [shutil.which("node"), "check.mjs"],
        cwd=ai_sdk_folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )

    def read(frames):
        process.stdin.write(b"[%b]\n" % b",".join(map(encode_frame, frames)))
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    yield read
    process.stdin.close()
    process.stdout.close()
    assert process.wait() == 0


def text_of(deltas):
    """The texts of an answer, without those of its reasoning."""
    kinds = (AnswerDelta, RefusalDelta)
    return "".join(d.text for d in deltas if isinstance(d, kinds) and not d.choice)


@given(
    message_id=st.none() | st.text(max_size=5),
    deltas=DELTAS,
    end=ENDS,
    extras=st.lists(st.tuples(st.integers(0, 12), EXTRAS), max_size=2),
)
def test_the_ai_sdk_reads_every_frame(ai_sdk, message_id, deltas, end, extras):
    framer = Framer(message_id)
    frames = framer.start()
    for position, delta in enumerate(deltas):
        frames += [_check_frame(extra) for at, extra in extras if at == position]
        frames += framer.feed(delta)
    frames.append(HEARTBEAT)
    last_frames = end(framer)

    read = ai_sdk(frames + last_frames)

    assert read["refused"] == []
    assert read["errors"] == [f["errorText"] for f in last_frames if f["type"] == "error"]
    parts = (read["message"] or {}).get("parts", [])
    assert "".join(p["text"] for p in parts if p["type"] == "text") == text_of(deltas)


@given(COMPLETIONS)
def test_the_ai_sdk_reads_a_stored_turn(ai_sdk, completion):
    framer = Framer("m")
    read = ai_sdk(framer.start() + framer.finish(completion))

    stored = json.loads(encode_frame(ui_message(completion, message_id="m")))
    built = read["message"]
    assert stored["metadata"] == built["metadata"]
    assert [part["type"] for part in stored["parts"]] == [
        part["type"] for part in built["parts"] if part["type"] != "source-url"
    ]

"""The rule of the end: whether a stream that has ended is complete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimlchat._printable import excerpt
from aimlchat.errors import ProtocolError, StreamInterruptedError

from .lenient import is_object

if TYPE_CHECKING:
    from .accumulator import Accumulator

__all__ = ["DONE_MARKER", "PARTIAL_HINT", "is_whole_event", "judge_end"]

DONE_MARKER = b"[DONE]"
PARTIAL_HINT = "; .partial has what arrived"
"""The part of a message that only programmers can use."""


def is_whole_event(event: bytes) -> bool:
    """Return whether an event that lacks its blank line was not cut."""
    text = event.strip()
    return text == DONE_MARKER or text.startswith(b":") or is_object(event)


def judge_end(
    content: Accumulator,
    unread_key: str | None,
    unread_line: bytes,
    has_event: bool,  # noqa: FBT001 - one of the facts about what was received
    *,
    is_done: bool,
    is_cut: bool,
) -> ProtocolError | None:
    """Return why a stream that has ended is not complete, None if it is.

    Args:
        content: what was received.
        unread_key: the first key with text that is not read.
        unread_line: the first line that is neither a field nor a comment.
        has_event: whether any event has arrived.
        is_done: whether ``[DONE]`` or ``message_stop`` ended the stream.
        is_cut: whether the connection broke.
    """
    if unread_key and not content.has_output:
        return ProtocolError(
            f"no text was found in the stream, but {unread_key!r} seems to hold some"
        )
    has_finished = content.is_whole if is_cut else content.finished_choices > 0
    if not is_done and not has_finished:
        where = f"{content.end}{PARTIAL_HINT}"
        if not has_event and not content.has_chunk:
            where = "its first event"
        if unread_line:
            where += f"; it had the line {excerpt(unread_line)}"
        return StreamInterruptedError(f"the stream ended before {where}")
    if unread_line and not has_finished:
        msg = f"a line of the stream is neither an event nor a comment: {excerpt(unread_line)}"
        return ProtocolError(msg)
    if content.mixes_choices:
        return ProtocolError("the stream has several choices, but one was requested")
    if content.index_may_count_chunks:
        msg = "each chunk of the stream has a choice of its own; pass n=1 if there is only one"
        return ProtocolError(msg)
    return None

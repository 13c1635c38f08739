"""Chunks with a ``message`` or a ``text`` where a ``delta`` should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .chunks import ChunkMessage
from .lenient import read_reasoning

if TYPE_CHECKING:
    from .chunks import ChunkChoice

__all__ = ["MessageReader", "find_message", "has_content"]

_TEXT_FIELDS = ("content", "reasoning_content", "refusal")


def find_message(choice: ChunkChoice) -> ChunkMessage | None:
    """Return the message of a choice whose delta is empty; None if there is none.

    The ``text`` of a choice counts as the content of a message. A message beside a delta that has
    content is ignored: Perplexity and Foundry Local send both, and the delta is what is new.
    """
    message = choice.message
    if choice.text and not (message is not None and message.content):
        message = message or ChunkMessage()
        message.content = choice.text
    if message is None or not has_content(message):
        return None
    return None if choice.delta is not None and has_content(choice.delta) else message


class MessageReader:
    """Finds what is new in each message of one choice.

    Some servers send messages instead of deltas, either piece by piece, or each with everything
    so far. Others repeat at the end, as one message, what the deltas were.

    Args:
        received: the text that deltas have brought so far, by the name of the field; None for text
            that is not known as the server sent it.
        has_calls: whether deltas have brought tool calls.
    """

    def __init__(self, received: dict[str, str | None], *, has_calls: bool) -> None:
        self._received = received
        self._from_deltas = [field for field, text in received.items() if text != ""]
        self._has_calls = has_calls
        self._messages = 0

    def keep_new(self, message: ChunkMessage, *, is_last: bool) -> None:
        """Remove from a message what was received before.

        Args:
            message: the message, which is changed.
            is_last: whether the message has a finish reason.
        """
        self._messages += 1
        message.reasoning_content = read_reasoning(message)
        message.reasoning = message.reasoning_details = message.thinking = None
        # A piece may equal the piece before it ("ha", "ha"), but hardly all pieces before it.
        may_repeat = is_last or self._messages > 2  # noqa: PLR2004
        for field in _TEXT_FIELDS:
            if text := getattr(message, field):
                new = self._find_new(field, text, may_repeat=may_repeat)
                setattr(message, field, new)
        if self._has_calls:
            message.tool_calls = message.function_call = None
        for index, call in enumerate(message.tool_calls or ()):
            call.index = index if call.index is None else call.index

    def _find_new(self, field: str, text: str, *, may_repeat: bool) -> str:
        received = self._received[field]
        if received is None:
            return ""
        is_from_deltas = field in self._from_deltas
        if received and text.startswith(received):
            if len(text) > len(received) or may_repeat or is_from_deltas:
                text = text[len(received) :]
        elif is_from_deltas:  # the text of the deltas, trimmed or edited
            return ""
        self._received[field] = received + text
        return text


def has_content(message: ChunkMessage) -> bool:
    """Return whether a delta or a message has anything but a role."""
    return bool(
        message.content
        or message.reasoning_content
        or message.reasoning
        or message.reasoning_details
        or message.thinking
        or message.refusal
        or message.tool_calls
        or message.function_call
        or message.audio
        or message.annotations
        or message.images
    )

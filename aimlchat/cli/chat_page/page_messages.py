"""The messages that the chat page sends over its web socket."""

from __future__ import annotations

from typing import Annotated

import msgspec

from aimlchat.request import ChatRequest

__all__ = ["AskMessage", "FollowMessage", "PageMessage", "StopMessage", "decode_message"]

# Chosen by the page at random, so that no two pages choose the same.
_AnswerId = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]

# An assistant message at the end, for the model to go on with, would join without a seam. But most
# models answer it with a new message, and the others refuse it: Claude since 4.6, any Claude that
# thinks, the newest Gemini. Each model understands a request; the page removes the repeated words.
_CONTINUE = (
    "Your answer was cut off. Write the rest of it. Begin by repeating its last words exactly as"
    " they are below, so that both parts can be joined, and go on from there, even in the middle of"
    " a word, a table or a code block. Write nothing else before them, no remark and no code"
    " fence.\n\nThe last words:\n\n"
)


class Turn(msgspec.Struct, frozen=True):
    """An earlier question and its answer; ``answer`` is ``""`` if it failed or was stopped."""

    question: str
    answer: str


class CutAnswer(msgspec.Struct, frozen=True):
    """An answer to go on with: what there is of it, and its last words."""

    answer: str
    last_words: str


class AskMessage(msgspec.Struct, frozen=True, tag_field="type", tag="ask"):
    """Start an answer, or follow it from its start if its id is known already.

    The second meaning lets a page that lost its connection before the first frame simply send its
    message again.

    ``model`` None is the default model. ``thinking`` is the budget in tokens, None for no thinking.
    ``turns`` is the conversation so far, oldest first. ``cut`` is the answer to this question whose
    rest is wanted, None for an answer from the start.
    """

    answer_id: _AnswerId
    model: str | None
    question: str
    thinking: int | None = None
    turns: tuple[Turn, ...] = ()
    cut: CutAnswer | None = None

    def to_request(self) -> ChatRequest:
        """Return the request to send upstream.

        It leaves out turns that have no answer: with two user messages in a row the model would
        read the earlier question as part of the later one.
        """
        request = ChatRequest(self.model, thinking=self.thinking)
        for turn in self.turns:
            if turn.answer:
                request = request.user(turn.question).assistant(turn.answer)
        request = request.user(self.question)
        if self.cut is None:
            return request
        return request.assistant(self.cut.answer).user(_CONTINUE + self.cut.last_words)


class FollowMessage(msgspec.Struct, frozen=True, tag_field="type", tag="follow"):
    """Continue an answer after frame number ``after``, the last one that the page has."""

    answer_id: _AnswerId
    after: Annotated[int, msgspec.Meta(ge=0)] = 0


class StopMessage(msgspec.Struct, frozen=True, tag_field="type", tag="stop"):
    """Stop the answer.

    The relay handles it while it sends an answer. One that arrives later has no effect.
    """


PageMessage = AskMessage | FollowMessage | StopMessage
_DECODER: msgspec.json.Decoder[PageMessage] = msgspec.json.Decoder(PageMessage)


def decode_message(data: str | bytes) -> PageMessage:
    """Decode a message. Raises `msgspec.DecodeError` if it is not valid."""
    return _DECODER.decode(data)

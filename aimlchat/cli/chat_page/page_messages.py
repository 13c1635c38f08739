"""The messages that the chat page sends over its web socket."""

from __future__ import annotations

from typing import Annotated

import msgspec

from aimlchat.request import ChatRequest

__all__ = [
    "AskMessage",
    "FollowMessage",
    "HelloMessage",
    "LeavingMessage",
    "LeftMessage",
    "PageMessage",
    "StopMessage",
    "decode_message",
]

# Chosen by the page at random, so that no two pages choose the same.
_AnswerId = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class Turn(msgspec.Struct, frozen=True):
    """An earlier question and its answer; ``answer`` is ``""`` if it failed or was stopped."""

    question: str
    answer: str


class AskMessage(msgspec.Struct, frozen=True, tag_field="type", tag="ask"):
    """Start an answer, or follow it from its start if its id is known already.

    The second meaning lets a page that lost its connection before the first frame simply send its
    message again.

    ``model`` None is the default model. ``thinking`` is the budget in tokens, None for no thinking.
    ``turns`` is the conversation so far, oldest first.
    """

    answer_id: _AnswerId
    model: str | None
    question: str
    thinking: int | None = None
    turns: tuple[Turn, ...] = ()

    def to_request(self) -> ChatRequest:
        """Return the request to send upstream.

        It leaves out turns that have no answer: with two user messages in a row the model would
        read the earlier question as part of the later one.
        """
        request = ChatRequest(self.model, thinking=self.thinking)
        for turn in self.turns:
            if turn.answer:
                request = request.user(turn.question).assistant(turn.answer)
        return request.user(self.question)


class FollowMessage(msgspec.Struct, frozen=True, tag_field="type", tag="follow"):
    """Continue an answer after frame number ``after``, the last one that the page has."""

    answer_id: _AnswerId
    after: Annotated[int, msgspec.Meta(ge=0)] = 0


class StopMessage(msgspec.Struct, frozen=True, tag_field="type", tag="stop"):
    """Stop the answer.

    The relay handles it while it sends an answer. One that arrives later has no effect.
    """


class HelloMessage(msgspec.Struct, frozen=True, tag_field="type", tag="hello"):
    """The first message of each connection.

    ``page_id`` is the id that the server gave to this load of the page. ``answer_id`` is the
    unfinished answer that the page shows, which it will ask to follow.
    """

    page_id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    answer_id: _AnswerId | None = None


class LeavingMessage(msgspec.Struct, frozen=True, tag_field="type", tag="leaving"):
    """The browser is about to load another page in this tab, maybe this one anew, or to close it.

    A browser sends no request for the new page before this message.
    """


class LeftMessage(msgspec.Struct, frozen=True, tag_field="type", tag="left"):
    """The page has been left: a browser that loads it anew has requested it before this message.

    Without an earlier `LeavingMessage`, the tab is being closed.
    """


PageMessage = AskMessage | FollowMessage | StopMessage | HelloMessage | LeavingMessage | LeftMessage
_DECODER: msgspec.json.Decoder[PageMessage] = msgspec.json.Decoder(PageMessage)


def decode_message(data: str | bytes) -> PageMessage:
    """Decode a message. Raises `msgspec.DecodeError` if it is not valid."""
    return _DECODER.decode(data)

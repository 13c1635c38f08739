"""What the page says over its web socket."""

from __future__ import annotations

from typing import Annotated

import msgspec

from aimlchat.request import ChatRequest

__all__ = ["Ask", "Follow", "Order", "Stop", "order_of"]

# The page's own name for an answer: random, so that no two pages choose the same.
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class Turn(msgspec.Struct, frozen=True):
    """A question that was asked before, and what came of it."""

    question: str
    answer: str


class Ask(msgspec.Struct, frozen=True, tag_field="type", tag="ask"):
    """Begin an answer; asked again by the same name, show the one that was begun.

    So a page that lost its connection before it saw anything can simply ask again. ``thinking`` is
    the budget in tokens, None for none; ``turns`` are the conversation so far, oldest first;
    ``model`` None is the usual one.
    """

    name: _Name
    model: str | None
    question: str
    thinking: int | None = None
    turns: tuple[Turn, ...] = ()

    def request(self) -> ChatRequest:
        """Return what to send upstream.

        A turn that was stopped or failed before its answer is left out: the model would take its
        question for a part of the next.
        """
        request = ChatRequest(self.model, thinking=self.thinking)
        for turn in self.turns:
            if turn.answer:
                request = request.user(turn.question).assistant(turn.answer)
        return request.user(self.question)


class Follow(msgspec.Struct, frozen=True, tag_field="type", tag="follow"):
    """Show an answer that was begun, from behind the last frame that the page has seen."""

    name: _Name
    after: Annotated[int, msgspec.Meta(ge=0)] = 0


class Stop(msgspec.Struct, frozen=True, tag_field="type", tag="stop"):
    """End the answer; the relay sees to it, and what comes too late changes nothing."""


Order = Ask | Follow | Stop
_DECODER: msgspec.json.Decoder[Order] = msgspec.json.Decoder(Order)


def order_of(message: str | bytes) -> Order:
    """Read a message. Raises `msgspec.DecodeError` for what is none."""
    return _DECODER.decode(message)

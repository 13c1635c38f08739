"""The messages that the chat page sends over its web socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import msgspec

from aimlchat.cli.attachments import build_attachment
from aimlchat.content import Text
from aimlchat.relay.ui_messages import add_assistant_message
from aimlchat.request import ChatRequest

from .model_choices import SAMPLE_FILES

if TYPE_CHECKING:
    from aimlchat.content import Audio, Document, Image

__all__ = [
    "AskMessage",
    "CheckMessage",
    "FollowMessage",
    "HelloMessage",
    "LeavingMessage",
    "LeftMessage",
    "PageMessage",
    "StopMessage",
    "decode_check",
    "decode_message",
]

# Chosen by the page at random, so that no two pages choose the same.
_AnswerId = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]

# An assistant message at the end, for the model to continue, would join without a seam. But most
# models answer it with a new message, and the others refuse it: Claude since 4.6, any Claude that
# thinks, the newest Gemini. Each model understands a request; the page removes the repeated words.
_CONTINUE = (
    "Your answer was cut off. Write the rest of it. Begin by repeating its last words exactly as"
    " they are below, so that both parts can be joined, and go on from there, even in the middle of"
    " a word, a table or a code block. Write nothing else before them, no remark and no code"
    " fence.\n\nThe last words:\n\n"
)


class AttachedFile(msgspec.Struct, frozen=True):
    """A file of a question; JSON has its ``data`` as base64."""

    name: str
    data: bytes

    def to_part(self) -> Image | Document | Audio | Text:
        return build_attachment(self.name, self.data)


class Turn(msgspec.Struct, frozen=True):
    """An earlier question and its answer; ``answer`` is ``""`` if it failed or was stopped.

    ``message`` is the answer as a message of the AI SDK, which has the calls of tools with their
    results, and what the model has signed. It is None if there is nothing but the text.
    """

    question: str
    answer: str
    message: dict[str, Any] | None = None
    files: tuple[AttachedFile, ...] = ()


class CutAnswer(msgspec.Struct, frozen=True):
    """An answer to be continued: its text so far, as in `Turn`, and its last words."""

    answer: str
    last_words: str
    message: dict[str, Any] | None = None


class _RequestOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the user chose besides the question, named as the fields of `ChatRequest`.

    ``model`` None is the default model.
    """

    model: str | None
    system: str | None = None
    max_tokens: int | None = None
    temperature: int | float | None = None
    thinking: int | bool | Literal["adaptive"] | None = None
    reasoning_effort: str | None = None

    def start_request(self) -> ChatRequest:
        """Return a request without messages."""
        return ChatRequest(
            **{name: getattr(self, name) for name in _RequestOptions.__struct_fields__}
        )


class AskMessage(_RequestOptions, frozen=True, kw_only=True, tag_field="type", tag="ask"):
    """Start an answer, or follow it from its start if its id is already known.

    The second meaning lets a page that lost its connection before the first frame simply send its
    message again. ``turns`` is the conversation so far, oldest first. ``cut`` is the answer to this
    question that is to be continued, None for an answer from the start.
    """

    answer_id: _AnswerId
    question: str
    files: tuple[AttachedFile, ...] = ()
    turns: tuple[Turn, ...] = ()
    cut: CutAnswer | None = None

    def to_request(self, *, has_tools: bool = False) -> ChatRequest:
        """Return the request to send upstream.

        It leaves out turns that have no answer: with two user messages in a row the model would
        read the earlier question as part of the later one.

        Args:
            has_tools: whether the request will offer tools. Some models refuse a conversation with
                calls without them, so the calls are left out if there are none.

        Raises:
            InvalidRequestError: a file has a format that no model accepts, or an answer is not in
                the form of a message.
        """
        request = self.start_request()
        call_ids: set[str] = set()
        for index, turn in enumerate(self.turns):
            question = _add_question(request, turn)
            if has_tools and turn.message is not None:
                answered = add_assistant_message(
                    question, turn.message, call_ids, field=f"turns[{index}].message"
                )
            else:
                answered = question.assistant(turn.answer) if turn.answer else question
            request = request if answered is question else answered
        request = _add_question(request, self)
        if self.cut is None:
            return request
        if has_tools and self.cut.message is not None:
            request = add_assistant_message(
                request, self.cut.message, call_ids, field="cut.message"
            )
        else:
            request = request.assistant(self.cut.answer)
        return request.user(_CONTINUE + self.cut.last_words)


def _add_question(request: ChatRequest, turn: AskMessage | Turn) -> ChatRequest:
    files = [file.to_part() for file in turn.files]
    # A file alone is a question, and a blank text beside it would be refused.
    texts = [Text(turn.question)] if turn.question.strip() or not files else []
    return request.user(*files, *texts)


class CheckMessage(_RequestOptions, frozen=True, kw_only=True):
    """Ask whether a model accepts these options and kinds of files, without sending anything.

    The kinds are those of `SAMPLE_FILES`; text is sent as text, which every model accepts.
    """

    files: tuple[Literal["image", "pdf", "audio"], ...] = ()

    def to_request(self) -> ChatRequest:
        """Return a request that is accepted if and only if that of the question would be."""
        parts = [SAMPLE_FILES[kind] for kind in self.files]
        return self.start_request().user(*parts, "?")


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
    """The browser is about to load a page in this tab, perhaps this one again, or to close it.

    A browser sends no request for the new page before this message.
    """


class LeftMessage(msgspec.Struct, frozen=True, tag_field="type", tag="left"):
    """The page has been left: a browser that loads it again has requested it before this message.

    Without an earlier `LeavingMessage`, the tab is being closed.
    """


PageMessage = AskMessage | FollowMessage | StopMessage | HelloMessage | LeavingMessage | LeftMessage
_Message = TypeVar("_Message")
_CHECK_DECODER = msgspec.json.Decoder(CheckMessage)
_DECODER: msgspec.json.Decoder[PageMessage] = msgspec.json.Decoder(PageMessage)


def decode_message(data: str | bytes) -> PageMessage:
    """Decode a message. Raises `msgspec.DecodeError` if it is not valid."""
    return _decode(_DECODER, data)


def decode_check(data: bytes) -> CheckMessage:
    """Decode a check. Raises `msgspec.DecodeError` if it is not valid."""
    return _decode(_CHECK_DECODER, data)


def _decode(decoder: msgspec.json.Decoder[_Message], data: str | bytes) -> _Message:
    try:
        return decoder.decode(data)
    except (UnicodeError, RecursionError) as error:  # not text in UTF-8, or nested too deeply
        raise msgspec.DecodeError(str(error)) from error

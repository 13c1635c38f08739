"""The parser of whole completions, from bytes to a `Completion`.

`StreamParser` uses the same steps if a server responds to a stream request with such a body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from aimlchat._printable import excerpt
from aimlchat.completions import Choice, Completion
from aimlchat.errors import ProtocolError

from .accumulator import Accumulator
from .chunks import DECODE_ERRORS, decode_chunk
from .error_events import find_error
from .lenient import decode_object, parse_chunk
from .message_chunks import has_content
from .metadata import find_usage, normalize_finish_reason, parse_cost, parse_usage
from .think_tags import may_use_tags
from .unread_text import find_unread_text

if TYPE_CHECKING:
    from aimlchat.completions import Delta
    from aimlchat.errors import APIError

    from .chunks import Chunk

__all__ = [
    "WholeBody",
    "accumulate_body",
    "decode_body",
    "find_unread",
    "parse_completion",
]

_END_OF_TAG = "think>"  # of <think> as well as of </think>


class WholeBody(NamedTuple):
    """The body of a whole completion, decoded.

    ``raw`` is the value of `Completion.raw`: the body itself if the fast decoder accepted it, since
    it is parsed only when a caller reads it, and otherwise the body as the lenient path decoded it.
    """

    chunk: Chunk
    raw: bytes | dict[str, Any]
    error: APIError | None = None
    is_message: bool = False
    """Whether it is in Claude's own message format; the chunk has no choice then."""

    @property
    def is_stream_chunk(self) -> bool:
        """Whether this is one chunk of a stream, and not a whole completion."""
        choices = self.chunk.choices or ()
        return any(choice.delta is not None for choice in choices) and not any(
            choice.message is not None or choice.text for choice in choices
        )


def parse_completion(data: bytes, model: str = "", **fields: Any) -> Completion:
    """Parse the body of a whole completion.

    Args:
        data: the response body.
        model: the requested model, which decides whether ``<think>`` tags are reasoning; by
            default the model that the body names.
        **fields: the fields of `Completion` that are not in the body, such as ``headers``.

    Raises:
        APIError: the body is an error despite its status, or has one in a choice.
        ProtocolError: the body is not JSON, not an object, has no choice, or its text is under a
            key that is not read.
    """
    chunk = _decode_usual(data)
    if chunk is not None and (choice := _build_plain_choice(chunk, model)):
        return Completion(
            choices=(choice,),
            usage=parse_usage(chunk.usage),
            cost=parse_cost(chunk.meta, fields.get("headers")),
            id=chunk.id or "",
            model=chunk.model or "",
            created=chunk.created,
            is_complete=True,
            raw=data,
            **fields,
        )
    body = _decode_leniently(data) if chunk is None else WholeBody(chunk, data)
    chunk, raw, error, _ = body
    content = accumulate_body(Accumulator(model), body, [])
    failure: APIError | ProtocolError | None = error or find_unread(content, body)
    if body.is_stream_chunk and not content.finished_choices:
        failure = failure or ProtocolError("the response body is one chunk of a stream")
    if failure is not None:
        if chunk.choices:
            failure.partial = content.build(complete=False, raw=raw, **fields)
        raise failure
    return content.build(complete=True, raw=raw, **fields)


def decode_body(data: bytes) -> WholeBody:
    """Decode the body of a whole completion, or of an error.

    Raises `ProtocolError` if it is neither.
    """
    chunk = _decode_usual(data)
    return _decode_leniently(data) if chunk is None else WholeBody(chunk, data)


def _decode_usual(data: bytes) -> Chunk | None:
    """Decode a body with the fast decoder; return None if it refuses, or finds no choice."""
    try:
        chunk = decode_chunk(data)
    except DECODE_ERRORS:
        return None
    choices = chunk.choices
    if not choices:
        return None
    if not chunk.usage and len(choices) == 1:
        chunk.usage = choices[0].usage
    return chunk


def _decode_leniently(data: bytes) -> WholeBody:
    body = decode_object(data)
    chunk, extra = parse_chunk(body)
    chunk.usage = chunk.usage or find_usage(extra)
    error = find_error(body)
    if error is None and "content" in body:
        from .message_accumulator import is_message  # noqa: PLC0415 - only Claude needs it

        if is_message(body):
            return WholeBody(chunk, body, is_message=True)
    if error is None and not chunk.choices:
        msg = f"the response body has no choice: {excerpt(data)}"
        raise ProtocolError(msg)
    return WholeBody(chunk, body, error)


def accumulate_body(content: Accumulator, body: WholeBody, deltas: list[Delta]) -> Accumulator:
    """Add a whole completion to the accumulator, and its text to the deltas.

    Each ``message`` replaces the ``delta``. Perplexity's sonar sends both; the ``delta`` repeats
    the message and is ignored. Returns the accumulator, or another one for a message in Claude's
    own format.
    """
    if body.is_message and isinstance(body.raw, dict):
        from .message_accumulator import MessageAccumulator  # noqa: PLC0415 - as above

        message = MessageAccumulator({})
        message.add_whole(body.raw, deltas)
        message.close(deltas)
        return message
    content.has_whole_calls = True
    chunk = body.chunk
    choices = chunk.choices or ()
    if len(choices) == 1:
        choices[0].index = 0
    for choice in choices:
        if choice.message is not None and has_content(choice.message):
            choice.delta = choice.message
        if body.error is not None:
            choice.finish_reason = None
        calls = (choice.message and choice.message.tool_calls) or ()
        # In a whole message each entry is a separate call: the index is absent, or 0 in all.
        for index, call in enumerate(calls):
            call.index = index
    content.add(chunk, deltas, lenient=isinstance(body.raw, dict))
    content.close(deltas)
    return content


def find_unread(content: Accumulator, body: WholeBody) -> ProtocolError | None:
    """Return an error if nothing was found in a body that has text under a key that is not read."""
    if content.has_output:
        return None
    raw = decode_object(body.raw) if isinstance(body.raw, bytes) else body.raw
    if key := find_unread_text(raw):
        return ProtocolError(f"no text was found in the response, but {key!r} seems to hold some")
    return None


def _build_plain_choice(chunk: Chunk, model: str) -> Choice | None:
    """Build the choice of a completion that has one choice with only text; None for any other.

    This is the usual case, and needs no accumulator.
    """
    choices = chunk.choices
    if chunk.event is not None or choices is None or len(choices) != 1:
        return None
    (choice,) = choices
    message = choice.message
    if (
        message is None
        or message.tool_calls
        or message.function_call is not None
        or message.audio
        or message.annotations
        or message.images
        or message.reasoning_details
        or choice.logprobs is not None
    ):
        return None
    text = message.content or ""
    if _END_OF_TAG in text and may_use_tags(model or chunk.model or ""):
        return None
    reasoning = message.reasoning_content or message.reasoning or message.thinking or ""
    if not (text or reasoning or message.refusal):
        return None  # there may be text under another key
    native = choice.finish_reason
    reason = normalize_finish_reason(native)
    return Choice(
        text=text,
        reasoning=reasoning,
        refusal=message.refusal or None,
        finish_reason=reason,
        native_finish_reason=native if reason else None,
    )

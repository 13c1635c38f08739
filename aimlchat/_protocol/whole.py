"""The parser of whole completions, from bytes to a `Completion`.

`StreamParser` uses the same steps if a server responds to a stream request with such a body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aimlchat._json import decode_json
from aimlchat.completions import Choice, Completion
from aimlchat.errors import ProtocolError

from .accumulator import Accumulator
from .api_errors import error_from_body, is_error_body
from .chunks import DECODE_ERRORS, decode_chunk
from .lenient import parse_chunk, read_reasoning
from .metadata import find_usage, normalize_finish_reason, parse_cost, parse_usage
from .think_tags import may_use_tags

if TYPE_CHECKING:
    from aimlchat.completions import Delta

    from .chunks import Chunk

__all__ = ["accumulate_body", "decode_body", "parse_completion"]

_END_OF_TAG = "think>"  # of <think> as well as of </think>


def parse_completion(data: bytes, model: str = "", **fields: Any) -> Completion:
    """Parse the body of a whole completion.

    Args:
        data: the response body.
        model: the requested model, which decides whether ``<think>`` tags are reasoning; by
            default the model that the body names.
        **fields: the fields of `Completion` that are not in the body, such as ``headers``.

    Raises:
        APIError: the body is an error despite its status.
        ProtocolError: the body is not JSON, not an object, or has no choice.
    """
    chunk, body = decode_body(data)
    if body is data and (choice := _build_plain_choice(chunk, model)):
        return Completion(
            choices=(choice,),
            usage=parse_usage(chunk.usage),
            cost=parse_cost(chunk.meta, fields.get("headers")),
            id=chunk.id or "",
            model=chunk.model or "",
            created=chunk.created,
            raw=body,
            **fields,
        )
    content = Accumulator(model)
    accumulate_body(content, chunk, [], lenient=body is not data)
    return content.build(complete=True, raw=body, **fields)


def decode_body(data: bytes) -> tuple[Chunk, bytes | dict[str, Any]]:
    """Decode the body of a whole completion; return it as a chunk, and for `Completion.raw`.

    The second value is ``data`` itself if the fast decoder accepted it, and is parsed only when a
    caller reads it; otherwise it is the body as decoded by the lenient path. Raises what
    `parse_completion` raises.
    """
    try:
        chunk = decode_chunk(data)
    except DECODE_ERRORS:
        pass
    else:
        if chunk.choices and not chunk.error:
            if not chunk.usage:
                chunk.usage = chunk.choices[0].usage
            return chunk, data
    body = decode_json(data)
    if not isinstance(body, dict):
        msg = f"the response body is not a JSON object: {data[:120]!r}"
        raise ProtocolError(msg)
    if is_error_body(body):
        raise error_from_body(body)
    chunk, extra = parse_chunk(body)
    chunk.usage = chunk.usage or find_usage(extra)
    if not chunk.choices:
        msg = f"the response body has no choice: {data[:120]!r}"
        raise ProtocolError(msg)
    return chunk, body


def accumulate_body(
    content: Accumulator, chunk: Chunk, deltas: list[Delta], *, lenient: bool
) -> None:
    """Add a whole completion to the accumulator, and its text to the deltas.

    Each ``message`` replaces the ``delta``. Perplexity's sonar sends both; the ``delta`` repeats
    the message and is ignored.
    """
    content.has_whole_calls = True
    for choice in chunk.choices or ():
        choice.delta = choice.message
        calls = (choice.message and choice.message.tool_calls) or ()
        # In a whole message each entry is a separate call: the index is absent, or 0 in all.
        for index, call in enumerate(calls):
            call.index = index
    content.add(chunk, deltas, lenient=lenient)
    content.close(deltas)


def _build_plain_choice(chunk: Chunk, model: str) -> Choice | None:
    """Build the choice of a completion that has one choice with only text; None for any other.

    This is the usual case, and needs no accumulator.
    """
    if chunk.event is not None or chunk.choices is None or len(chunk.choices) != 1:
        return None
    (choice,) = chunk.choices
    message = choice.message
    if (
        message is None
        or message.tool_calls
        or message.function_call is not None
        or message.audio
        or message.annotations
        or message.images
        or choice.logprobs is not None
    ):
        return None
    text = message.content or ""
    if _END_OF_TAG in text and may_use_tags(model or chunk.model or ""):
        return None
    native = choice.finish_reason or None
    return Choice(
        index=choice.index or 0,
        text=text,
        reasoning=read_reasoning(message),
        refusal=message.refusal or None,
        finish_reason=normalize_finish_reason(native),
        native_finish_reason=native,
    )

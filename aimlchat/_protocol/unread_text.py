"""Text in a chunk under keys that are not read.

Endpoints of this API were seen to forward responses of other APIs. Their text is under other keys,
so that such a stream would look like an empty answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .lenient import decode_object, read_dict, read_list

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .accumulator import Accumulator

__all__ = ["UnreadText", "find_unread_text"]

_MAX_SILENT_CHUNKS = 1000

_TEXT_KEYS = frozenset(
    {
        *("content", "text", "delta", "message", "parts", "output", "output_text"),
        *("response", "answer", "completion", "generated_text", "result"),
    }
)


class UnreadText:
    """Looks through the chunks at the start of a stream, as long as no text was found in them."""

    def __init__(self) -> None:
        self.key: str | None = None
        """The first key with text that is not read."""
        self._chunks = 0

    def examine(self, event: bytes, content: Accumulator) -> None:
        """Look through a chunk that yielded no delta; ``content`` is what was received so far."""
        if self.key is None and self._chunks < _MAX_SILENT_CHUNKS and not content.has_output:
            self._chunks += 1
            self.key = find_unread_text(decode_object(event))


def find_unread_text(body: Mapping[str, Any]) -> str | None:
    """Return the first key with text that is not read, None if there is none.

    ``body`` is a chunk, or a whole completion.
    """
    for part in (body, read_dict(body.get("event"))):
        for key, value in _list_unread(part):
            if key in _TEXT_KEYS and _holds_text(value):
                return key
    return None


def _list_unread(part: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """List the keys and values of a chunk except those whose text is read."""
    for key, value in part.items():
        # A `message` here that is text is about the request, such as "success".
        if not (key == "message" and isinstance(value, str)):
            yield key, value
    for choice in read_list(part.get("choices")):
        for key, value in read_dict(choice).items():
            if key in ("delta", "message") and isinstance(value, dict):
                for inner_key, inner_value in value.items():
                    if not (inner_key == "content" and isinstance(inner_value, str)):
                        yield inner_key, inner_value
            elif not (key == "text" and isinstance(value, str)):
                yield key, value


def _holds_text(value: Any) -> bool:
    if isinstance(value, str):
        return bool(value.strip())
    if isinstance(value, list):
        return any(map(_holds_text, value))
    return any(key in _TEXT_KEYS and _holds_text(item) for key, item in read_dict(value).items())

"""The body of a request: JSON, in which large files are encoded only as they are sent."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from aimlchat.content import Audio, Document, Image, Message
from aimlchat.request import ChatRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .prepare import RawRequest, RequestFields

__all__ = ["Body", "body_of"]

# To encode as much as that at once holds up the event loop for a fraction of a millisecond.
_SLICE = 192 * 1024  # a multiple of three, so that base64 of slices is a slice of the base64
_LARGE = 2 * _SLICE
_MARK_BYTES = 24
_WITH_FILES = (Image, Document, Audio)


@attrs.frozen(eq=False)
class Body:
    """A body in pieces: ``texts`` are bytes of JSON, and between each two of them is a file."""

    texts: tuple[bytes, ...]
    files: tuple[bytes, ...] = ()

    def __len__(self) -> int:
        encoded = sum((len(file) + 2) // 3 * 4 for file in self.files)
        return sum(map(len, self.texts)) + encoded

    @property
    def is_large(self) -> bool:
        """Whether it should be sent in pieces, and not in one."""
        return bool(self.files) or len(self.texts[0]) > _LARGE

    def whole(self) -> bytes:
        """Return all of it; for one that is not large."""
        return self.texts[0] if not self.files else b"".join(self.pieces())

    def pieces(self) -> Iterator[bytes]:
        """Yield it piece by piece, none of them large."""
        for text, file in zip(self.texts, (*self.files, b""), strict=True):
            for start in range(0, len(text), _LARGE):
                yield text[start : start + _LARGE]
            for start in range(0, len(file), _SLICE):
                yield base64.b64encode(file[start : start + _SLICE])


def body_of(
    request: ChatRequest | RequestFields | RawRequest, *, stream: bool
) -> tuple[dict[str, Any], Body]:
    """Return the payload of a request, and the body that says the same.

    In the payload a mark stands for each large file: base64 of megabytes, the text around it and
    their JSON would hold up the event loop for as long as they take. Raises `InvalidRequestError`.
    """
    files: dict[bytes, bytes] = {}
    light = _with_marks(request, files) if isinstance(request, ChatRequest) else request
    payload = light.payload(stream=stream)
    text = msgspec.json.encode(payload)
    if not files:
        return payload, Body((text,))
    texts, found = [], []
    for mark in sorted(files, key=text.find):  # a dialect may put them in an order of its own
        before, _, text = text.partition(mark)
        texts.append(before)
        found.append(files[mark])
    return payload, Body((*texts, text), tuple(found))


def _with_marks(request: ChatRequest, files: dict[bytes, bytes]) -> ChatRequest:
    if not isinstance(request.messages, tuple) or not any(map(_has_large, request.messages)):
        return request
    messages = [
        attrs.evolve(message, parts=tuple(_marked(part, files) for part in message.parts))
        if isinstance(message, Message)
        else message
        for message in request.messages
    ]
    return request.options(messages=messages)


def _has_large(message: Any) -> bool:
    return isinstance(message, Message) and any(map(_is_large, message.parts))


def _is_large(part: Any) -> bool:
    # A text is sent as text by one of the dialects.
    return (
        isinstance(part, _WITH_FILES)
        and len(part.data or b"") > _LARGE
        and not (part.media_type or "").startswith("text/")
    )


def _marked(part: Any, files: dict[bytes, bytes]) -> Any:
    if not _is_large(part):
        return part
    mark = os.urandom(_MARK_BYTES)
    files[base64.b64encode(mark)] = part.data
    return attrs.evolve(part, data=mark)

"""The body of a request: JSON in which large files are encoded only while they are sent."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING, Any, Protocol

import attrs
import msgspec

from aimlchat.content import Audio, Document, Image, Message
from aimlchat.request import ChatRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Body", "encode_request"]

# Encoding this much at once blocks the event loop for a fraction of a millisecond.
_SLICE_BYTES = 192 * 1024  # a multiple of 3: the base64 of slices joins to the base64 of the whole
_LARGE_BYTES = 2 * _SLICE_BYTES
_MARKER_BYTES = 24
_FILE_TYPES = (Image, Document, Audio)


class Body(msgspec.Struct, eq=False, frozen=True, gc=False):
    """A body in pieces: ``texts`` are bytes of JSON, with one of the ``files`` between each two."""

    texts: tuple[bytes, ...]
    files: tuple[bytes, ...] = ()

    def __len__(self) -> int:
        encoded = sum((len(file) + 2) // 3 * 4 for file in self.files)
        return sum(map(len, self.texts)) + encoded

    @property
    def is_large(self) -> bool:
        """Whether it should be sent in pieces."""
        return bool(self.files) or len(self.texts[0]) > _LARGE_BYTES

    def whole(self) -> bytes:
        """Return the whole body; meant for one that is not large."""
        return self.texts[0] if not self.files else b"".join(self.pieces())

    def pieces(self) -> Iterator[bytes]:
        """Yield the body in pieces, none of which is large."""
        for text, file in zip(self.texts, (*self.files, b""), strict=True):
            for start in range(0, len(text), _LARGE_BYTES):
                yield text[start : start + _LARGE_BYTES]
            for start in range(0, len(file), _SLICE_BYTES):
                yield base64.b64encode(file[start : start + _SLICE_BYTES])


class _HasPayload(Protocol):
    def payload(self, stream: bool = False) -> dict[str, Any]: ...  # noqa: FBT001, FBT002


def encode_request(request: _HasPayload, *, stream: bool) -> tuple[dict[str, Any], Body]:
    """Return the payload of a request, and its body.

    In the payload a marker stands for each large file: encoding megabytes as base64, and the base64
    as JSON, would block the event loop. Raises `InvalidRequestError`.
    """
    files: dict[bytes, bytes] = {}
    light = _with_markers(request, files) if isinstance(request, ChatRequest) else request
    payload = light.payload(stream=stream)
    text = msgspec.json.encode(payload)
    if not files:
        return payload, Body((text,))
    texts, ordered = [], []
    for marker in sorted(files, key=text.find):  # a dialect may order the files differently
        before, _, text = text.partition(marker)
        texts.append(before)
        ordered.append(files[marker])
    return payload, Body((*texts, text), tuple(ordered))


def _with_markers(request: ChatRequest, files: dict[bytes, bytes]) -> ChatRequest:
    if not isinstance(request.messages, tuple) or not any(map(_has_large_file, request.messages)):
        return request
    messages = [
        attrs.evolve(message, parts=tuple(_mark(part, files) for part in message.parts))
        if isinstance(message, Message)
        else message
        for message in request.messages
    ]
    return request.options(messages=messages)


def _has_large_file(message: Any) -> bool:
    return isinstance(message, Message) and any(map(_is_large_file, message.parts))


def _is_large_file(part: Any) -> bool:
    # The anthropic dialect sends a text document as text, not as base64.
    return (
        isinstance(part, _FILE_TYPES)
        and len(part.data or b"") > _LARGE_BYTES
        and not (part.media_type or "").startswith("text/")
    )


def _mark(part: Any, files: dict[bytes, bytes]) -> Any:
    if not _is_large_file(part):
        return part
    marker = os.urandom(_MARKER_BYTES)
    files[base64.b64encode(marker)] = part.data
    return attrs.evolve(part, data=marker)

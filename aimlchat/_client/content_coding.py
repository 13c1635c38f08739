"""The content codings of response bodies: gzip and deflate, decoded piece by piece."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

from aimlchat.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ACCEPTED_CODINGS", "MAX_READ_BYTES", "BodyDecoder", "find_decoder"]

ACCEPTED_CODINGS = "gzip, deflate"
"""The codings that requests accept: those that every Python can decode."""

_GZIP = ("gzip", "x-gzip")
_GZIP_MAGIC = b"\x1f"
_CODINGS = frozenset((*_GZIP, "deflate", "br", "zstd", "compress", "x-compress"))
MAX_READ_BYTES = 64 * 1024
"""How much of a body is read or decoded at once, so that the event loop is not blocked."""

_MAX_INPUT_BYTES = 16 * 1024  # zlib copies the input that it does not consume
_MAX_STEPS = 100  # members of gzip may be empty, and each costs time
_PADDING = re.compile(rb"\0*")
_GZIP_BITS = zlib.MAX_WBITS | 16


def find_decoder(headers: Mapping[str, str]) -> BodyDecoder | None:
    """Return the decoder for a response; None for a body that is not compressed.

    Names that are no codings, such as ``identity`` or ``utf-8``, were seen on plain bodies.
    """
    header = headers["Content-Encoding"]
    names = [name.strip().lower() for name in header.split(",")]
    codings = [name for name in names if name in _CODINGS]
    if not codings:
        return None
    return BodyDecoder(codings[0] if len(codings) == 1 else header)


class BodyDecoder:
    """Decodes a body that has a content coding, in pieces of at most 64 KiB.

    aiohttp would do this, but it treats a coding that it cannot decode as an error in the response
    headers, so that the status is lost; and a few bytes can become gigabytes.
    """

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._is_gzip = coding in _GZIP
        self._pending = memoryview(b"")  # received, not decoded yet
        self._inflater: zlib._Decompress | None = None
        self._is_cut = False  # whether the last piece was full, so that its end may be missing
        self._is_plain = False
        self._has_ended = False  # whether a member of gzip, or all of another body, has ended
        self.fault: ProtocolError | None = None
        """Why the body cannot be decoded any further; None if it can."""
        if not self._is_gzip and coding != "deflate":
            self._fail(f"is compressed with {coding!r}, which was not requested")

    @property
    def has_more(self) -> bool:
        """Whether `take` may return more without further bytes.

        A caller yields to the event loop before each piece.
        """
        return self.fault is None and bool(self._pending or self._is_cut)

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body."""
        self._pending = memoryview(bytes(self._pending) + data if self._pending else data)

    def take(self) -> bytes:
        """Return the next decoded piece; it may be ``b""`` even if there is more."""
        pieces: list[bytes] = []
        size = 0
        for _ in range(_MAX_STEPS):
            if not self.has_more or size == MAX_READ_BYTES:
                break
            inflater = self._inflater = self._inflater or self._begin()
            if inflater is None:
                data, self._pending = bytes(self._pending), memoryview(b"")
                return data if self._is_plain else b"".join(pieces)
            part = self._pending[:_MAX_INPUT_BYTES]
            limit = MAX_READ_BYTES - size
            try:
                piece = inflater.decompress(part, limit)
            except zlib.error as error:
                self._fail(f"is not valid {self._coding} ({error})")
                break
            pieces.append(piece)
            size += len(piece)
            unread = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
            self._pending = self._pending[len(part) - len(unread) :]
            self._is_cut = len(piece) == limit and not inflater.eof
            if inflater.eof:
                self._inflater = None
                self._has_ended = True
        return b"".join(pieces)

    def _begin(self) -> zlib._Decompress | None:
        """Choose how to decode what is pending, by its first byte; None if it is not compressed."""
        data = self._pending
        if self._has_ended:
            # Another member of gzip may follow; anything else is padding.
            padding = _PADDING.match(data)
            self._pending = data = data[padding.end() if padding else 0 :]
            is_member = self._is_gzip and data[:1] == _GZIP_MAGIC
            return zlib.decompressobj(_GZIP_BITS) if is_member else None
        if self._is_gzip:
            # Gateways were seen to decode a body and to forward its Content-Encoding.
            self._is_plain = data[:1] != _GZIP_MAGIC
            return None if self._is_plain else zlib.decompressobj(_GZIP_BITS)
        # Some servers send "deflate" without the header of zlib (RFC 9110, section 8.4.1.2).
        has_header = data[0] & 0x0F == zlib.DEFLATED
        return zlib.decompressobj(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)

    def _fail(self, reason: str) -> None:
        self.fault = ProtocolError(f"the response body {reason}")

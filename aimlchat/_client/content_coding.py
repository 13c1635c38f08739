"""The content codings of response bodies: gzip and deflate, decoded piece by piece."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from aimlchat.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ACCEPTED_CODINGS", "BodyDecoder", "find_decoder"]

ACCEPTED_CODINGS = "gzip, deflate"
"""The codings that requests ask for: those that every Python can decode."""

_GZIP = ("gzip", "x-gzip")
_GZIP_MAGIC = b"\x1f"
_CODINGS = frozenset((*_GZIP, "deflate", "br", "zstd", "compress", "x-compress"))
_MAX_PIECE_BYTES = 1024 * 1024  # limits the memory that a small piece of a bomb takes
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
    """Decodes a body that has a content coding.

    aiohttp would do this, but it takes a coding that it cannot decode for an error in the response
    headers, and the status is lost.
    """

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._is_gzip = coding in _GZIP
        self._pending = b""  # received, not decoded yet
        self._inflater: zlib._Decompress | None = None
        self._is_plain = False
        self._has_ended = False  # whether a member of gzip, or all of another body, has ended
        self.fault: ProtocolError | None = None
        """Why the body cannot be decoded any further; None if it can."""
        if not self._is_gzip and coding != "deflate":
            self._fail(f"is compressed with {coding!r}, which was not asked for")

    @property
    def is_pending(self) -> bool:
        """Whether some of the bytes that it was fed are not decoded yet."""
        return bool(self._pending)

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body."""
        self._pending += data

    def take(self) -> bytes:
        """Return the next decoded piece, of at most 1 MiB; ``b""`` if more bytes are needed."""
        pieces: list[bytes] = []
        size = 0
        while self._pending and self.fault is None and size < _MAX_PIECE_BYTES:
            inflater = self._inflater = self._inflater or self._begin()
            if inflater is None:
                data, self._pending = self._pending, b""
                return data if self._is_plain else b"".join(pieces)
            try:
                pieces.append(inflater.decompress(self._pending, _MAX_PIECE_BYTES - size))
            except zlib.error as error:
                self._fail(f"is not valid {self._coding} ({error})")
                break
            size += len(pieces[-1])
            self._pending = inflater.unconsumed_tail
            if inflater.eof:
                self._pending = inflater.unused_data
                self._inflater = None
                self._has_ended = True
        return b"".join(pieces)

    def _begin(self) -> zlib._Decompress | None:
        """Choose how to decode what is pending, by its first byte; None if it is not compressed."""
        data = self._pending
        if self._has_ended:
            # Another member of gzip may follow; anything else is padding.
            self._pending = data = data.lstrip(b"\0")
            is_member = self._is_gzip and data.startswith(_GZIP_MAGIC)
            return zlib.decompressobj(_GZIP_BITS) if is_member else None
        if self._is_gzip:
            # Gateways were seen to decode a body and to forward its Content-Encoding.
            self._is_plain = not data.startswith(_GZIP_MAGIC)
            return None if self._is_plain else zlib.decompressobj(_GZIP_BITS)
        # Some servers send "deflate" without the header of zlib (RFC 9110, section 8.4.1.2).
        has_header = data[0] & 0x0F == zlib.DEFLATED
        return zlib.decompressobj(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)

    def _fail(self, reason: str) -> None:
        self.fault = ProtocolError(f"the response body {reason}")

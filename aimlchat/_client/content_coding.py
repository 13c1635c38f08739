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
_UNSUPPORTED = ("br", "zstd", "compress", "x-compress")
_MAX_PIECE_BYTES = 1024 * 1024  # limits the memory that a small piece of a bomb takes
_RAW_DEFLATE, _ZLIB, _GZIP_OR_ZLIB = -zlib.MAX_WBITS, zlib.MAX_WBITS, zlib.MAX_WBITS | 32


def find_decoder(headers: Mapping[str, str]) -> BodyDecoder | None:
    """Return the decoder for a response; None for a body that is not compressed.

    Names that are no codings, such as ``identity`` or ``utf-8``, were seen on plain bodies.
    """
    header = headers["Content-Encoding"]
    codings = [coding.strip().lower() for coding in header.split(",")]
    if not {*codings} & {*_GZIP, "deflate", *_UNSUPPORTED}:
        return None
    return BodyDecoder(codings[0] if len(codings) == 1 else header)


class BodyDecoder:
    """Decodes a body that has a content coding.

    aiohttp would do this, but it takes a coding that it cannot decode for an error in the response
    headers, and the status is lost.
    """

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._pending = b""  # received, not decoded yet
        self._inflater: zlib._Decompress | None = None
        self._is_plain = False
        self.fault: ProtocolError | None = None
        """Why the body cannot be decoded any further; None if it can."""
        if coding not in (*_GZIP, "deflate"):
            self._fail(f"is compressed with {coding!r}, which was not asked for")

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body."""
        self._pending += data

    def take(self) -> bytes:
        """Return the next decoded piece, of at most 1 MiB; ``b""`` if more bytes are needed."""
        data, self._pending = self._pending, b""
        if self.fault is not None or not data:
            return b""
        if self._inflater is None and not self._is_plain:
            self._begin(data)
        if self._inflater is None:
            return data
        pieces: list[bytes] = []
        size = 0
        while data and size < _MAX_PIECE_BYTES:
            try:
                pieces.append(self._inflater.decompress(data, _MAX_PIECE_BYTES - size))
            except zlib.error as error:
                self._fail(f"is not valid {self._coding} ({error})")
                break
            size += len(pieces[-1])
            data = self._inflater.unconsumed_tail
            if self._inflater.eof:
                # Another gzip member may follow; anything else there is padding.
                data = self._inflater.unused_data.lstrip(b"\0")
                self._inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._pending = data
        return b"".join(pieces)

    def _begin(self, data: bytes) -> None:
        """Choose how to decode the body by its first byte."""
        if self._coding in _GZIP:
            # Gateways were seen to decode a body and to forward its Content-Encoding.
            self._is_plain = not data.startswith(_GZIP_MAGIC)
            bits = _GZIP_OR_ZLIB
        else:
            # Some servers send "deflate" without the header of zlib (RFC 9110, section 8.4.1.2).
            bits = _ZLIB if data[0] & 0x0F == zlib.DEFLATED else _RAW_DEFLATE
        if not self._is_plain:
            self._inflater = zlib.decompressobj(bits)

    def _fail(self, reason: str) -> None:
        self.fault = ProtocolError(f"the response body {reason}")

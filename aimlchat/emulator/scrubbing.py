"""Removes keys from the exchanges that a cassette keeps."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Scrubber"]

_REPLACEMENT = "[key]"
# `Authorization`, and what other APIs and gateways use instead, such as `x-api-key`.
_SECRET_HEADERS = re.compile(r".*(auth|key|token|secret).*", re.IGNORECASE)
# A shorter key is the placeholder of a server without keys, and may be a word of any text.
_MIN_LENGTH = 8


class Scrubber:
    r"""Replaces the keys of one request, wherever a text quotes them.

    A quoted key may be escaped as in JSON (`\/` or `\u002f` for `/`) or as in a URL (`%2F`).

    Args:
        headers: the request headers, which contain the keys.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        secrets = {
            value.split(maxsplit=1)[-1].strip()  # without a scheme, such as `Bearer`
            for name, value in headers.items()
            if _SECRET_HEADERS.fullmatch(name) and value.strip()
        }
        # The longest first: one of them may be a part of another.
        patterns = [
            _match_escaped(secret)
            for secret in sorted(secrets, key=len, reverse=True)
            if len(secret) >= _MIN_LENGTH
        ]
        self._pattern = re.compile("|".join(patterns).encode()) if patterns else None

    def scrub(self, data: bytes) -> bytes:
        """Return bytes without the keys."""
        return self._pattern.sub(_REPLACEMENT.encode(), data) if self._pattern else data

    def scrub_text(self, text: str) -> str:
        """Return a text without the keys."""
        return self.scrub(text.encode(errors="surrogateescape")).decode(errors="surrogateescape")

    def scrub_pieces(
        self, pieces: Iterable[tuple[float, bytes]]
    ) -> tuple[tuple[float, bytes], ...]:
        """Return the pieces of a body, each with the pause before it, without the keys.

        A body with a key that lies across two pieces becomes a single piece.
        """
        scrubbed = tuple((pause, self.scrub(data)) for pause, data in pieces)
        joined = b"".join(data for _, data in scrubbed)
        whole = self.scrub(joined)
        return scrubbed if whole == joined else ((scrubbed[0][0], whole),)


def _match_escaped(secret: str) -> str:
    """Return a pattern for a key, escaped or not; letters and digits are never escaped."""
    return "".join(char if char.isalnum() else _match_escaped_char(char) for char in secret)


def _match_escaped_char(char: str) -> str:
    codes = "".join(f"%{byte:02x}" for byte in char.encode(errors="surrogateescape"))
    return rf"(?:\\?{re.escape(char)}|(?i:{codes}|\\u{ord(char):04x}))"

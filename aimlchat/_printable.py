"""Makes text from a server safe for messages, logs and terminals."""

from __future__ import annotations

import re

__all__ = [
    "CUT_MARK",
    "escape_controls",
    "excerpt",
    "join_lines",
    "json_escape_controls",
    "shorten",
]

CUT_MARK = "..."
"""Marks where a text was cut. Redaction looks for the beginning of a secret before it."""
_MAX_EXCERPT = 120  # characters or bytes
# Characters that can control a terminal, reorder or hide the text around them, begin a line in some
# viewers, or cannot be encoded: the C0 controls other than tab and line feed, DEL and C1; the line
# and paragraph separators; the embeddings, overrides and isolates of bidirectional text; lone
# surrogates; interlinear annotations; and tags, which are invisible letters. The marks and joiners
# that right-to-left text and emojis need are left alone.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
_MAX_LATIN_1, _MAX_BMP = 0xFF, 0xFFFF


def escape_controls(text: str) -> str:
    r"""Return the text with control characters as escapes, such as ``\x1b`` or ``\u202e``.

    Tabs and line feeds stay. The result can be encoded as UTF-8.
    """
    return text if text.isprintable() else _CONTROL.sub(_escape, text)


def join_lines(text: str) -> str:
    """Return the text as one line, with control characters escaped: it cannot forge a log line."""
    return text if text.isprintable() else escape_controls(" ".join(text.split()))


def json_escape_controls(text: str) -> str:
    r"""Return JSON text with the control characters in its strings as ``\u`` escapes."""
    return text if text.isprintable() else _CONTROL.sub(_json_escape, text)


def shorten(text: str, length: int) -> str:
    """Return a text of at most this length, which ends with `CUT_MARK` if it was cut."""
    return text if len(text) <= length else text[: length - len(CUT_MARK)] + CUT_MARK


def excerpt(data: str | bytes) -> str:
    """Return the ``repr`` of the beginning of a text or a body, to be quoted in a message."""
    beginning = repr(data[:_MAX_EXCERPT])
    return beginning if len(data) <= _MAX_EXCERPT else beginning + CUT_MARK


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code <= _MAX_LATIN_1:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= _MAX_BMP else f"\\U{code:08x}"


def _json_escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{high:02x}{low:02x}" for high, low in zip(*[iter(units)] * 2, strict=True))

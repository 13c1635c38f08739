"""Recognizes text in UTF-16 and UTF-32, which some editors and shells of Windows write."""

from __future__ import annotations

__all__ = ["find_wide_encoding"]

# Longer marks come first: the mark of UTF-32 begins with that of UTF-16.
_BYTE_ORDER_MARKS = (
    (b"\xff\xfe\0\0", "UTF-32"),
    (b"\0\0\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
# Text in other scripts has fewer zeros than ASCII.
_MIN_SHARE_OF_ZEROS = 0.25


def find_wide_encoding(sample: bytes) -> str | None:
    """Return the name of the encoding, as `iconv` takes it, if text is UTF-16 or UTF-32.

    Args:
        sample: the first bytes of the text.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if sample.startswith(mark):
            return encoding
    # In UTF-16, every other byte of an ASCII character is zero.
    for encoding, zeros, characters in (
        ("UTF-16LE", sample[1::2], sample[::2]),
        ("UTF-16BE", sample[::2], sample[1::2]),
    ):
        if zeros.count(0) > len(zeros) * _MIN_SHARE_OF_ZEROS and b"\0" not in characters:
            return encoding
    return None

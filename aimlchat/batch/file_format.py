"""Formats that are not lines of JSON in UTF-8, recognized by how a file begins."""

from __future__ import annotations

import re

from aimlchat._wide_encodings import find_wide_encoding

__all__ = ["BYTE_ORDER_MARK", "SAMPLE_SIZE", "describe_format", "strip_line"]

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
SAMPLE_SIZE = 64 * 1024
"""How many bytes from the beginning of a file decide its format."""

_SIGNATURES = (
    (b"\x1f\x8b", "compressed with gzip", "decompress it, as in: zcat {name} | aimlchat batch -"),
    (b"BZh", "compressed with bzip2", "decompress it, as in: bzcat {name} | aimlchat batch -"),
    (b"\xfd7zXZ\0", "compressed with xz", "decompress it, as in: xzcat {name} | aimlchat batch -"),
    (b"(\xb5/\xfd", "compressed with zstd", "decompress it: zstdcat {name} | aimlchat batch -"),
    (b"PK\x03\x04", "a ZIP archive or an Excel file", "export it as lines of JSON"),
    (b"PAR1", "a Parquet file", "export it as lines of JSON"),
)
_JSON_ARRAY = re.compile(rb"\s*\[\s*[\[{\]]|\s*\[\s*$")


def describe_format(sample: bytes, name: str) -> str | None:
    """Return what a file is and what to do about it; None if it may hold lines of JSON.

    Args:
        sample: the first `SAMPLE_SIZE` bytes of the file.
        name: its name, for the advice.
    """
    for signature, description, advice in _SIGNATURES:
        if sample.startswith(signature):
            return f"it is {description}, not lines of JSON; {advice.format(name=name)}"
    if encoding := find_wide_encoding(sample):
        return f"it is {encoding}, not UTF-8; convert it: iconv -f {encoding} -t UTF-8 {name}"
    if b"\0" in sample:
        position = sample.index(b"\0")
        return f"it is binary (byte {position} is zero), not lines of JSON in UTF-8"
    if _JSON_ARRAY.match(sample.removeprefix(BYTE_ORDER_MARK)):
        return (
            "it is a JSON array, not one JSON object per line; convert it:"
            f" jq -c '.[]' {name} | aimlchat batch -"
        )
    return None


def strip_line(line: bytes) -> bytes:
    """Return a line without the byte order mark that an editor or ``cat`` has left in it.

    White space is removed as well, except after an object, where JSON allows it.
    """
    if line.startswith(b"{"):
        return line
    return line.strip().removeprefix(BYTE_ORDER_MARK).strip()

"""The errors of responses that are larger than ``Limits.max_answer_bytes``."""

from __future__ import annotations

from aimlchat.errors import ProtocolError

__all__ = ["body_too_large", "stream_too_large"]

_ADVICE = "if that is wanted, raise Limits(max_answer_bytes=...)"


def body_too_large(limit: int) -> ProtocolError:
    """Return the error for a body that was to be read whole."""
    return ProtocolError(f"the response body exceeds {limit:,} bytes; {_ADVICE}")


def stream_too_large(limit: int) -> ProtocolError:
    """Return the error for a stream whose text, arguments and media together are too large."""
    return ProtocolError(f"the content of the stream exceeds {limit:,} bytes; {_ADVICE}")

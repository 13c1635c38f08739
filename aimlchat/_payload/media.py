"""Images, documents and audio as a dialect's file needs them: known to be whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .json_values import refuse, text

if TYPE_CHECKING:
    from aimlchat.content import Audio, Document, Image

__all__ = ["held", "remote"]


def remote(part: Image | Document | Audio, field: str) -> str | None:
    """Return the URL of remote data, None for data that is here."""
    return None if part.url is None else text(part.url, field)


def held(part: Image | Document | Audio, field: str) -> str:
    """Return the media type of data that is here, or refuse a part with no data or type."""
    if not isinstance(part.data, bytes) or not part.data or not isinstance(part.media_type, str):
        kind = type(part).__name__
        msg = f"the {kind} has no bytes or no media type; make it with {kind}.from_bytes(data)"
        refuse(msg, field)
    return text(part.media_type, field)

"""Checks of images, documents and audio that both dialects need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .json_values import check_text, refuse

if TYPE_CHECKING:
    from aimlchat.content import Audio, Document, Image

__all__ = ["check_url", "require_media_type"]


def check_url(part: Image | Document | Audio, field: str) -> str | None:
    """Check and return the URL of remote data; None if the part has the data itself."""
    return None if part.url is None else check_text(part.url, field)


def require_media_type(part: Image | Document | Audio, field: str) -> str:
    """Return the media type of the data in the part.

    Raises `InvalidRequestError` for a part without data or media type, which only a direct call of
    the class can create: the ``from_`` constructors set both.
    """
    if not isinstance(part.data, bytes) or not part.data or not isinstance(part.media_type, str):
        kind = type(part).__name__
        msg = f"the {kind} has no bytes or no media type; make it with {kind}.from_bytes(data)"
        refuse(msg, field)
    return check_text(part.media_type, field)

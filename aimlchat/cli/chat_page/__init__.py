"""The chat page of ``aimlchat serve``, and the server behind it."""

from __future__ import annotations

from .page_server import PageServer

__all__ = ["PageServer"]

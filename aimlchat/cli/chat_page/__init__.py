"""The chat page behind ``aimlchat serve``: the page itself, and the server that answers it."""

from __future__ import annotations

from .site import Site

__all__ = ["Site"]

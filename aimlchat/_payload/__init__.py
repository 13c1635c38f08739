"""The two dialects of one endpoint, and which of them a model takes.

A dialect is a function from plain parts and parameters to the JSON body; what it cannot say it
refuses as `InvalidRequestError`, with the field's name and the way out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import anthropic, openai
from .models import TABLE, Dialect, Mode, Row, route, row_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PAYLOADS", "TABLE", "Dialect", "Mode", "Row", "route", "row_of"]

PAYLOADS: dict[Dialect, Callable[..., dict[str, Any]]] = {
    "anthropic": anthropic.payload,
    "openai": openai.payload,
}

"""The names and ids of tool calls that are sent back, in characters that the API accepts.

A model may write any name, such as ``functions.search``, and other vendors have other ids, such as
``functions.search:0``. The API refuses the whole conversation for one of them.
"""

from __future__ import annotations

import re
import zlib
from typing import Any

from aimlchat.tool_types import TOOL_NAME

from .json_values import check_text
from .limits import check_call_id

__all__ = ["build_call_id", "build_call_name"]

_NAME = re.compile(TOOL_NAME)
_ID = re.compile("[A-Za-z0-9_-]+")
_OTHERS = re.compile("[^A-Za-z0-9_-]")
_MAX_NAME = 64


def build_call_name(value: Any, field: str) -> str:
    """Return the name of a call; in one that the API would refuse, characters become ``_``."""
    if isinstance(value, str):
        return value if _NAME.fullmatch(value) else _OTHERS.sub("_", value)[:_MAX_NAME] or "_"
    return check_text(value, field)  # which refuses it


def build_call_id(value: Any, field: str) -> str:
    """Return the id of a call, or of its result, in a form that Claude accepts.

    A checksum distinguishes ids that differ only in characters that Claude refuses.
    """
    call_id = check_call_id(value, field)
    if _ID.fullmatch(call_id):
        return call_id
    return f"{_OTHERS.sub('_', call_id)}_{zlib.crc32(call_id.encode()):08x}"

"""The AI/ML API on loopback, for tests, demos and a first look without a key.

The emulator shares no code with the client; otherwise both could misread the wire format in the
same way, and the tests would still pass. aiohttp is loaded when `Emulator` is first used, because
pytest imports this package in every run.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .faults import (
        BrokenJson,
        Cut,
        ErrorEvent,
        ErrorStatus,
        Fault,
        Html,
        NoAnswer,
        OneByte,
        Pings,
        SlowClose,
        Stall,
        Trickle,
        WrongLength,
    )
    from .records import RequestRecord
    from .script import Reply
    from .server import Emulator

__all__ = [
    "BrokenJson",
    "Cut",
    "Emulator",
    "ErrorEvent",
    "ErrorStatus",
    "Fault",
    "Html",
    "NoAnswer",
    "OneByte",
    "Pings",
    "Reply",
    "RequestRecord",
    "SlowClose",
    "Stall",
    "Trickle",
    "WrongLength",
]

_MODULES = dict.fromkeys(__all__, ".faults") | {
    "Emulator": ".server",
    "Reply": ".script",
    "RequestRecord": ".records",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(_MODULES[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""The AI/ML API on loopback, for tests, demos and a first look without a key.

It shares no code with the client: a wire format that both sides misread alike would test green.
Nothing heavy is loaded before `Emulator` is first used, for this package is also a pytest plugin.
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
    "RequestRecord",
    "SlowClose",
    "Stall",
    "Trickle",
    "WrongLength",
]

_HOMES = dict.fromkeys(__all__, ".faults") | {
    "Emulator": ".server",
    "RequestRecord": ".records",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

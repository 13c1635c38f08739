"""JSON values: frozen when a request takes them in, checked and plain when they go out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NoReturn, Self

from aimlchat.errors import InvalidRequestError

__all__ = [
    "HIGHEST",
    "LOWEST",
    "MAX_DEPTH",
    "FrozenDict",
    "freeze",
    "is_mapping",
    "plain",
    "refuse",
    "shown",
    "text",
]

# Far deeper than any schema or message, and far from where Python's own stack ends, which a
# service may have filled halfway before it calls us.
MAX_DEPTH = 100
# What the integers of the JSON encoders hold, ours included.
LOWEST, HIGHEST = -(2**63), 2**64 - 1
_HUGE_BITS = 256
_SHOWN = 60


def refuse(message: str, field: str) -> NoReturn:
    """Raise the error for a field that the API would refuse."""
    raise InvalidRequestError(message, field=field)


def shown(value: Any) -> str:
    """Describe what came in a few words; never raises, however odd or large the value is."""
    if isinstance(value, str):
        return repr(value[:_SHOWN]) + ("..." if len(value) > _SHOWN else "")
    if isinstance(value, int) and value.bit_length() > _HUGE_BITS:
        return "a huge integer"
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    return f"an object of type {type(value).__name__}"


class FrozenDict(dict[str, Any]):
    """A dict that refuses to change, so that requests can share it."""

    __slots__ = ()

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        msg = "a request cannot be changed; .options() returns a changed copy"
        raise TypeError(msg)

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type[Self], tuple[dict[str, Any]]]:
        return type(self), (dict(self),)

    def __deepcopy__(self, _: dict[int, Any]) -> Self:
        return self


def is_mapping(value: Any) -> bool:
    """Return whether the value is what JSON calls an object."""
    return isinstance(value, dict) or isinstance(value, Mapping)  # noqa: SIM101 - dict is quicker


def freeze(value: Any) -> Any:
    """Copy what can change: mappings become `FrozenDict`, lists and tuples become tuples.

    Everything else is kept as it is: what JSON cannot hold is refused by `plain`.
    """
    return _frozen(value, set())


def _frozen(value: Any, around: set[int]) -> Any:
    if value is None or isinstance(value, (str, FrozenDict)):
        return value
    mapping = is_mapping(value)
    if not mapping and not isinstance(value, (list, tuple)):
        return value
    if id(value) in around or len(around) > MAX_DEPTH:
        return value  # it holds itself, or is too deep: `plain` refuses both
    around.add(id(value))
    if mapping:
        frozen: Any = FrozenDict({key: _frozen(item, around) for key, item in value.items()})
    else:
        frozen = tuple([_frozen(item, around) for item in value])
    around.discard(id(value))
    return frozen


def text(value: Any, field: str) -> str:
    """Return a text that can be sent."""
    if type(value) is str and value.isascii():
        return value
    if not isinstance(value, str):
        refuse(f"{shown(value)} is not text; give a str", field)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            msg = (
                f"the text has a lone surrogate, {value[error.start]!r} at index {error.start},"
                " which UTF-8 cannot carry; mend it where the text was cut or decoded, or use"
                " text.encode(errors='replace').decode()"
            )
            raise InvalidRequestError(msg, field=field) from error
    return value if type(value) is str else str.__str__(value)


def plain(value: Any, field: str) -> Any:
    """Return a JSON value as a fresh copy in plain types, or refuse what JSON cannot hold."""
    return _plain(value, field, field, 0)


def _plain(value: Any, field: str, root: str, depth: int) -> Any:
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return text(value, field)
    if isinstance(value, int):
        if not LOWEST <= value <= HIGHEST:
            refuse(f"{shown(value)} does not fit into 64 bits; send it as a string", field)
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            refuse(f"{value!r} is not a number that JSON can hold; give a finite one", field)
        return float(value)
    mapping = is_mapping(value)
    if not mapping and not isinstance(value, (list, tuple)):
        msg = f"{shown(value)} is not a JSON value; give str, int, float, bool, None, list or dict"
        refuse(msg, field)
    if depth >= MAX_DEPTH:
        # Named by its root, since the path to such a depth would fill a page.
        msg = f"it is nested deeper than {MAX_DEPTH} levels, or holds itself; make it flatter"
        refuse(msg, root)
    if mapping:
        return {
            key if type(key) is str and key.isascii() else _key(key, field): (
                # Most of what a request holds: no path has to be named for what cannot be wrong.
                item
                if type(item) is str and item.isascii()
                else _plain(item, f"{field}.{key}", root, depth + 1)
            )
            for key, item in value.items()
        }
    return [_plain(item, f"{field}[{place}]", root, depth + 1) for place, item in enumerate(value)]


def _key(key: Any, field: str) -> str:
    if not isinstance(key, str):
        refuse(f"the key {shown(key)} is not text; JSON has only str keys", field)
    return text(key, field)

"""Which recorded request is nearest to another one, and where the two differ."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from .encoding import dump_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["describe_nearest", "find_differences"]

_MAX_NAMED = 3
_MAX_SHOWN = 40
_CONTEXT = 10
_MAX_COMPARED = 2000
_ABSENT = object()


def describe_nearest(
    request: Mapping[str, Any], recorded: Sequence[tuple[int, Mapping[str, Any]]]
) -> str:
    """Name the line of the nearest recorded request, and up to three differences.

    Args:
        request: the members of the request that was not found.
        recorded: the numbers of the lines, and the members of the requests in them.
    """
    if not recorded:
        return "nothing is recorded in it"
    number, nearest = max(recorded, key=lambda line: _rate(request, line[1]))
    differences = list(find_differences(request, nearest))
    named = "; ".join(differences[:_MAX_NAMED])
    more = len(differences) - _MAX_NAMED
    rest = f"; and {more} more" if more > 0 else ""
    return f"the nearest is in line {number}, where {named}{rest}"


def find_differences(value: Any, recorded: Any, path: str = "") -> Iterator[str]:
    """Yield a phrase for each path where two JSON values differ."""
    if isinstance(value, dict) and isinstance(recorded, dict):
        for name in {**recorded, **value}:
            inner = f"{path}.{name}" if path else str(name)
            yield from find_differences(
                value.get(name, _ABSENT), recorded.get(name, _ABSENT), inner
            )
    elif isinstance(value, list) and isinstance(recorded, list):
        for index in range(max(len(value), len(recorded))):
            yield from find_differences(
                value[index] if index < len(value) else _ABSENT,
                recorded[index] if index < len(recorded) else _ABSENT,
                f"{path}[{index}]",
            )
    elif recorded is _ABSENT:
        yield f"{path} is absent, not {_shorten(value, '')}"
    elif value is _ABSENT:
        yield f"{path} is {_shorten(recorded, '')}, not absent"
    elif type(value) is not type(recorded) or value != recorded:
        yield f"{path} is {_shorten(recorded, value)}, not {_shorten(value, recorded)}"


def _rate(request: Mapping[str, Any], recorded: Mapping[str, Any]) -> tuple[bool, float, float]:
    """Rate how near a recorded request is; a greater value is nearer."""
    is_same_endpoint = all(request[name] == recorded[name] for name in ("method", "path"))
    difference_count = sum(1 for _ in find_differences(request, recorded))
    ours, theirs = (dump_json(value)[:_MAX_COMPARED] for value in (request, recorded))
    likeness = SequenceMatcher(None, ours, theirs, autojunk=False).quick_ratio()
    return is_same_endpoint, likeness, -difference_count


def _shorten(value: Any, other: Any) -> str:
    """Return a value as JSON; of a long text the part around the first difference to another."""
    if not isinstance(value, str) or len(value) <= _MAX_SHOWN:
        text = dump_json(value)
        return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
    start = 0
    if isinstance(other, str):
        pairs = enumerate(zip(value, other, strict=False))
        common = next((index for index, (a, b) in pairs if a != b), min(len(value), len(other)))
        start = max(0, common - _CONTEXT)
    part = value[start : start + _MAX_SHOWN]
    return f"{'…' * (start > 0)}{dump_json(part)}{'…' * (start + _MAX_SHOWN < len(value))}"

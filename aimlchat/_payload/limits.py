"""The limits of single parameters: each check takes a value and its field, and returns it plain.

A check says what came, what the limit is, and what to give instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .json_values import HIGHEST, LOWEST, is_mapping, plain, refuse, shown, text

__all__ = [
    "Check",
    "audio",
    "flag",
    "logit_bias",
    "mapping",
    "metadata",
    "modalities",
    "name",
    "number",
    "response_format",
    "stops",
    "whole",
    "word",
]

Check = Callable[[Any, str], Any]

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MODALITIES = ("text", "audio")
_FORMATS = ("text", "json_object", "json_schema")


def number(low: float, high: float, *, where: str = "") -> Check:
    """Make a check for a real number in a range; ``where`` says for whom the range holds."""

    def check(value: Any, field: str) -> int | float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            refuse(f"{shown(value)} is not a number; give an int or a float", field)
        if not low <= value <= high:  # which no NaN is
            refuse(f"it is {shown(value)}; give a number from {low:g} to {high:g}{where}", field)
        return int(value) if isinstance(value, int) else float(value)

    return check


def whole(low: int | None = None, high: int | None = None) -> Check:
    """Make a check for a whole number in a range, which may be open."""
    wanted = "an int" if low is None else f"an int of at least {low}"
    lowest = LOWEST if low is None else low
    highest = HIGHEST if high is None else high
    wanted += " that fits into 64 bits" if high is None else f" and at most {high}"

    def check(value: Any, field: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            refuse(f"{shown(value)} is not a whole number; give {wanted}", field)
        if not lowest <= value <= highest:
            refuse(f"it is {shown(value)}; give {wanted}", field)
        return int(value)

    return check


def flag(value: Any, field: str) -> bool:
    """Check for True or False."""
    if not isinstance(value, bool):
        refuse(f"{shown(value)} is neither True nor False", field)
    return value


def word(value: Any, field: str) -> str:
    """Check for a text that is not blank."""
    given = text(value, field)
    if not given.strip():
        refuse("the text is blank; give a word, or leave the field out", field)
    return given


def name(value: Any, field: str) -> str:
    """Check for a name as tools and JSON schemas have it."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        refuse(f"{shown(value)} is not a name; give 1 to 64 of A-Z a-z 0-9 _ -", field)
    return text(value, field)


def mapping(value: Any, field: str) -> dict[str, Any]:
    """Check for a dict with nothing in it that JSON cannot hold."""
    if not is_mapping(value):
        refuse(f"{shown(value)} is not a dict", field)
    given: dict[str, Any] = plain(value, field)
    return given


def stops(most: int | None = None) -> Check:
    """Make a check for one stop text or a list of at most so many."""

    def check(value: Any, field: str) -> str | list[str]:
        if isinstance(value, str):
            return _stop(value, field)
        if not isinstance(value, (list, tuple)):
            refuse(f"{shown(value)} is neither a str nor a list of them", field)
        if most is not None and len(value) > most:
            refuse(f"{len(value)} stop texts; give at most {most}", field)
        return [_stop(item, f"{field}[{place}]") for place, item in enumerate(value)]

    return check


def _stop(value: Any, field: str) -> str:
    given = text(value, field)
    if not given:
        refuse("the stop text is empty and would stop everything; give a text or leave it", field)
    return given


def logit_bias(value: Any, field: str) -> dict[str, int | float]:
    """Check for biases from -100 to 100 by token; a token's number may be an int or a str."""
    if not is_mapping(value):
        refuse(f"{shown(value)} is not a dict of token numbers to biases", field)
    bias = number(-100, 100)
    found = {}
    for token, given in value.items():
        if isinstance(token, bool) or not isinstance(token, (int, str)):
            refuse(f"the key {shown(token)} is not a token's number", field)
        key = text(token if isinstance(token, str) else str(plain(token, field)), field)
        found[key] = bias(given, f"{field}.{key}")
    return found


def metadata(value: Any, field: str) -> dict[str, str]:
    """Check for a dict of str to str."""
    given = mapping(value, field)
    for key, item in given.items():
        if not isinstance(item, str):
            refuse(f"{shown(item)} is not text; metadata is str to str", f"{field}.{key}")
    return given


def response_format(value: Any, field: str) -> dict[str, Any]:
    """Check the shape of a response format, and the name of its schema."""
    given = mapping(value, field)
    if given.get("type") not in _FORMATS:
        msg = f"{shown(given.get('type'))} is no format; give one of {', '.join(_FORMATS)}"
        refuse(msg, f"{field}.type")
    if given["type"] == "json_schema":
        schema = given.get("json_schema")
        at = f"{field}.json_schema"
        if not isinstance(schema, dict):
            refuse(f"{shown(schema)} is no schema; give {{'name': ..., 'schema': {{...}}}}", at)
        name(schema.get("name"), f"{at}.name")
        if schema.get("schema") is not None and not isinstance(schema["schema"], dict):
            refuse(f"{shown(schema['schema'])} is not a dict", f"{at}.schema")
        if schema.get("strict") is not None:
            flag(schema["strict"], f"{at}.strict")
    return given


def modalities(value: Any, field: str) -> list[str]:
    """Check for a list of text and audio."""
    if not isinstance(value, (list, tuple)) or not value:
        refuse(f"{shown(value)} is not a list of modalities; give ['text', 'audio']", field)
    for place, item in enumerate(value):
        if item not in _MODALITIES:
            refuse(f"{shown(item)} is neither 'text' nor 'audio'", f"{field}[{place}]")
    return [text(item, field) for item in value]


def audio(value: Any, field: str) -> dict[str, Any]:
    """Check that the audio answer's format and voice are there."""
    given = mapping(value, field)
    word(given.get("format"), f"{field}.format")
    if not isinstance(given.get("voice"), dict):
        word(given.get("voice"), f"{field}.voice")
    return given

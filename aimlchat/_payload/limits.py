"""Checks of the limits of single parameters.

A check takes a value and the path of its field, and returns the value in plain types. If the value
exceeds the limit, it raises `InvalidRequestError`, whose message gives the value, the limit and an
alternative. The ``build_`` functions return a check for the bounds in their arguments.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from aimlchat.tool_types import TOOL_NAME

from .json_values import (
    MAX_INTEGER,
    MIN_INTEGER,
    check_text,
    describe,
    is_mapping,
    refuse,
    to_json_value,
)

__all__ = [
    "Check",
    "build_integer_check",
    "build_number_check",
    "build_stop_check",
    "check_audio",
    "check_boolean",
    "check_call_id",
    "check_dict",
    "check_logit_bias",
    "check_metadata",
    "check_modalities",
    "check_model",
    "check_name",
    "check_non_blank",
    "check_response_format",
    "is_default",
]

Check = Callable[[Any, str], Any]

_NAME = re.compile(TOOL_NAME)
_MODALITIES = ("text", "audio")
_RESPONSE_FORMATS = ("text", "json_object", "json_schema")


def build_number_check(low: float, high: float, *, note: str = "") -> Check:
    """Return a check for an int or a float from ``low`` to ``high``.

    ``note`` is appended to the error message, to say which dialect has another range.
    """

    def check(value: Any, field: str) -> int | float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            refuse(f"{describe(value)} is not a number; give an int or a float", field)
        if not low <= value <= high:  # Also true for NaN.
            refuse(f"it is {describe(value)}; give a number from {low:g} to {high:g}{note}", field)
        return int(value) if isinstance(value, int) else float(value)

    return check


def build_integer_check(low: int | None = None, high: int | None = None) -> Check:
    """Return a check for an int from ``low`` to ``high``; None means the bound of 64 bits."""
    wanted = "an int" if low is None else f"an int of at least {low}"
    lowest = MIN_INTEGER if low is None else low
    highest = MAX_INTEGER if high is None else high
    wanted += " that fits into 64 bits" if high is None else f" and at most {high}"

    def check(value: Any, field: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            refuse(f"{describe(value)} is not a whole number; give {wanted}", field)
        if not lowest <= value <= highest:
            refuse(f"it is {describe(value)}; give {wanted}", field)
        return int(value)

    return check


def build_stop_check(max_count: int | None = None) -> Check:
    """Return a check for a stop text, or a list of up to ``max_count``; None for any number."""

    def check(value: Any, field: str) -> str | list[str]:
        if isinstance(value, str):
            return _check_stop_text(value, field)
        if not isinstance(value, (list, tuple)):
            refuse(f"{describe(value)} is neither a str nor a list of str", field)
        if max_count is not None and len(value) > max_count:
            refuse(f"there are {len(value)} stop texts; give at most {max_count}", field)
        return [_check_stop_text(item, f"{field}[{index}]") for index, item in enumerate(value)]

    return check


def _check_stop_text(value: Any, field: str) -> str:
    stop = check_text(value, field)
    if not stop:
        msg = "the stop text is empty, which would match at once; give a text, or leave it out"
        refuse(msg, field)
    return stop


def check_boolean(value: Any, field: str) -> bool:
    """Check that a value is True or False."""
    if not isinstance(value, bool):
        refuse(f"{describe(value)} is neither True nor False", field)
    return value


def check_non_blank(value: Any, field: str) -> str:
    """Check that a value is text, and not only white space."""
    text = check_text(value, field)
    if not text.strip():
        refuse("the text is blank; give a value, or leave the field out", field)
    return text


def check_model(value: Any) -> str:
    """Check the name of a model: text without white space at its ends or control characters."""
    model = check_non_blank(value, "model")
    if model != model.strip() or not model.isprintable():
        msg = f"{describe(model)} holds white space at an end or a control character; remove it"
        refuse(msg, "model")
    return model


def check_name(value: Any, field: str) -> str:
    """Check the name of a tool or a JSON schema: 1 to 64 of ``A-Z a-z 0-9 _ -``."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        refuse(f"{describe(value)} is not a name; give 1 to 64 of A-Z a-z 0-9 _ -", field)
    return check_text(value, field)


def check_call_id(value: Any, field: str) -> str:
    """Check the id of a tool call, by which a result refers to its call."""
    if not isinstance(value, str) or not value.strip():
        msg = f"{describe(value)} is not the id of a tool call; give the text that links the call"
        refuse(f"{msg} to its result", field)
    return check_text(value, field)


def check_dict(value: Any, field: str) -> dict[str, Any]:
    """Check that a value is a dict of JSON values."""
    if not is_mapping(value):
        refuse(f"{describe(value)} is not a dict", field)
    checked: dict[str, Any] = to_json_value(value, field)
    return checked


def is_default(value: Any, default: Any) -> bool:
    """Return whether a value is this default, so that it requests nothing; False for no default.

    Frameworks send every option, even options at their defaults.
    """
    if is_mapping(value) and isinstance(default, dict):
        return {key: item for key, item in value.items() if item is not None} == default
    if isinstance(value, list | tuple) and isinstance(default, list):
        return list(value) == default
    if isinstance(value, bool) or isinstance(default, bool):
        return value is default
    return isinstance(value, int | float) and isinstance(default, int) and value == default


def check_logit_bias(value: Any, field: str) -> dict[str, int | float]:
    """Check biases from -100 to 100 by token id; an id may be an int or a str."""
    if not is_mapping(value):
        refuse(f"{describe(value)} is not a dict of token ids to biases", field)
    check_bias = build_number_check(-100, 100)
    biases = {}
    for token, bias in value.items():
        if isinstance(token, bool) or not isinstance(token, (int, str)):
            refuse(f"the key {describe(token)} is not a token id; give an int or a str", field)
        token_id = token if isinstance(token, str) else str(to_json_value(token, field))
        key = check_text(token_id, field)
        biases[key] = check_bias(bias, f"{field}.{key}")
    return biases


def check_metadata(value: Any, field: str) -> dict[str, str]:
    """Check that a value is a dict of str to str."""
    metadata = check_dict(value, field)
    for key, item in metadata.items():
        if not isinstance(item, str):
            refuse(f"{describe(item)} is not text; metadata is str to str", f"{field}.{key}")
    return metadata


def check_response_format(value: Any, field: str) -> dict[str, Any]:
    """Check the type of a response format, and for ``json_schema`` the schema's name and form.

    The name may be missing, and the schema may be next to the type: some servers accept that.
    """
    response_format = check_dict(value, field)
    kind = response_format.get("type")
    if kind not in _RESPONSE_FORMATS:
        msg = f"{describe(kind)} is not a response format; give one of"
        refuse(f"{msg} {', '.join(_RESPONSE_FORMATS)}", f"{field}.type")
    if kind == "json_schema" and not isinstance(response_format.get("schema"), dict):
        _check_json_schema(response_format.get("json_schema"), f"{field}.json_schema")
    return response_format


def _check_json_schema(value: Any, field: str) -> None:
    if not isinstance(value, dict):
        refuse(f"{describe(value)} is not a dict; give {{'name': ..., 'schema': {{...}}}}", field)
    if value.get("name") is not None:
        check_name(value["name"], f"{field}.name")
    schema, strict = value.get("schema"), value.get("strict")
    if schema is not None and not isinstance(schema, dict):
        refuse(f"{describe(schema)} is not a dict", f"{field}.schema")
    if strict is not None:
        check_boolean(strict, f"{field}.strict")


def check_modalities(value: Any, field: str) -> list[str]:
    """Check that a value is a list of ``text`` and ``audio``, and not empty."""
    if not isinstance(value, (list, tuple)) or not value:
        refuse(f"{describe(value)} is not a list of modalities; give ['text', 'audio']", field)
    for index, item in enumerate(value):
        if item not in _MODALITIES:
            refuse(f"{describe(item)} is neither 'text' nor 'audio'", f"{field}[{index}]")
    return [check_text(item, field) for item in value]


def check_audio(value: Any, field: str) -> dict[str, Any]:
    """Check that the settings of audio output have a format and a voice."""
    audio = check_dict(value, field)
    check_non_blank(audio.get("format"), f"{field}.format")
    # A voice is a name, or a dict with the id of a custom voice.
    if not isinstance(audio.get("voice"), dict):
        check_non_blank(audio.get("voice"), f"{field}.voice")
    return audio

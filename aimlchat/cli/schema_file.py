"""Reads the JSON schema of ``ask --schema``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from .errors import CommandInputError, describe_os_error

__all__ = ["load_response_format", "read_schema"]

_MAX_NAME = 64
# The keywords whose values are schemas, one or a list or a mapping of them.
_MAPPINGS = ("properties", "$defs", "definitions")
_SUBSCHEMAS = (*_MAPPINGS, "items", "anyOf", "prefixItems")
# Strict answers need one of the former in every schema, and accept none of the latter.
_KINDS = {"type", "enum", "const", "anyOf", "$ref"}
_NOT_STRICT = {"oneOf", "allOf", "not", "if", "dependentRequired", "dependentSchemas"}


def load_response_format(path: str) -> dict[str, Any]:
    """Return the ``response_format`` that requests an answer that fits the schema in a file.

    It is strict if the schema has the form that strict answers need: it is an object, all of its
    objects are closed, and all properties are required. Raises `CommandInputError` for a file that
    contains no schema.
    """
    name, schema = read_schema(path)
    named: dict[str, Any] = {"name": name, "schema": schema}
    if schema.get("type") == "object" and _is_closed(schema):
        named["strict"] = True
    return {"type": "json_schema", "json_schema": named}


def read_schema(path: str) -> tuple[str, dict[str, Any]]:
    """Return the name and the schema in a file. Raises `CommandInputError`."""
    schema = _read_object(path)
    title = schema.get("title")
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", title if isinstance(title, str) else Path(path).stem)
    return name.strip("_")[:_MAX_NAME] or "answer", schema


def _read_object(path: str) -> dict[str, Any]:
    try:
        schema = json.loads(Path(path).read_bytes())
    except OSError as error:
        msg = f"--schema {path}: it cannot be read: {describe_os_error(error)}"
        raise CommandInputError(msg) from error
    except json.JSONDecodeError as error:
        msg = f"--schema {path}: line {error.lineno}, column {error.colno}: {error.msg}"
        raise CommandInputError(msg) from error
    except (UnicodeDecodeError, RecursionError) as error:
        msg = f"--schema {path}: it is not JSON in UTF-8"
        raise CommandInputError(msg) from error
    if not isinstance(schema, dict):
        msg = f'--schema {path}: a JSON schema is an object, as in {{"type": "object"}}'
        raise CommandInputError(msg)
    return schema


def _is_closed(schema: Any) -> bool:
    """Return whether every object of a schema is closed, and all its properties are required."""
    if isinstance(schema, list):
        return all(map(_is_closed, schema))
    if not isinstance(schema, dict):
        return True
    if not _KINDS & schema.keys() or _NOT_STRICT & schema.keys():
        return False
    is_object = schema.get("type") == "object" or schema.get("properties") is not None
    return (not is_object or _requires_all(schema)) and all(
        _is_closed(
            list(value.values()) if keyword in _MAPPINGS and isinstance(value, dict) else value
        )
        for keyword in _SUBSCHEMAS
        if (value := schema.get(keyword)) is not None
    )


def _requires_all(schema: dict[str, Any]) -> bool:
    """Return whether an object is closed, and all its properties are required."""
    properties, required = schema.get("properties"), schema.get("required")
    return (
        schema.get("additionalProperties") is False
        and isinstance(properties, dict)
        and isinstance(required, list)
        and not set(properties) - set(map(str, required))
    )

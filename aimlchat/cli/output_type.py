"""The type of the answers of ``aimlchat batch``: a Python type, or a JSON schema in a file."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import click

from aimlchat._schema.errors import DecodeError, SchemaError, describe_value, join_path
from aimlchat._schema.output_types import OutputType, read_output_type
from aimlchat._schema.plain_outputs import SchemaNode

from .errors import CommandInputError
from .importing import import_object
from .schema_file import read_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["load_output_type"]


def load_output_type(name: str | None, schema_path: str | None) -> OutputType | None:
    """Return the type that ``--output-type`` or ``--schema`` names, None without both.

    Raises `click.UsageError` for a type, and `CommandInputError` for a file, that cannot be used.
    """
    if name is None:
        return None if schema_path is None else _load_schema(schema_path)
    if schema_path is not None:
        msg = "--output-type and --schema exclude each other; give one of them."
        raise click.UsageError(msg)
    try:
        return read_output_type(import_object(name, "--output-type"))
    except SchemaError as error:
        msg = f"--output-type {name!r} cannot be the type of answers: {error}."
        raise click.UsageError(msg) from error


def _load_schema(path: str) -> OutputType:
    try:
        from jsonschema import Draft202012Validator  # noqa: PLC0415 - few commands need it
        from jsonschema.exceptions import SchemaError as InvalidSchema  # noqa: PLC0415
    except ImportError as error:
        msg = "--schema needs the package jsonschema: pip install '.[cli]'"
        raise CommandInputError(msg) from error
    name, schema = read_schema(path)
    try:
        Draft202012Validator.check_schema(schema)
    except InvalidSchema as error:
        where = _join_keys(error.absolute_path) or "the schema"
        msg = f"--schema {path}: it is no JSON schema: {where}: {error.message}"
        raise CommandInputError(msg) from error
    for reference in _list_references(schema):
        if not _has(schema, reference):
            msg = f"--schema {path}: {reference!r} is not in the file; refer to #/$defs/..."
            raise CommandInputError(msg)
    validator: Any = Draft202012Validator(schema)

    def find_fault(value: Any) -> DecodeError | None:
        fault = min(validator.iter_errors(value), key=lambda error: error.path, default=None)
        if fault is None:
            return None
        got = describe_value(fault.instance)
        return DecodeError(
            f"{fault.validator}: {fault.message} (got {got})", _join_keys(fault.path)
        )

    return OutputType(name, SchemaNode(schema, find_fault))


def _list_references(schema: Any) -> Iterator[Any]:
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        schema = list(schema.values())
    if isinstance(schema, list):
        for item in schema:
            yield from _list_references(item)


def _has(schema: Any, reference: str) -> bool:
    """Return whether a schema contains the target of a JSON pointer (RFC 6901, section 6)."""
    root, *keys = reference.split("/")
    for key in keys:
        name = unquote(key).replace("~1", "/").replace("~0", "~")
        if isinstance(schema, list) and name.isdecimal() and int(name) < len(schema):
            schema = schema[int(name)]
        elif isinstance(schema, dict) and name in schema:
            schema = schema[name]
        else:
            return False
    return root == "#"


def _join_keys(keys: Iterable[str | int]) -> str:
    """Return a path such as ``items[2].price``."""
    names = (f"[{key}]" if isinstance(key, int) else key for key in keys)
    return functools.reduce(join_path, names, "")

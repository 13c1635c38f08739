"""Objects that an option of a command names, such as ``package.module:function``."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

__all__ = ["import_object"]


def import_object(name: str, option: str) -> Any:
    """Import the object that ``module:name`` names; modules of the current folder come first.

    Raises `click.UsageError`, which names the option, if there is no such object. What the module
    raises while it is imported becomes part of that error.
    """
    module_name, colon, path = name.partition(":")
    if not colon or not module_name or not path:
        msg = f"{option} {name!r} is not of the form package.module:name."
        raise click.UsageError(msg)
    if (folder := os.getcwd()) not in sys.path:  # noqa: PTH109 - sys.path has strings
        sys.path.insert(0, folder)
    try:
        value: Any = importlib.import_module(module_name)
    except Exception as error:  # a module may raise anything
        msg = f"{option} {name!r}: the import of {module_name} failed: {_describe(error)}."
        raise click.UsageError(msg) from error
    for part in path.split("."):
        try:
            value = getattr(value, part)
        except AttributeError:
            msg = f"{option} {name!r}: {module_name} has no {path}."
            raise click.UsageError(msg) from None
    return value


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(".")

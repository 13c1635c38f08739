"""Functions as tools: what they may be, their names, and the strict form of their schemas."""

from __future__ import annotations

import functools
import inspect
import types
from typing import TYPE_CHECKING, Any

from .errors import SchemaError
from .signatures import read_signature

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .subsets import Subset

__all__ = ["check_function", "find_name", "find_strict_schema"]


def check_function(function: Any) -> None:
    """Raise `SchemaError` for an object that a run could not call as a tool."""
    inner = _unwrap_partial(function)
    if isinstance(inner, type):
        msg = f"{inner.__name__} is a class; give a function, or an instance with __call__"
        raise SchemaError(msg)
    if not callable(inner):
        msg = f"an object of type {type(inner).__name__} is not a function; give one"
        raise SchemaError(msg)
    called = _find_called(inner)
    if inspect.isgeneratorfunction(called) or inspect.isasyncgenfunction(called):
        msg = "it yields values, but a tool has one result; collect them in a list and return it"
        raise SchemaError(msg)


def find_name(function: Any) -> str:
    """Return the name of a function, or the name of the class of a callable object."""
    inner = _unwrap_partial(function)
    name = getattr(inner, "__name__", None)
    return name if isinstance(name, str) else type(inner).__name__


def find_strict_schema(
    function: Callable[..., Any], parameters: Mapping[str, Any], subset: Subset
) -> dict[str, Any] | None:
    """Return the strict form of a tool's schema; `Signature.decode` takes arguments by it, too.

    Returns None if the schema is not the one of the function, whose arguments only the author of
    the tool can read, or if it has no strict form.
    """
    signature = read_signature(function)
    if signature.problem is not None or signature.schema() != parameters:
        return None
    strict = signature.strict_form(subset)
    return None if strict is None else strict.schema


def _unwrap_partial(function: Any) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _find_called(function: Any) -> Any:
    """Return the function that runs; for an object, it is the method ``__call__``."""
    is_function = inspect.isroutine(function) or isinstance(function, types.FunctionType)
    return function if is_function or isinstance(function, type) else type(function).__call__

"""The source and the target that the caller gives, checked before either is opened."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import Any

from aimlchat._payload.json_values import describe

from .errors import InputError, OutputFileError

__all__ = ["check_source", "check_target"]


def check_source(source: Any) -> None:
    """Check the type of the source.

    Raises `TypeError` if it is neither a path nor a binary stream, and `InputError` for a path that
    no file can have, or a stream that is closed or open as text.
    """
    problem = _find_problem(source, "source", "the input", ("read", "seekable"))
    if problem:
        raise InputError(problem)


def check_target(target: Any) -> None:
    """Check the type of the target.

    Raises `TypeError` if it is neither a path nor a binary stream, and `OutputFileError` for a path
    that no file can have, or a stream that is closed, read-only, or open as text.
    """
    problem = _find_problem(target, "target", "the output", ("write", "flush"))
    if not problem and hasattr(target, "writable") and not target.writable():
        problem = "the output is open for reading; open it for writing"
    if problem:
        msg = f"{problem}. Nothing was sent"
        raise OutputFileError(msg)


def _find_problem(value: Any, argument: str, name: str, methods: tuple[str, ...]) -> str | None:
    """Return why a path or a stream cannot be used, or raise `TypeError` if it is neither."""
    if isinstance(value, str | Path):
        return _find_path_problem(str(value), name)
    functions = [getattr(value, method, None) for method in methods]
    # Streams of aiofiles and anyio have coroutines under the names of the methods.
    if not all(map(callable, functions)) or any(map(inspect.iscoroutinefunction, functions)):
        msg = (
            f"the {argument} is {describe(value)}; give a path as str or pathlib.Path, or a stream"
            " that is open in binary mode"
        )
        raise TypeError(msg)
    if getattr(value, "closed", False):
        return f"{name} is a closed stream; give an open one, or a path"
    # Only streams of text have an encoding.
    if hasattr(value, "encoding"):
        return f"{name} is open as text; open it as bytes, or give its path"
    return None


def _find_path_problem(path: str, name: str) -> str | None:
    if not path:
        return f"the path of {name} is empty"
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return f"{name} {describe(path)} is not a path: it has a lone surrogate"
    if "\0" in path:
        return f"{name} {describe(path)} is not a path: it has a NUL character"
    return None

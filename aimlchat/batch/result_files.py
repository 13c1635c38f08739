"""Files of results that are only read, whether or not a run is writing them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from .disk import describe_reason
from .errors import InputError
from .file_format import strip_line
from .journal_check import describe_other_file
from .journal_lines import has_failed, is_torn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["describe_foreign_file", "find_error_code", "read_lines"]

# The same limit as for a `Journal`, which writes the lines.
_MAX_LINE_BYTES = 512 * 1024 * 1024


def read_lines(
    path: Path, name: str, on_torn: Callable[[], object] = lambda: None
) -> Iterator[tuple[int, bytes]]:
    """Yield the lines with their numbers, without blank ones.

    A last line that is incomplete is left out, and ``on_torn`` called. Raises `InputError`.
    """
    try:
        with path.open("rb") as file:
            read_line = partial(file.readline, _MAX_LINE_BYTES + 1)
            for number, line in enumerate(iter(read_line, b""), 1):
                if len(line) > _MAX_LINE_BYTES:
                    reason = f"it has more than {_MAX_LINE_BYTES:,} bytes"
                    raise describe_foreign_file(name, number, line, reason)
                text = line.rstrip(b"\0")  # which a file system leaves after a crash
                if not strip_line(text):
                    continue
                if not line.endswith(b"\n") and is_torn(line):
                    on_torn()
                else:
                    yield number, text
    except OSError as error:
        msg = f"{name} cannot be read: {describe_reason(error)}"
        raise InputError(msg) from error


def describe_foreign_file(name: str, number: int, line: bytes, reason: object) -> InputError:
    """Return the error for a file that should hold results and does not."""
    if line.startswith(b"PAR1"):  # written by a run, but without what later runs need
        msg = f"{name} is a Parquet file; give its journal, which is {name}.jsonl"
        return InputError(msg, line=number)
    return describe_other_file(name, number, line, reason, "give files that a batch has written")


def find_error_code(fields: dict[str, Any]) -> str | None:
    """Return the kind of failure of a result, None for an answer."""
    if not has_failed(fields):
        return None
    error, response = fields.get("error"), fields.get("response")
    code = error.get("code") if isinstance(error, dict) else None
    if isinstance(code, str) and code:
        return code
    status = response.get("status_code") if isinstance(response, dict) else None
    return "unknown" if status is None else f"status {status}"

"""The ids in the results of earlier runs, and the rows of a dataset without them.

An id is stored as a digest of 16 bytes. The digests of all results are one sorted array in Ray's
object store: each machine has it once, and its tasks read it in place.
"""

from __future__ import annotations

import functools
import io
import logging
import os
from contextlib import suppress
from hashlib import blake2b
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet
import ray

from aimlchat._json import decode_json
from aimlchat.errors import ConfigurationError, ProtocolError

from .result_columns import check_id_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ray import ObjectRef

__all__ = ["leave_out_known", "read_known_results"]

_DIGEST_BYTES = 16
_HALF = np.dtype("<u8")
_PARQUET = (".parquet",)
_JSON_LINES = (".json", ".jsonl")
_logger = logging.getLogger("aimlchat")


def read_known_results(
    path: str | os.PathLike[str], id_column: str, *, retry_failed: bool
) -> ObjectRef[Any] | None:
    """Return the digests of the ids that need no further answer; None if there are no results.

    The files are read by tasks of Ray. A Parquet file that a killed run has not finished has no
    index, so it holds no result; it is named in a warning.
    """
    files = _list_files(os.fspath(path))
    if not files:
        return None
    rows = ray.data.from_items([{"path": file} for file in files]).map(
        functools.partial(_read_file, id_column=id_column, retry_failed=retry_failed)
    )
    parts = []
    for row in rows.iter_rows():
        if row["problem"]:
            msg = f"resume_from: {row['problem']}"
            raise ConfigurationError(msg)
        parts.append(np.frombuffer(row["digests"], _HALF))
        if row["is_unfinished"]:
            _logger.warning("%s is not a whole Parquet file: delete it", row["path"])
    digests = np.concatenate(parts).reshape(-1, 2)
    digests = digests[np.argsort(digests[:, 0], kind="stable")]
    return ray.put((np.ascontiguousarray(digests[:, 0]), np.ascontiguousarray(digests[:, 1])))


def leave_out_known(table: pa.Table, known: ObjectRef[Any], id_column: str) -> pa.Table:
    """Return the rows whose ids are not known."""
    if id_column not in table.column_names:
        msg = f"the dataset has no column {id_column!r}; name the one of the ids with id_column="
        raise ConfigurationError(msg)
    first, second = ray.get(known)
    if not len(first):
        return table
    digests = np.frombuffer(_digest(_read_ids(table[id_column], "the dataset")), _HALF)
    digests = digests.reshape(-1, 2)
    at = np.minimum(np.searchsorted(first, digests[:, 0]), len(first) - 1)
    is_known = (first[at] == digests[:, 0]) & (second[at] == digests[:, 1])
    return table.filter(pa.array(~is_known))


def _list_files(path: str) -> list[str]:
    """Return the files of results below a path; Ray's tasks can open each of them."""
    prefix, separator, _ = path.partition("://")
    try:
        system, root = _open(path)
        info = system.get_file_info(root)
        if info.type == pa.fs.FileType.NotFound:
            return []
        names = [info.path]
        if info.type == pa.fs.FileType.Directory:
            infos = system.get_file_info(pa.fs.FileSelector(root, recursive=True))
            names = sorted(info.path for info in infos if info.type == pa.fs.FileType.File)
            names = [name for name in names if not _is_hidden(name[len(root) :])]
    except (pa.ArrowInvalid, OSError) as error:  # no such scheme, or no access
        msg = f"resume_from: {path} cannot be read: {error}"
        raise ConfigurationError(msg) from error
    for name in names:
        if not name.lower().endswith(_PARQUET + _JSON_LINES):
            msg = f"resume_from: {name} is neither Parquet nor JSON lines, by its name"
            raise ConfigurationError(msg)
    return [f"{prefix}://{name}" if separator else name for name in names]


def _is_hidden(name: str) -> bool:
    """Return whether a file, or a folder above it, is for the internal use of a writer.

    ``name`` is the path below the folder that the caller has given.
    """
    return any(part[0] in "._" for part in PurePosixPath(name).parts)


def _open(path: str) -> tuple[pa.fs.FileSystem, str]:
    if "://" in path:
        system, root = pa.fs.FileSystem.from_uri(path)
        return system, root
    return pa.fs.LocalFileSystem(), os.path.abspath(path)  # noqa: PTH100 - a task has another folder


def _read_file(row: dict[str, Any], *, id_column: str, retry_failed: bool) -> dict[str, Any]:
    """Return the digests of the ids in one file, or its problem: errors of tasks have no class."""
    path = row["path"]
    read = _read_parquet if path.lower().endswith(_PARQUET) else _read_json_lines
    found = {"path": path, "digests": b"", "is_unfinished": False, "problem": ""}
    try:
        system, root = _open(path)
        with system.open_input_file(root) as file:
            ids = read(file, path, id_column, retry_failed=retry_failed)
            return found | {"digests": _digest(value for value in ids if value is not None)}
    except pa.ArrowInvalid:  # no index at its end
        return found | {"is_unfinished": True}
    except ConfigurationError as error:
        return found | {"problem": str(error)}
    except OSError as error:
        return found | {"problem": f"{path} cannot be read: {error}"}


def _read_parquet(
    file: Any, path: str, id_column: str, *, retry_failed: bool
) -> Iterable[int | str | None]:
    content = pa.parquet.ParquetFile(file)
    names = content.schema_arrow.names
    if id_column not in names:
        raise _missing_id(path, id_column)
    if retry_failed and "error" not in names:
        msg = (
            f"{path} has no column 'error', so that failures look like answers; keep it, or give"
            " retry_failed=False"
        )
        raise ConfigurationError(msg)
    table = content.read(columns=[id_column, "error"] if retry_failed else [id_column])
    if retry_failed:
        table = table.filter(table["error"].is_null())
    return _read_ids(table[id_column], path)


def _read_json_lines(
    file: Any, path: str, id_column: str, *, retry_failed: bool
) -> Iterator[int | str | None]:
    for number, line in enumerate(io.BufferedReader(file), 1):
        if line.isspace():
            continue
        result = _decode(line)
        if not isinstance(result, dict):
            if not line.endswith(b"\n") and line.startswith(b"{"):
                continue  # the last line of a run that was killed
            # Skipping it would send a row, and pay for it, again.
            msg = (
                f"{path}, line {number}: the line is not a JSON object; repair it, or delete it"
                " to have its row sent again"
            )
            raise ConfigurationError(msg)
        if id_column not in result:
            raise _missing_id(path, id_column)
        if not (retry_failed and result.get("error") is not None):
            yield _check_id(result[id_column], path)


def _decode(line: bytes) -> Any:
    """Return the value of a line, None if it has none."""
    try:
        return msgspec.json.decode(line)
    except ValueError:  # also for a byte order mark, a cut emoji or a broken character
        with suppress(ProtocolError):
            return decode_json(line)
    return None


def _missing_id(path: str, id_column: str) -> ConfigurationError:
    return ConfigurationError(f"{path} has no column {id_column!r}; give id_column=")


def _read_ids(column: pa.ChunkedArray, owner: str) -> list[int | str | None]:
    check_id_type(column.type, owner)
    ids: list[int | str | None] = column.to_pylist()
    return ids


def _check_id(value: Any, path: str) -> int | str | None:
    if isinstance(value, float) and value.is_integer():
        return int(value)  # pandas writes 1.0 for 1 in a column that has gaps
    if value is not None and not isinstance(value, int | str):
        msg = f"{path} has the id {value!r}; ids are texts or whole numbers"
        raise ConfigurationError(msg)
    return value


def _digest(ids: Iterable[int | str | None]) -> bytes:
    """Return the digests of ids; 7 and "7" have the same one, and that of null matches no id."""
    return b"".join(
        bytes(_DIGEST_BYTES)
        if value is None
        else blake2b(str(value).encode(), digest_size=_DIGEST_BYTES).digest()
        for value in ids
    )

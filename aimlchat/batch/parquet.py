"""Results as a Parquet file, which cannot be appended to: it is rebuilt from the journal."""

from __future__ import annotations

import os
from functools import partial
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aimlchat._client.tally import count_tokens
from aimlchat._protocol.lenient import read_amount
from aimlchat._protocol.metadata import normalize_finish_reason, parse_usage
from aimlchat._protocol.surrogates import mend_surrogates
from aimlchat._protocol.whole import parse_completion
from aimlchat.completions import Usage
from aimlchat.errors import AIMLChatError, ConfigurationError

from .cooperative import finish_in_thread
from .disk import copy_permissions, create_beside, describe_reason, sync_file, sync_folder
from .errors import InputError, OutputFileError
from .file_arguments import check_source, check_target
from .journal_lines import decode_result
from .result_files import find_error_code, read_lines
from .result_lines import encode_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    _Rows = Iterator[tuple[dict[str, Any], int]]

__all__ = ["check_parquet_target", "require_pyarrow", "write_parquet"]

# The columns and their types, by the names that pyarrow has for them.
COLUMNS = {
    "custom_id": "string",
    "answer": "string",
    "reasoning": "string",
    "finish_reason": "string",
    "model": "string",
    "prompt_tokens": "int64",
    "completion_tokens": "int64",
    "total_tokens": "int64",
    "reasoning_tokens": "int64",
    "cached_tokens": "int64",
    "cache_write_tokens": "int64",
    "usd": "float64",
    "credits": "float64",
    "attempts": "int64",
    "inference_id": "string",
    "client_request_id": "string",
    "error": "string",
    "error_message": "string",
    "status_code": "int64",
    "output": "string",
    "response": "string",
    "shard": "string",
}
_ROWS_PER_GROUP = 10_000
_MAX_GROUP_BYTES = 64 * 1024 * 1024
_MAX_INT64 = 2**63 - 1
_SIGNATURE = b"PAR1"


def require_pyarrow() -> tuple[Any, Any]:
    """Import pyarrow and its Parquet writer. Raises `ConfigurationError` if it is not installed."""
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as error:
        msg = "Parquet needs pyarrow, which is not installed: pip install '.[parquet]'"
        raise ConfigurationError(msg) from error


def check_parquet_target(path: Path) -> None:
    """Raise `OutputFileError` if a path is that of a file of any kind other than Parquet.

    It would be replaced, and may be a file of results that were paid for.
    """
    try:
        with path.open("rb") as file:
            begins = file.read(len(_SIGNATURE))
    except FileNotFoundError:
        return
    except OSError as error:
        msg = f"{path} cannot be replaced: {describe_reason(error)}; nothing was sent"
        raise OutputFileError(msg) from error
    if begins not in (_SIGNATURE, b""):
        msg = (
            f"{path} is not a Parquet file, and would be replaced by one: give the Parquet file"
            " another name; nothing was sent"
        )
        raise OutputFileError(msg)


async def write_parquet(results: str | Path, target: str | Path) -> int:
    """Write a file of results as a Parquet file, and return its number of rows.

    The file is written under another name in the same folder, synced, and renamed: whatever
    happens, ``target`` is the old file or the whole new one. It needs pyarrow, from the extra
    ``parquet``.

    Args:
        results: the path of the results, one JSON object on each line, as `run` writes them.
        target: the path of the Parquet file, which is replaced.

    Raises:
        ConfigurationError: pyarrow is not installed.
        InputError: the results cannot be read, or a line is damaged.
        OutputFileError: the Parquet file cannot be written, or is the file of results itself.

    Cancelling is safe: the old file stays.
    """
    check_source(results)
    check_target(target)
    pyarrow = require_pyarrow()
    path = _resolve_target(target, Path(results))
    try:
        file, temporary = create_beside(path)
    except OSError as error:
        raise _describe_failure(path, error) from error
    try:
        with file:
            rows = await _write_groups(*pyarrow, Path(results), file)
            file.flush()
            _copy_permissions(Path(results), file.fileno())
            sync_file(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        if isinstance(error, AIMLChatError):
            raise
        raise _describe_failure(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)
    return rows


def _resolve_target(target: str | Path, results: Path) -> Path:
    """Return the path of the Parquet file with its links resolved: they stay, as for a journal."""
    path = Path(os.path.realpath(target))
    if path.exists() and results.exists() and path.samefile(results):
        msg = f"{path} is the file of results: give the Parquet file another name"
        raise OutputFileError(msg)
    return path


async def _write_groups(pa: Any, pq: Any, results: Path, file: Any) -> int:
    schema = pa.schema([(name, getattr(pa, kind)()) for name, kind in COLUMNS.items()])
    rows = _read_rows(results)
    count = 0
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        while written := await finish_in_thread(partial(_write_group, pa, writer, rows, schema)):
            count += written
    return count


def _write_group(pa: Any, writer: Any, rows: _Rows, schema: Any) -> int:
    """Write the next rows, and return their number."""
    if group := _take_group(rows):
        writer.write_table(pa.Table.from_pylist(group, schema=schema))
    return len(group)


def _copy_permissions(source: Path, target: int) -> None:
    with source.open("rb") as file:
        copy_permissions(file.fileno(), target)


def _take_group(rows: _Rows) -> list[dict[str, Any]]:
    """Return the next rows, only so many that their group fits in memory."""
    group: list[dict[str, Any]] = []
    size = 0
    for row, length in islice(rows, _ROWS_PER_GROUP):
        group.append(row)
        size += length
        if size > _MAX_GROUP_BYTES:
            break
    return group


def _read_rows(results: Path) -> _Rows:
    """Yield the rows, each with the length of its line."""
    name = str(results)
    for number, line in read_lines(results, name):
        try:
            known, fields = decode_result(line)
        except ValueError as error:
            msg = f"{name}, line {number}: the line is damaged ({error})"
            raise InputError(msg, line=number) from error
        yield {**_build_row(fields), "custom_id": str(known.custom_id)}, len(line)


def _build_row(fields: dict[str, Any]) -> dict[str, Any]:
    usage = parse_usage(fields.get("usage")) or Usage()
    cost, response, error = (_as_dict(fields.get(key)) for key in ("cost", "response", "error"))
    body = response.get("body")
    row = {
        **usage.as_dict(),
        "total_tokens": count_tokens(usage),
        "usd": read_amount(cost.get("usd")),
        "credits": read_amount(cost.get("credits")),
        "attempts": _as_integer(fields.get("attempts")),
        "inference_id": _as_text(fields.get("inference_id")),
        "client_request_id": _as_text(fields.get("client_request_id")),
        "status_code": _as_integer(error.get("status_code", response.get("status_code"))),
        "response": None if body is None else _as_json(body),
        "output": _as_json(fields.get("output")) if "output" in fields else None,
        "shard": _as_text(fields.get("shard")),
    }
    if code := find_error_code(fields):
        return {
            **row,
            "error": mend_surrogates(code),
            "error_message": _as_text(error.get("message")),
        }
    return row | _read_answer(_as_dict(body))


def _read_answer(body: dict[str, Any]) -> dict[str, Any]:
    """Return the model's answer, from OpenAI's format or from an Anthropic message."""
    if isinstance(blocks := body.get("content"), list):
        return {
            "answer": _join(blocks, "text"),
            "reasoning": _join(blocks, "thinking"),
            "finish_reason": normalize_finish_reason(_as_text(body.get("stop_reason"))),
            "model": _as_text(body.get("model")),
        }
    try:
        completion = parse_completion(encode_value(body))
    except AIMLChatError:  # a body that another tool has written
        return {}
    return {
        "answer": completion.text,
        "reasoning": completion.reasoning,
        "finish_reason": completion.finish_reason,
        "model": completion.model or None,
    }


def _join(blocks: list[Any], kind: str) -> str:
    texts = (block.get(kind) for block in blocks if isinstance(block, dict))
    return mend_surrogates("".join(text for text in texts if isinstance(text, str)))


def _as_dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _as_text(value: Any) -> str | None:
    return mend_surrogates(value) if isinstance(value, str) else None


def _as_json(value: Any) -> str:
    return encode_value(value).decode()


def _as_integer(value: Any) -> int | None:
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    return value if is_integer and abs(value) <= _MAX_INT64 else None


def _describe_failure(path: Path, error: OSError) -> OutputFileError:
    msg = f"{path} cannot be written: {describe_reason(error)}; the results are in its journal"
    failure = OutputFileError(msg, begun=True)
    failure.add_note(
        "Solve the problem, then run the same command again: it sends no request twice."
    )
    return failure

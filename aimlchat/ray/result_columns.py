"""The rows of a batch: the request of each, and the columns of their answers."""

from __future__ import annotations

import asyncio
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from aimlchat._protocol.surrogates import mend_surrogates
from aimlchat.errors import APIError, ConfigurationError, InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aimlchat.completions import Completion
    from aimlchat.records import Outcome

    from .answering_job import AnsweringJob

__all__ = ["BatchResults", "check_id_type", "check_names", "describe_error"]

# Given to Arrow, since a block in which every value is null would have columns of another type.
_COLUMNS = {
    "answer": pa.string(),
    "reasoning": pa.string(),
    "finish_reason": pa.string(),
    "prompt_tokens": pa.int64(),
    "completion_tokens": pa.int64(),
    "reasoning_tokens": pa.int64(),
    "cached_tokens": pa.int64(),
    "usd": pa.float64(),
    "inference_id": pa.string(),
    "attempts": pa.int64(),
    "error": pa.string(),
}
_OUTPUT = {"output": pa.string()}  # with an output type
_TOKENS = ("prompt_tokens", "completion_tokens", "reasoning_tokens", "cached_tokens")


class BatchResults:
    """The rows of one batch, and their outcomes."""

    def __init__(self, table: pa.Table, job: AnsweringJob) -> None:
        check_names(table.column_names, job)
        if job.id_column is not None:  # now, since a later run could not compare the results
            check_id_type(table.schema.field(job.id_column).type, "the dataset")
        self._table = table
        self._job = job
        self._results: list[dict[str, Any] | None] = [None] * table.num_rows
        self.unfinished = table.num_rows
        """How many rows have no outcome yet."""

    def digest(self) -> str:
        """Return a digest of the rows, the same whenever Ray passes them to an actor."""
        found = blake2b(digest_size=16)
        for column in self._table.columns:
            for chunk in column.chunks:
                found.update(f"{chunk.offset} {len(chunk)}".encode())
                for buffer in filter(None, chunk.buffers()):
                    found.update(buffer)
        return found.hexdigest()

    def make_request(self, row: int) -> Any:
        """Return the request of a row. Raises whatever the caller's function raises."""
        table, prompt, id_column = self._table, self._job.prompt, self._job.id_column
        if id_column is not None and not table[id_column][row].is_valid:
            msg = "the row has no id, by which a later run could know it"
            raise InvalidRequestError(msg, field=id_column)
        if not isinstance(prompt, str):
            try:
                return prompt(table.slice(row, 1).to_pylist()[0])
            except (SystemExit, asyncio.CancelledError) as error:
                # These would end the actor, or its run, and with it the other rows of the batch.
                raise RuntimeError(describe_error(error)) from error
        request = table[prompt][row].as_py()
        return _drop_nulls(request) if isinstance(request, list) else request

    def fail(self, row: int, error: str) -> None:
        """Note why a row is not sent."""
        self._results[row] = {"attempts": 0, "error": error}

    def finish(self, row: int, outcome: Outcome) -> None:
        """Note the outcome of a row."""
        self.unfinished -= 1
        if self._results[row] is None:
            self._results[row] = _describe_outcome(outcome)

    def to_table(self, failure: str | None) -> pa.Table:
        """Return the rows with their new columns; ``failure`` is the error of unfinished rows."""
        unfinished = {"attempts": 0, "error": failure}
        table, results = self._table, [result or unfinished for result in self._results]
        for name, kind in _name_columns(self._job).items():
            values = [result.get(name) for result in results]
            table = table.append_column(name, pa.array(map(_make_encodable, values), type=kind))
        return table


def _name_columns(job: AnsweringJob) -> dict[str, pa.DataType]:
    return _COLUMNS if job.output_type is None else _COLUMNS | _OUTPUT


def check_names(names: Iterable[str], job: AnsweringJob) -> None:
    """Raise `ConfigurationError` if a column is missing, or has the name of a new one."""
    names = list(names)
    wanted = [job.id_column] if isinstance(job.id_column, str) else []
    if isinstance(job.prompt, str):
        wanted.append(job.prompt)
    for name in wanted:
        if name not in names:
            msg = f"the dataset has no column {name!r}; its columns are {', '.join(names)}"
            raise ConfigurationError(msg)
    if clashes := [name for name in names if name in _name_columns(job)]:
        msg = f"the dataset has a column {clashes[0]!r} already; rename it with rename_columns()"
        raise ConfigurationError(msg)


def check_id_type(kind: pa.DataType, owner: str) -> None:
    """Raise `ConfigurationError` unless ids of this type can be compared with those of results."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if not (is_text or pa.types.is_integer(kind) or pa.types.is_null(kind)):
        msg = f"the ids in {owner} are of type {kind}; give texts or whole numbers"
        raise ConfigurationError(msg)


def describe_error(error: BaseException) -> str:
    """Return the text of a row's error: its class, and what it says."""
    return f"{type(error).__name__}: {error}"


def _describe_outcome(outcome: Outcome) -> dict[str, Any]:
    error = outcome.error
    if error is not None:
        facts = {"attempts": len(error.attempts), "error": describe_error(error)}
        if isinstance(error, APIError):
            facts["inference_id"] = error.inference_id
        return _describe_bill(error.partial) | facts
    completion = outcome.unwrap()
    return {
        **_describe_bill(completion),
        "answer": completion.text,
        "reasoning": completion.reasoning,
        "finish_reason": completion.finish_reason,
        "output": _write_json(completion.output),
        "attempts": len(completion.attempts),
    }


def _describe_bill(completion: Completion[Any]) -> dict[str, Any]:
    """Return what a completion has cost; an answer that is not of its type has a cost, too."""
    usage, cost = completion.usage, completion.cost
    return {
        **{name: getattr(usage, name, None) for name in _TOKENS},
        "usd": None if cost is None else cost.usd,
        "inference_id": completion.inference_id,
    }


def _write_json(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


def _make_encodable(value: Any) -> Any:
    # One value that Arrow cannot hold would cost the whole batch.
    return mend_surrogates(value) if isinstance(value, str) else value


def _drop_nulls(value: Any) -> Any:
    """Return messages without the keys that Arrow adds: all dicts of a column have the same."""
    if isinstance(value, list):
        return [_drop_nulls(item) for item in value]
    if isinstance(value, dict):
        return {name: _drop_nulls(item) for name, item in value.items() if item is not None}
    return value

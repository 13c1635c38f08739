"""Which requests of a file have results in several files, such as those of shards."""

from __future__ import annotations

import asyncio
import os
import stat
from collections import Counter
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import attrs

from aimlchat._client.tally import Tally
from aimlchat._payload.json_values import describe
from aimlchat._payload.limits import check_model
from aimlchat._payload.models import DEFAULT_MODEL
from aimlchat._protocol.lenient import read_amount, read_dict
from aimlchat._protocol.metadata import parse_usage
from aimlchat.completions import Cost

from .cooperative import LINES_PER_TURN
from .errors import InputError
from .file_arguments import check_source
from .input_file import InputFile
from .journal_lines import decode_result
from .known_ids import FAILED, IN_INPUT, IN_OUTPUT, KnownIds
from .problems import FirstLines, LineProblems
from .result_files import describe_foreign_file, find_error_code, read_lines
from .shard import find_shard, read_shard

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .journal_lines import KnownResult
    from .shard import Shard

__all__ = ["ResultsSummary", "summarize"]

_FLAGS_OF_REQUEST = IN_INPUT | IN_OUTPUT


@attrs.frozen
class ResultsSummary:
    """Which requests of a file have results in files of results.

    Attributes:
        requests: the number of requests of the input.
        answered: how many of them have an answer.
        failed: how many of them have only failures as results.
        missing: how many of them have no result.
        missing_by_shard: how many are missing in each shard, such as ``{"3/16": 120}``; empty if
            the results are not those of shards, or the number of shards differs.
        errors: the number of failed results by their ``code``, the class of the error.
        tokens: what all results used, as the server reported it.
        usd: what all results cost, in US dollars, as the server reported it.
        results: the results in all files.
        duplicates: the results of requests that have another one in an earlier line or file.
        unknown: the results whose id no request has.
        changed: the results of requests that were changed since, apart from their model.
        damaged: the lines that cannot be read, or differ from what was written.
        torn: the files whose last line is incomplete: a run is writing it, or was killed.
        problems: a line of text for each damaged line, up to ten for each file.
    """

    requests: int = 0
    answered: int = 0
    failed: int = 0
    missing: int = 0
    missing_by_shard: Mapping[str, int] = attrs.field(factory=dict)
    errors: Mapping[str, int] = attrs.field(factory=dict)
    tokens: int = 0
    usd: float = 0.0
    results: int = 0
    duplicates: int = 0
    unknown: int = 0
    changed: int = 0
    damaged: int = 0
    torn: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def is_success(self) -> bool:
        """Whether every request has one answer, and the files hold nothing else."""
        others = self.duplicates or self.unknown or self.changed or self.damaged or self.torn
        return self.answered == self.requests and not others


async def summarize(
    source: str | Path | IO[bytes],
    results: Iterable[str | Path],
    *,
    model: str | None = None,
) -> ResultsSummary:
    """Read files of results together, and return which requests have results in them.

    Nothing is sent and nothing is written. The files may be those of runs that have not ended.
    Memory is needed only for the ids: up to 46 bytes for each.

    Args:
        source: the requests, as for `run`.
        results: the paths of the results, such as those of all shards. A file that is given twice,
            perhaps by another name, is read once.
        model: the model of requests that do not name one; it changes no figure.

    Raises:
        InputError: the requests cannot be sent, or a file cannot be read or holds no results.

    Cancelling is safe.
    """
    check_source(source)
    if isinstance(results, str | bytes | os.PathLike):  # its characters would count as paths
        msg = f"results is {describe(results)}; give a list of paths"
        raise TypeError(msg)
    known_ids = KnownIds()
    open_input = partial(InputFile, source, DEFAULT_MODEL if model is None else check_model(model))
    input_file = await asyncio.to_thread(open_input)  # a pipe is copied
    try:
        checked = await input_file.check(known_ids)
    finally:
        input_file.close()
    if not checked.total:
        msg = f"{input_file.name} is empty: it has no request"
        raise InputError(msg)
    reader = _ResultsReader(known_ids)
    for path in results:
        await reader.read(path)
    return reader.summarize(checked.total)


class _ResultsReader:
    """Counts results, whose ids it adds to those of the requests."""

    def __init__(self, known_ids: KnownIds) -> None:
        self._known_ids = known_ids
        self._tally = Tally()
        self._errors: Counter[str] = Counter()
        self._results = self._duplicates = self._unknown = self._changed = self._damaged = 0
        self._shards: set[Shard | None] = set()
        self._files: list[os.stat_result] = []
        self._torn: list[str] = []
        self._problems: list[str] = []

    async def read(self, path: str | Path) -> None:
        """Add the results of a file. Raises `InputError`."""
        name = str(path)
        check_source(path)
        if self._has_read(Path(path)):
            return
        problems = LineProblems(name)
        first_lines = FirstLines(partial(describe_foreign_file, name))
        for number, line in read_lines(Path(path), name, partial(self._torn.append, name)):
            if number % LINES_PER_TURN == 0:
                await asyncio.sleep(0)
            try:
                known, fields = decode_result(line)
            except ValueError as error:
                first_lines.missed(number, line, error)
                problems.add(number, f"the line is damaged ({error})")
            else:
                first_lines.found()
                self._add(known, fields)
        first_lines.finish()
        self._damaged += problems.count
        self._problems += problems.describe("are damaged")

    def summarize(self, requests: int) -> ResultsSummary:
        """Return the figures."""
        states = Counter(
            (flags & IN_OUTPUT != 0, flags & FAILED != 0)
            for _, flags in self._known_ids
            if flags & IN_INPUT
        )
        answered, failed = states[True, False], states[True, True]
        return ResultsSummary(
            requests=requests,
            answered=answered,
            failed=failed,
            missing=requests - answered - failed,
            missing_by_shard=self._count_missing_by_shard(),
            errors=dict(self._errors),
            tokens=self._tally.tokens,
            usd=self._tally.usd,
            results=self._results,
            duplicates=self._duplicates,
            unknown=self._unknown,
            changed=self._changed,
            damaged=self._damaged,
            torn=tuple(self._torn),
            problems=tuple(self._problems),
        )

    def _has_read(self, path: Path) -> bool:
        """Return whether a file was read already, perhaps by another name; remember it if not."""
        try:
            status = path.stat()
        except OSError:  # reading it reports the error
            return False
        if not stat.S_ISREG(status.st_mode):  # a pipe may have other results each time
            return False
        if any(os.path.samestat(status, other) for other in self._files):
            return True
        self._files.append(status)
        return False

    def _add(self, known: KnownResult, fields: dict[str, Any]) -> None:
        key, known_ids = known.key, self._known_ids
        self._results += 1
        self._shards.add(read_shard(known.shard))
        self._tally.add(usage=parse_usage(fields.get("usage")), cost=_parse_cost(fields))
        if code := find_error_code(fields):
            self._errors[code] += 1
        flags = known_ids.get_flags(key)
        if not flags & IN_INPUT:
            self._unknown += 1
        elif known.digest and known_ids.has_changed(key, known.digest):
            self._changed += 1
        if flags & IN_OUTPUT:
            self._duplicates += 1
            if not known.has_failed:  # one answer is enough
                known_ids.clear_flags(key, FAILED)
        else:
            known_ids.add(key, IN_OUTPUT | FAILED if known.has_failed else IN_OUTPUT)

    def _count_missing_by_shard(self) -> dict[str, int]:
        counts = {None if shard is None else shard.count for shard in self._shards}
        count = counts.pop() if len(counts) == 1 else None
        if count is None:
            return {}
        missing = Counter(
            find_shard(key, count)
            for key, flags in self._known_ids
            if flags & _FLAGS_OF_REQUEST == IN_INPUT
        )
        return {f"{number}/{count}": missing[number] for number in sorted(missing)}


def _parse_cost(fields: dict[str, Any]) -> Cost | None:
    """Return the cost of a line; None if it has none, or one of another form."""
    usd = read_amount(read_dict(fields.get("cost")).get("usd"))
    return None if usd is None else Cost(usd=usd, credits=0.0)

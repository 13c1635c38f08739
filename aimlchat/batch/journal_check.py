"""The check of an output: which ids have a result, and which lines are not what a run wrote."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from aimlchat._payload.json_values import describe

from .errors import InputError
from .file_format import SAMPLE_SIZE, describe_format, strip_line
from .journal_lines import DamagedLineError, parse_result
from .known_ids import FAILED, IN_OUTPUT
from .problems import FirstLines, LineProblems

if TYPE_CHECKING:
    from .journal_lines import KnownResult
    from .known_ids import KnownIds
    from .shard import Shard

__all__ = ["JournalCheck", "describe_other_file"]


class JournalCheck:
    """Adds the ids of results to the known ones, and collects the lines that are damaged."""

    def __init__(self, name: str, known_ids: KnownIds, shard: Shard | None) -> None:
        self._name = name
        self._shard = "" if shard is None else str(shard)
        self._known_ids = known_ids
        self._damaged = LineProblems(name)
        self._unchecked = LineProblems(name)
        self._has_checksum = False
        self._first_lines = FirstLines(partial(describe_other_file, name))

    def add(self, number: int, line: bytes) -> None:
        """Add the result of a line; nothing if it is blank.

        Raises `InputError` if its id is known already, and if no line so far is a result, since
        the file may then be any file.
        """
        if not strip_line(line):
            return
        try:
            result = parse_result(line)
        except ValueError as error:
            self._first_lines.missed(number, line, error)
            is_changed = isinstance(error, DamagedLineError)
            what = (
                "was changed after it was written" if is_changed else "is not a result of a batch"
            )
            self._damaged.add(number, f"the line {what} ({error})")
        else:
            self._first_lines.found()
            self._add(number, result)

    def finish(self) -> bool:
        """Return whether the lines have checksums, or there are none.

        Raises `InputError` if lines are damaged, or lack the checksum that others have, and for a
        file of something else.
        """
        self._first_lines.finish()
        problems = [self._damaged, self._unchecked] if self._has_checksum else [self._damaged]
        told = [line for found in problems for line in found.describe("are damaged")]
        if told:
            told.append(
                f"{self._name}: nothing was sent, and the file was not changed. Restore these lines"
                " from a copy, or delete them to have their requests sent, and charged, again"
            )
            first_line = min(found.first_line for found in problems if found.count)
            raise InputError("\n".join(told), line=first_line)
        return not self._unchecked.count

    def _add(self, number: int, result: KnownResult) -> None:
        if result.has_checksum:
            self._has_checksum = True
        else:
            self._unchecked.add(number, "the line has no checksum, and others have one")
        if result.shard != self._shard:
            raise self._describe_other_shard(number, result.shard)
        if self._known_ids.get_flags(result.key):
            msg = (
                f"{self._name}, line {number}: an earlier line already has the id"
                f" {describe(result.custom_id)}; delete one of the two"
            )
            raise InputError(msg, line=number)
        flags = IN_OUTPUT | FAILED if result.has_failed else IN_OUTPUT
        self._known_ids.add(result.key, flags, result.digest)

    def _describe_other_shard(self, number: int, shard: str) -> InputError:
        def name(shard: str) -> str:
            return f"shard {shard}" if shard else "all shards"

        msg = (
            f"{self._name}, line {number}: the file has results of {name(shard)}, and this run is"
            f" for {name(self._shard)}; nothing was sent. Give each shard an output of its own, and"
            " each run the shard that its output was begun with"
        )
        return InputError(msg, line=number)


def describe_other_file(
    name: str,
    number: int,
    line: bytes,
    reason: object,
    advice: str = "the file was not changed. Give the output of the earlier run, or a new file",
) -> InputError:
    """Return the error for a file that is not the output of a batch."""
    reason = describe_format(line[:SAMPLE_SIZE], name) or reason
    msg = f"{name}, line {number}: the line is not a result of a batch ({reason}); {advice}"
    return InputError(msg, line=number)

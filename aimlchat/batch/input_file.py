"""The input: lines that are read twice, to check all of them before the first is sent."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn, TypeVar

import attrs

from .errors import InputError
from .input_lines import entry_of
from .known_ids import FAILED, IN_INPUT, IN_OUTPUT, ON_SERVER, Ledger, key_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from .input_lines import Entry

__all__ = ["TURN", "Plan", "Source", "considerate", "spooled"]

_T = TypeVar("_T")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# So many lines take about a millisecond; then whatever else the loop has to do gets its turn.
TURN = 200


def spooled(stream: IO[bytes]) -> IO[bytes]:
    """Return the stream itself if it can be read twice, else a copy of it in a temporary file.

    Reads to the end and blocks until then. The copy is deleted when it is closed.
    """
    if stream.seekable():
        return stream
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    shutil.copyfileobj(stream, copy)
    copy.seek(0)
    return copy


async def considerate(items: Iterator[_T]) -> AsyncIterator[_T]:
    """Yield the items, and let others have their turn in between."""
    for count, item in enumerate(items, 1):
        yield item
        if count % TURN == 0:
            await asyncio.sleep(0)


@attrs.frozen
class Plan:
    """What the check of the input has found; ``todo`` has a byte for each line, 1 if it is to do.

    ``total`` counts the requests; ``before`` those whose result stood in the output already,
    ``failed_before`` the failures among these.
    """

    todo: bytearray
    total: int
    before: int
    failed_before: int


class Source:
    """The input while it is open: a path, or a stream that can be read twice."""

    def __init__(self, given: str | Path | IO[bytes], model: str) -> None:
        self.path: Path | None = None
        if isinstance(given, str | Path):
            self.name = str(given)
            self.path = Path(given).resolve()
            try:
                self._file: IO[bytes] = self.path.open("rb")
            except OSError as error:
                msg = f"{given} cannot be read: {error.strerror}"
                raise InputError(msg) from error
        else:
            self.name = "the input"
            self._file = spooled(given)
        self._is_owned = self._file is not given
        self._start = self._file.tell()
        self._model = model

    def close(self) -> None:
        """Close what was opened here."""
        if self._is_owned:
            self._file.close()

    async def check(self, ledger: Ledger, *, server_side: bool, retry_failed: bool) -> Plan:
        """Read all of it, note its ids in the ledger, and return what there is to do.

        Raises `InputError` for the first line that is broken, repeats an id, or asks for something
        else than what the output has under its id. Cancelling is safe.
        """
        todo, total, before, failed_before = bytearray(), 0, 0, 0
        for number, entry in self._entries():
            if number % TURN == 0:
                await asyncio.sleep(0)
            if entry is None:
                continue
            self._check_body(number, entry, server_side=server_side)
            key, digest = key_of(entry.custom_id), entry.digest()
            known = ledger.flags(key)
            if known & IN_INPUT:
                self._raise_repeated(number, entry.custom_id)
            again = retry_failed and known & FAILED
            if known and not again and ledger.is_changed(key, digest):
                self._raise_changed(number, entry.custom_id)
            ledger.note(key, IN_INPUT, digest)
            is_done = known & IN_OUTPUT and not again
            total += 1
            before += bool(is_done)
            failed_before += bool(is_done and known & FAILED)
            todo.extend(bytes(number - 1 - len(todo)))
            todo.append(not is_done and not known & ON_SERVER)
        return Plan(todo, total, before, failed_before)

    def missing(self, plan: Plan, ledger: Ledger) -> Iterator[tuple[int, Entry, bytes] | None]:
        """Yield each request that is to do, between the number of its line and its digest.

        Now and then it yields None: it is time to let others have their turn. Raises `InputError`
        if the input is not what was checked: no id is to be done twice.
        """
        for number, entry in self._entries(plan.todo):
            if entry is None:
                yield None
                continue
            digest = entry.digest()
            if not ledger.take(key_of(entry.custom_id), digest):
                raise self._error(number, "it was changed while it was read", begun=True)
            yield number, entry, digest

    def _entries(self, todo: bytearray | None = None) -> Iterator[tuple[int, Entry | None]]:
        """Yield what stands in each line; of those with nothing to do only each `TURN`-th."""
        self._file.seek(self._start)
        for number, line in enumerate(self._file, 1):
            is_wanted = todo is None or (number <= len(todo) and todo[number - 1])
            text = line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line
            if not is_wanted or text.isspace() or not text:
                if number % TURN == 0:
                    yield number, None
                continue
            try:
                entry = entry_of(text, self._model)
            except ValueError as error:
                raise self._error(number, str(error), begun=todo is not None) from error
            yield number, entry

    def _check_body(self, number: int, entry: Entry, *, server_side: bool) -> None:
        try:
            (entry.params if server_side else entry.body)()
        except ValueError as error:
            raise self._error(number, f"the request {entry.custom_id!r}: {error}") from error

    def _raise_changed(self, number: int, custom_id: str | int) -> NoReturn:
        msg = (
            f"the request {custom_id!r} is another one (or has another model) than the one whose"
            " result stands in the output; give it another id, or write to another output"
        )
        raise self._error(number, msg)

    def _raise_repeated(self, number: int, custom_id: str | int) -> None:
        self._file.seek(self._start)
        for first, line in enumerate(self._file, 1):
            text = line.removeprefix(_BYTE_ORDER_MARK).strip()
            if text and str(entry_of(text, "").custom_id) == str(custom_id):
                msg = f"the id {custom_id!r} stands in line {first} already"
                raise self._error(number, msg)

    def _error(self, number: int, problem: str, *, begun: bool = False) -> InputError:
        return InputError(f"{self.name}, line {number}: {problem}", line=number, begun=begun)

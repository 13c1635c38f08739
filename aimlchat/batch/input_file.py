"""The input: lines that are read twice, so that all are checked before the first is sent."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn

import attrs

from .cooperative import LINES_PER_TURN
from .errors import InputError
from .input_lines import parse_line
from .known_ids import FAILED, IN_INPUT, IN_OUTPUT, ON_SERVER, KnownIds, hash_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .input_lines import InputRequest

__all__ = ["CheckedInput", "InputFile", "make_seekable"]

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def make_seekable(stream: IO[bytes]) -> IO[bytes]:
    """Return the stream if it can be read twice, else a copy of it in a temporary file.

    Copying blocks until the end of the stream. The temporary file is deleted when it is closed.
    """
    if stream.seekable():
        return stream
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    shutil.copyfileobj(stream, copy)
    copy.seek(0)
    return copy


@attrs.frozen
class CheckedInput:
    """The result of checking the input.

    ``pending`` has a byte for each line, 1 if its request has to be sent. ``total`` is the number
    of requests, ``before`` the number of those that already have a result in the output, and
    ``failed_before`` the number of failures among these.
    """

    pending: bytearray
    total: int
    before: int
    failed_before: int


class InputFile:
    """The open input: a path, or a stream that can be read twice."""

    def __init__(self, source: str | Path | IO[bytes], model: str) -> None:
        self.path: Path | None = None
        if isinstance(source, str | Path):
            self.name = str(source)
            self.path = Path(source).resolve()
            try:
                self._file: IO[bytes] = self.path.open("rb")
            except OSError as error:
                msg = f"{source} cannot be read: {error.strerror}"
                raise InputError(msg) from error
        else:
            self.name = "the input"
            self._file = make_seekable(source)
        self._is_owned = self._file is not source
        self._start = self._file.tell()
        self._model = model

    def close(self) -> None:
        """Close the file, unless it is the caller's own stream."""
        if self._is_owned:
            self._file.close()

    async def check(
        self, known_ids: KnownIds, *, server_side: bool, retry_failed: bool
    ) -> CheckedInput:
        """Read and check every line, and add its id to the known ones.

        Raises `InputError` for the first line that is broken, repeats an id, or differs from the
        request whose result the output has under the same id. Cancelling is safe.
        """
        pending, total, before, failed_before = bytearray(), 0, 0, 0
        for number, request in self._parse_lines():
            if number % LINES_PER_TURN == 0:
                await asyncio.sleep(0)
            if request is None:
                continue
            digest = self._check(number, request, server_side=server_side)
            key = hash_id(request.custom_id)
            flags = known_ids.get_flags(key)
            if flags & IN_INPUT:
                self._raise_repeated(number, request.custom_id)
            is_retried = retry_failed and flags & FAILED
            if flags and not is_retried and known_ids.has_changed(key, digest):
                self._raise_changed(number, request.custom_id)
            known_ids.add(key, IN_INPUT, digest)
            is_done = flags & IN_OUTPUT and not is_retried
            total += 1
            before += bool(is_done)
            failed_before += bool(is_done and flags & FAILED)
            pending.extend(bytes(number - 1 - len(pending)))
            pending.append(not is_done and not flags & ON_SERVER)
        return CheckedInput(pending, total, before, failed_before)

    def read_pending(
        self, checked: CheckedInput, known_ids: KnownIds
    ) -> Iterator[tuple[int, InputRequest, bytes] | None]:
        """Yield the pending requests, each with the number of its line and its digest.

        Every `LINES_PER_TURN` lines without a pending request it yields None, so that the caller
        can yield to the event loop. Marks the requests as sent; raises `InputError` if the input
        has changed since it was checked, so that no id is sent twice.
        """
        for number, request in self._parse_lines(checked.pending):
            if request is None:
                yield None
                continue
            digest = request.compute_digest()
            if not known_ids.mark_sent(hash_id(request.custom_id), digest):
                raise self._error(
                    number,
                    "the line was changed during the run; leave the input as it is, and run the"
                    " same command again",
                    begun=True,
                )
            yield number, request, digest

    def _parse_lines(
        self, pending: bytearray | None = None
    ) -> Iterator[tuple[int, InputRequest | None]]:
        """Yield the number and the request of each line, or of the pending ones.

        The request is None for every `LINES_PER_TURN`-th line if it has none; other lines without a
        request are skipped.
        """
        self._file.seek(self._start)
        for number, line in enumerate(self._file, 1):
            is_pending = pending is None or (number <= len(pending) and pending[number - 1])
            text = line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line
            if not is_pending or text.isspace() or not text:
                if number % LINES_PER_TURN == 0:
                    yield number, None
                continue
            try:
                request = parse_line(text, self._model)
            except ValueError as error:
                raise self._error(number, str(error), begun=pending is not None) from error
            yield number, request

    def _check(self, number: int, request: InputRequest, *, server_side: bool) -> bytes:
        """Check that a request can be sent, and return its digest."""
        try:
            (request.build_params if server_side else request.build_body)()
            return request.compute_digest()
        except ValueError as error:
            raise self._error(number, f"the request {request.custom_id!r}: {error}") from error

    def _raise_changed(self, number: int, custom_id: str | int) -> NoReturn:
        msg = (
            f"the request {custom_id!r} differs from the one whose result the output already has,"
            " perhaps only in its model; give it another id, or write to another output"
        )
        raise self._error(number, msg)

    def _raise_repeated(self, number: int, custom_id: str | int) -> None:
        self._file.seek(self._start)
        for first, line in enumerate(self._file, 1):
            text = line.removeprefix(_BYTE_ORDER_MARK).strip()
            if text and str(parse_line(text, "").custom_id) == str(custom_id):
                msg = f"line {first} already has the id {custom_id!r}; give each request its own id"
                raise self._error(number, msg)

    def _error(self, number: int, problem: str, *, begun: bool = False) -> InputError:
        return InputError(f"{self.name}, line {number}: {problem}", line=number, begun=begun)

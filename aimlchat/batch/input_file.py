"""The input: lines that are read twice, so that all are checked before the first is sent."""

from __future__ import annotations

import asyncio
import shlex
import tempfile
import zlib
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

import msgspec

from .cooperative import LINES_PER_TURN
from .errors import InputError
from .file_format import SAMPLE_SIZE, describe_format, strip_line
from .input_check import InputCheck
from .input_lines import InputRequest, parse_line
from .streams import get_descriptor, open_stream, read_block

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .input_check import CheckedInput
    from .known_ids import KnownIds
    from .shard import Shard

__all__ = ["InputFile", "make_seekable"]

# More than any vendor accepts as the body of one request: 32 MB (Anthropic) to 100 MB (Gemini). A
# file without line feeds must not be read into memory as one line.
_MAX_LINE_BYTES = 128 * 1024 * 1024
# The end of an object that continues after its line is searched in this many lines and bytes.
_MAX_OBJECT_LINES = 2_000
_MAX_OBJECT_BYTES = 1024 * 1024
_MAX_OBJECT_ENDS = 50
# The last two are raised by streams that decompress what they read.
_READ_ERRORS = (OSError, EOFError, zlib.error)
_COPIED_BYTES = 1024 * 1024
_STDIN, _STREAM = _UNNAMED = ("standard input", "the input")


def make_seekable(stream: IO[bytes]) -> IO[bytes]:
    """Return the stream if it can be read twice, else a copy of it in a temporary file.

    Copying blocks until the end of the stream. The temporary file is deleted when it is closed.

    Args:
        stream: the open input, in bytes.

    Raises:
        InputError: the stream cannot be read or copied, or is not lines of JSON in UTF-8.
    """
    return stream if stream.seekable() else _copy(stream, _STREAM)


class InputFile:
    """The open input: a path, or a stream.

    Opening a pipe blocks until its end: it is copied to a temporary file, so that it can be read
    twice. Raises `InputError` for a file that cannot be read, or is of another format.
    """

    def __init__(self, source: str | Path | IO[bytes], model: str) -> None:
        self._model = model
        if isinstance(source, str | Path):
            self.name = str(source)
            self._file = _open(Path(source), self.name)
        else:
            self.name = _STDIN if _is_stdin(source) else _STREAM
            self._file = source if source.seekable() else _copy(source, self.name)
        self._is_owned = self._file is not source
        try:
            with _catch_read_errors(self.name):
                self._start = self._file.tell()
                sample = self._file.read(SAMPLE_SIZE)
            _check_format(sample, self.name)
        except InputError:
            self.close()
            raise

    def get_descriptor(self) -> int | None:
        """Return the descriptor of the file; None for a stream in memory."""
        return get_descriptor(self._file)

    def close(self) -> None:
        """Close the file, unless it is the caller's own stream."""
        if self._is_owned:
            self._file.close()

    async def check(
        self,
        known_ids: KnownIds,
        shard: Shard | None = None,
        *,
        build: Callable[[InputRequest], object] = InputRequest.build_body,
        retry_failed: bool = False,
    ) -> CheckedInput:
        """Read and check every line, and add its id to the known ones if it is in the shard.

        ``build`` raises `ValueError` for a request that cannot be sent.

        Raises `InputError` for lines that are broken, repeat an id, or differ from the request
        whose result the output has under the same id. Cancelling is safe.
        """
        check = InputCheck(self.name, known_ids, shard, retry_failed=retry_failed)
        is_first = may_span_lines = True
        last = 0  # of the object that is read
        for number, line in self._read_lines():
            if number % LINES_PER_TURN == 0:
                await asyncio.sleep(0)
            text = strip_line(line)
            if number <= last or not text:
                continue
            try:
                request = parse_line(text, self._model)
            except ValueError as error:
                if may_span_lines and text.startswith(b"{"):
                    last = self._find_end_of_object(number, text)
                    may_span_lines = bool(last)
                if last > number:
                    check.add_object_on_lines(number, last)
                else:
                    check.add_unreadable(number, str(error), text if is_first else b"")
            else:
                if check.add(number, text, request, build):
                    check.add_repeated(number, request.custom_id, self._find_line)
            is_first = False
        return check.finish()

    def read_pending(
        self, checked: CheckedInput
    ) -> Iterator[tuple[int, InputRequest, bytes] | None]:
        """Yield the pending requests, each with the number of its line and its digest.

        Every `LINES_PER_TURN` lines without a pending request it yields None, so that the caller
        can yield to the event loop. Raises `InputError` if a line has changed since it was checked,
        so that no id is sent twice.
        """
        pending = checked.pending
        for number, line in self._read_lines():
            text = strip_line(line) if number <= len(pending) and pending[number - 1] else b""
            if not text:
                if number % LINES_PER_TURN == 0:
                    yield None
                continue
            if hash(text) != checked.hashes[number - 1]:
                msg = (
                    f"{self.name}, line {number}: the line was changed during the run; leave the"
                    " input as it is, and run the same command again"
                )
                raise InputError(msg, line=number, begun=True)
            request = parse_line(text, self._model)
            yield number, request, request.restore_digest(checked.digests[number - 1])

    def _read_lines(self) -> Iterator[tuple[int, bytes]]:
        read_line = partial(self._file.readline, _MAX_LINE_BYTES + 1)
        with _catch_read_errors(self.name):
            self._file.seek(self._start)
            for number, line in enumerate(iter(read_line, b""), 1):
                if len(line) > _MAX_LINE_BYTES:
                    msg = (
                        f"{self.name}, line {number}: the line has more than"
                        f" {_MAX_LINE_BYTES:,} bytes; no model takes such a request"
                    )
                    raise InputError(msg, line=number)
                yield number, line

    def _find_line(self, custom_id: str | int) -> int:
        """Return the number of the first line with an id."""
        position = self._file.tell()
        found = 0
        for number, line in self._read_lines():
            try:
                found = number * (str(parse_line(strip_line(line), "").custom_id) == str(custom_id))
            except ValueError:
                continue
            if found:
                break
        self._file.seek(position)
        return found

    def _find_end_of_object(self, number: int, text: bytes) -> int:
        """Return the last line of an object that continues after its line; 0 if it does not end."""
        position = self._file.tell()
        last, ends, lines = 0, 0, [text]
        size = len(text)
        with _catch_read_errors(self.name):
            for line in iter(partial(self._file.readline, _MAX_OBJECT_BYTES), b""):
                lines.append(line)
                size += len(line)
                if size > _MAX_OBJECT_BYTES or len(lines) > _MAX_OBJECT_LINES:
                    break
                if line.rstrip().rstrip(b",").endswith(b"}"):
                    ends += 1
                    if _is_object(b"".join(lines)):
                        last = number + len(lines) - 1
                    if last or ends > _MAX_OBJECT_ENDS:
                        break
        self._file.seek(position)
        return last


def _open(path: Path, name: str) -> IO[bytes]:
    """Open a path; a file that cannot be read twice is copied."""
    with _catch_read_errors(name):
        if path.is_file():
            return path.open("rb")
        stream = open_stream(path, "rb")
        if stream.seekable():
            return stream
    with stream:
        return _copy(stream, name)


def _copy(stream: IO[bytes], name: str) -> IO[bytes]:
    """Copy a stream to a temporary file, unless its beginning shows that it cannot be used."""
    sample = b""
    with _catch_read_errors(name):
        while len(sample) < SAMPLE_SIZE and (data := read_block(stream, SAMPLE_SIZE)):
            sample += data
    _check_format(sample, name)
    with ExitStack() as stack:
        try:
            copy = stack.enter_context(tempfile.TemporaryFile())
            data = sample
            while data:
                copy.write(data)
                with _catch_read_errors(name):
                    data = read_block(stream, _COPIED_BYTES)
            copy.seek(0)
        except OSError as error:
            msg = (
                f"{name} cannot be copied to a temporary file in {tempfile.gettempdir()}:"
                f" {error.strerror or error}; set TMPDIR to a folder with room"
            )
            raise InputError(msg) from error
        stack.pop_all()
    return copy


def _check_format(sample: bytes, name: str) -> None:
    problem = describe_format(sample, "FILE" if name in _UNNAMED else shlex.quote(name))
    if problem:
        msg = f"{name} cannot be read: {problem}"
        raise InputError(msg)


@contextmanager
def _catch_read_errors(name: str) -> Iterator[None]:
    """Turn the errors of reading a file into an `InputError` that names it."""
    try:
        yield
    except _READ_ERRORS as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        msg = f"{name} cannot be read: {reason}"
        raise InputError(msg) from error


def _is_stdin(stream: IO[bytes]) -> bool:
    return getattr(stream, "name", None) in ("<stdin>", 0)


def _is_object(data: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(data.rstrip().rstrip(b",")), dict)
    except (ValueError, RecursionError):  # DecodeError and UnicodeDecodeError are ValueErrors
        return False

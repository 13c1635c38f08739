"""Reads the prompt of a request from arguments and standard input."""

from __future__ import annotations

import os
import stat
import sys
from typing import IO, TYPE_CHECKING

import click

from aimlchat._wide_encodings import find_wide_encoding

from .errors import CommandInputError, describe_os_error

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["read_line", "read_prompt"]

# The largest context windows have 10 million tokens, which are about 40 MB of English text.
_MAX_PROMPT_BYTES = 64 * 1024 * 1024
_BLOCK_SIZE = 64 * 1024
_STDIN = "standard input"


def read_prompt(arguments: tuple[str, ...]) -> str:
    """Return the prompt: one argument, standard input, or both if the second argument is ``-``.

    Standard input is read only where it is needed: in a script or on a build server it may be open
    and never end, or belong to a loop around the command.

    Raises `click.UsageError` for arguments that make no prompt, and `CommandInputError` for a
    prompt that is empty or not valid text.
    """
    match arguments:
        case () if sys.stdin is not None and sys.stdin.isatty():
            msg = 'Give a prompt, as in: aimlchat ask "Why is the sky blue?"'
            raise click.UsageError(msg)
        case () | ("-",):
            prompt = _read_standard_input()
        case (prompt,):
            pass
        case (first, "-"):
            prompt = f"{first}\n\n{_read_standard_input()}"
        case _:
            msg = "The prompt is one argument: put it in quotes."
            raise click.UsageError(msg)
    if not prompt.strip():
        msg = "the prompt is empty, so nothing was sent"
        raise CommandInputError(msg)
    try:
        prompt.encode()
    except UnicodeEncodeError as error:
        msg = "the prompt is not valid UTF-8 text, so nothing was sent"
        raise CommandInputError(msg) from error
    return prompt


def read_line() -> str:
    """Return a line of standard input with its line feed; ``""`` at the end.

    Raises `CommandInputError` for a line that is not text, or longer than any model accepts.
    """
    if sys.stdin is None:
        return ""
    # A terminal has the encoding of the locale.
    encoding = sys.stdin.encoding if sys.stdin.isatty() else "utf-8-sig"
    read = _blocking_stdin().readline
    # A part of a line that is shorter than a block is the last one.
    line = _read_up_to_limit(read, lambda part: part[-1:] == b"\n" or len(part) < _BLOCK_SIZE)
    return _decode(line, encoding)


def _read_standard_input() -> str:
    if sys.stdin is None:  # closed by the shell, as in `aimlchat ask <&-`
        return ""
    # Decoded here: the encoding that Python takes from the locale need not be the pipe's.
    data = _read_up_to_limit(_blocking_stdin().read, lambda block: not block)
    return _decode(data, "utf-8-sig").rstrip("\r\n")


def _blocking_stdin() -> IO[bytes]:
    """Return standard input, which another process that shares it may have set to O_NONBLOCK."""
    stdin = sys.stdin.buffer
    try:
        descriptor = stdin.fileno()
    except OSError:  # not a file, as in a test
        return stdin
    if os.name != "nt" and not os.get_blocking(descriptor):
        os.set_blocking(descriptor, True)
    return stdin


def _read_up_to_limit(read: Callable[[int], bytes], is_last: Callable[[bytes], bool]) -> bytes:
    """Read standard input until a block is the last one.

    Input that no model accepts is refused while it is read, before it fills the memory.
    """
    blocks: list[bytes] = []
    size = 0
    while True:
        try:
            block = read(_BLOCK_SIZE)
        except OSError as error:
            msg = f"{_STDIN} cannot be read: {describe_os_error(error)}"
            raise CommandInputError(msg) from error
        if b"\0" in block:
            _refuse_wide_encoding(blocks[0] if blocks else block)
            position = size + block.index(b"\0")
            msg = f"{_STDIN} is binary, not text (byte {position:,} is zero), so it was not sent"
            raise CommandInputError(msg)
        blocks.append(block)
        size += len(block)
        if size > _MAX_PROMPT_BYTES:
            msg = (
                f"{_STDIN} has {_describe_size(sys.stdin.buffer, size)}, and no model takes more"
                f" than {_MAX_PROMPT_BYTES:,} of text, so it was not sent"
            )
            raise CommandInputError(msg)
        if is_last(block):
            return b"".join(blocks)


def _describe_size(file: IO[bytes], size: int) -> str:
    """Return the size of a regular file, or how much has been read of anything else."""
    try:
        status = os.fstat(file.fileno())
    except OSError:  # not a file, as in a test
        return f"more than {size - 1:,} bytes"
    if stat.S_ISREG(status.st_mode):
        return f"{status.st_size:,} bytes"
    return f"more than {size - 1:,} bytes"


def _decode(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        _refuse_wide_encoding(data[:_BLOCK_SIZE])
        name = "UTF-8" if encoding.startswith("utf-8") else encoding
        msg = f"{_STDIN} is not {name} text (byte {error.start}), so it was not sent"
        raise CommandInputError(msg) from error


def _refuse_wide_encoding(sample: bytes) -> None:
    """Raise `CommandInputError` for text in UTF-16 or UTF-32, as PowerShell writes it."""
    if encoding := find_wide_encoding(sample):
        msg = f"{_STDIN} is {encoding}, not UTF-8 text, so it was not sent"
        raise CommandInputError(msg, f"Convert it, as in: iconv -f {encoding} -t UTF-8")

"""What the user asks, out of arguments, standard input and files."""

from __future__ import annotations

import re
import sys

import click

from aimlchat.content import Image
from aimlchat.errors import InvalidRequestError

from .failures import InputFailure, reason_of

__all__ = ["image_from", "prompt_from"]

_STANDARD_INPUT = "-"
_URL = re.compile(r"https?://|data:", re.IGNORECASE)


def prompt_from(arguments: tuple[str, ...]) -> str:
    """Make the prompt: of one argument, of standard input, or of both where a "-" follows.

    Standard input is read only if it has to be: where a script or a build server runs the command
    it may be open and silent for ever, or belong to the loop around the command.
    """
    match arguments:
        case () if sys.stdin is not None and sys.stdin.isatty():
            msg = 'Give a prompt, as in: aimlchat ask "Why is the sky blue?"'
            raise click.UsageError(msg)
        case () | ("-",):
            prompt = _standard_input()
        case (prompt,):
            pass
        case (first, "-"):
            prompt = f"{first}\n\n{_standard_input()}"
        case _:
            msg = "The prompt is one argument: put it in quotes."
            raise click.UsageError(msg)
    if not prompt.strip():
        msg = "the prompt is empty, so nothing was sent"
        raise InputFailure(msg)
    if any("\ud800" <= character <= "\udfff" for character in prompt):
        msg = "the prompt is not valid UTF-8 text, so nothing was sent"
        raise InputFailure(msg)
    return prompt


def _standard_input() -> str:
    if sys.stdin is None:  # closed by the shell, as in `aimlchat ask <&-`
        return ""
    try:
        # The bytes, as the encoding of a terminal says nothing about that of a pipe.
        text = sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"standard input is not UTF-8 text (byte {error.start}), so nothing was sent"
        raise InputFailure(msg) from error
    return text.rstrip("\r\n")


def image_from(path_or_url: str) -> Image:
    """Read a picture from a file, or take its URL."""
    try:
        if _URL.match(path_or_url):
            return Image.from_url(path_or_url)
        return Image.from_path(path_or_url)
    except OSError as error:
        msg = f"--image {path_or_url}: it cannot be read: {reason_of(error)}"
        raise InputFailure(msg) from error
    except InvalidRequestError as error:
        # Its own text names the field `image`, which says less than the option and the file.
        msg = f"--image {path_or_url[:200]}: {error.args[0]}"
        raise InputFailure(msg) from error

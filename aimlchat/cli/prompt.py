"""Reads the prompt and the images of a request from arguments, standard input and files."""

from __future__ import annotations

import re
import sys

import click

from aimlchat.content import Image
from aimlchat.errors import InvalidRequestError

from .errors import CommandInputError, describe_os_error

__all__ = ["load_image", "read_prompt"]

_URL = re.compile(r"https?://|data:", re.IGNORECASE)


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
    if any("\ud800" <= character <= "\udfff" for character in prompt):
        msg = "the prompt is not valid UTF-8 text, so nothing was sent"
        raise CommandInputError(msg)
    return prompt


def _read_standard_input() -> str:
    if sys.stdin is None:  # closed by the shell, as in `aimlchat ask <&-`
        return ""
    try:
        # Decoded here: the encoding that Python takes from the locale need not be the pipe's.
        text = sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"standard input is not UTF-8 text (byte {error.start}), so nothing was sent"
        raise CommandInputError(msg) from error
    return text.rstrip("\r\n")


def load_image(path_or_url: str) -> Image:
    """Return the image in a file, or at a URL."""
    try:
        if _URL.match(path_or_url):
            return Image.from_url(path_or_url)
        return Image.from_path(path_or_url)
    except OSError as error:
        msg = f"--image {path_or_url}: it cannot be read: {describe_os_error(error)}"
        raise CommandInputError(msg) from error
    except InvalidRequestError as error:
        # str(error) would add the name of the field; the option and the file say more.
        msg = f"--image {path_or_url[:200]}: {error.args[0]}"
        raise CommandInputError(msg) from error

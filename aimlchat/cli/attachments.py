"""Reads what `ask` attaches to its prompt: pictures, documents, sound and text."""

from __future__ import annotations

import re
from pathlib import Path

from aimlchat.content import Audio, Document, Image, Text, detect_media_type
from aimlchat.errors import InvalidRequestError

from .errors import CommandInputError, describe_os_error

__all__ = ["load_attachment"]

_URL = re.compile(r"https?://|data:", re.IGNORECASE)
_SAMPLE_BYTES = 64 * 1024
_PDF = "application/pdf"


def load_attachment(path_or_url: str) -> Image | Document | Audio | Text:
    """Return the content of a file, which its bytes tell apart, or of a URL.

    A text is preceded by its name. Raises `CommandInputError`.
    """
    try:
        if _URL.match(path_or_url):
            return _load_url(path_or_url)
        return _load_file(Path(path_or_url))
    except OSError as error:
        msg = f"--attach {path_or_url}: it cannot be read: {describe_os_error(error)}"
        raise CommandInputError(msg) from error
    except InvalidRequestError as error:
        # str(error) would add the name of the field; the option and the file say more.
        msg = f"--attach {path_or_url[:200]}: {error.args[0]}"
        raise CommandInputError(msg) from error


def _load_url(url: str) -> Image | Document:
    is_pdf = url[:5].lower() == "data:" and url[5 : 5 + len(_PDF)].lower() == _PDF
    # Not by `urlsplit`, which raises for a broken host: whoever fetches the URL will tell.
    path = re.split("[?#]", url, maxsplit=1)[0]
    if is_pdf or path.lower().endswith(".pdf"):
        return Document.from_url(url)
    return Image.from_url(url)


def _load_file(path: Path) -> Image | Document | Audio | Text:
    if path.exists() and not (path.is_file() or path.is_dir()):
        # Its bytes can be read only once, or it waits for a writer; a directory cannot be opened.
        msg = f"--attach {path}: it is a pipe or a device; give a file"
        raise CommandInputError(msg)
    with path.open("rb") as file:
        kind = detect_media_type(file.read(_SAMPLE_BYTES)) or ""
    if kind.startswith("image/"):
        return Image.from_path(path)
    if kind.startswith("audio/"):
        return Audio.from_path(path)
    document = Document.from_path(path)  # a PDF or text; it refuses anything else
    if document.media_type == _PDF:
        return document
    text = (document.data or b"").decode("utf-8-sig")
    return Text(f"{path.name}:\n\n{text}")

"""Reads what `ask` and the chat page attach: images, documents, audio and text."""

from __future__ import annotations

import re
from pathlib import Path

import attrs

from aimlchat.content import Audio, Document, Image, Text, detect_media_type
from aimlchat.errors import InvalidRequestError

from .errors import CommandInputError, describe_os_error

__all__ = ["build_attachment", "load_attachment"]

_URL = re.compile(r"https?://|data:", re.IGNORECASE)
_SAMPLE_BYTES = 64 * 1024
_PDF = "application/pdf"


def load_attachment(path_or_url: str) -> Image | Document | Audio | Text:
    """Return the content of a file, whose bytes determine its kind, or of a URL.

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


def build_attachment(name: str, data: bytes) -> Image | Document | Audio | Text:
    """Return the content of a file whose bytes were read already, as `load_attachment` does.

    Raises `InvalidRequestError` for a format that no model accepts.
    """
    part = attrs.evolve(_choose_class(data).from_bytes(data), filename=name)
    return _unwrap_text(part, name)


def _load_url(url: str) -> Image | Document:
    is_pdf = url[:5].lower() == "data:" and url[5 : 5 + len(_PDF)].lower() == _PDF
    # Not by `urlsplit`, which raises for a broken host: the server that fetches the URL reports
    # that.
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
        sample = file.read(_SAMPLE_BYTES)
    return _unwrap_text(_choose_class(sample).from_path(path), path.name)


def _choose_class(data: bytes) -> type[Image | Document | Audio]:
    kind = detect_media_type(data) or ""
    if kind.startswith("image/"):
        return Image
    # A document is a PDF or text; it refuses anything else.
    return Audio if kind.startswith("audio/") else Document


def _unwrap_text(part: Image | Document | Audio, name: str) -> Image | Document | Audio | Text:
    """Return the text of a document of plain text, below its name; anything else as it is."""
    if not isinstance(part, Document) or part.media_type == _PDF:
        return part
    text = (part.data or b"").decode("utf-8-sig")
    return Text(f"{name}:\n\n{text}")

"""The parts of requests: text, images, documents, audio and thinking."""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self

import attrs

from .errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .tool_types import ToolCall

__all__ = [
    "Audio",
    "Document",
    "Image",
    "Message",
    "Text",
    "Thinking",
    "decode_base64",
    "decode_data_uri",
    "detect_media_type",
    "remove_white_space",
]

# The first bytes of the formats that the API accepts: offset, bytes, media type. The name of a file
# is ignored: it is often wrong, and the API rejects a wrong media type.
_SIGNATURES = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (0, b"%PDF-", "application/pdf"),
    (8, b"WAVE", "audio/wav"),
    (0, b"ID3", "audio/mpeg"),
)
_MPEG_FRAME = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb]")  # Layer III of MPEG 1, 2 and 2.5.
_DATA_URI = re.compile(r"data:([^;,]*)(?:;[^;,]*)*?;base64,", re.IGNORECASE)  # RFC 2397
# More than any vendor accepts in a request: 32 MB (Anthropic) to 100 MB (Gemini).
_MAX_FILE_BYTES = 128 * 1024 * 1024
_SAMPLE_SIZE = 64 * 1024
_MEDIA_TYPE_ALIASES = {"image/jpg": "image/jpeg", "audio/mp3": "audio/mpeg"}
_MEDIA_TYPE_ALIASES |= dict.fromkeys(("audio/x-wav", "audio/wave"), "audio/wav")


def detect_media_type(data: bytes) -> str | None:
    """Return the media type that the first bytes indicate, or None for an unknown format."""
    for offset, signature, media_type in _SIGNATURES:
        if data.startswith(signature, offset):
            return media_type
    return "audio/mpeg" if _MPEG_FRAME.match(data) else None


def _read_file(path: Path, field: str) -> bytes:
    """Return the bytes of a file; if its format is unknown, perhaps only the first ones."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        data = file.read(_SAMPLE_SIZE)
        # A device such as /dev/zero has no end.
        if size <= _MAX_FILE_BYTES and (detect_media_type(data) or b"\0" not in data):
            data += file.read(_MAX_FILE_BYTES - len(data) + 1)
    size = max(size, len(data))
    if size > _MAX_FILE_BYTES:
        msg = f"it has {size:,} bytes, and no model takes a file of more than {_MAX_FILE_BYTES:,}"
        raise InvalidRequestError(msg, field=field)
    return data


def _is_plain_text(data: bytes) -> bool:
    try:
        return "\0" not in data.decode("utf-8")
    except UnicodeDecodeError:
        return False


def remove_white_space(encoded: str) -> str:
    """Return base64 text or a ``data:`` URI without the white space that may break its lines.

    White space has no meaning in either, and the API rejects it.
    """
    return "".join(encoded.split())


def decode_base64(encoded: str, field: str) -> bytes:
    """Return the bytes of a base64 text, which may contain white space.

    Raises `InvalidRequestError`, with ``field`` as its field, if the text is not base64.
    """
    try:
        return base64.b64decode(remove_white_space(encoded), validate=True)
    except ValueError as error:
        msg = f"the base64 data is broken ({error})"
        raise InvalidRequestError(msg, field=field) from error


def decode_data_uri(url: str, field: str) -> tuple[str, bytes] | None:
    """Return the media type, in lower case, and the bytes of a ``data:`` URI.

    The media type is ``""`` if the URI has none. Returns None for any other URL. Raises
    `InvalidRequestError` for a ``data:`` URI that is not base64, or whose base64 is broken.
    """
    if url[:5].lower() != "data:":
        return None
    url = remove_white_space(url)
    match = _DATA_URI.match(url)
    if match is None:
        msg = "a data: URI has to be base64, as in data:image/png;base64,..."
        raise InvalidRequestError(msg, field=field)
    return match[1].lower(), decode_base64(url[match.end() :], field)


@attrs.frozen
class Text:
    """A piece of text in a message; a str does as well.

    Attributes:
        text: the text.
    """

    text: str


@attrs.frozen
class _Media:
    """Data with a media type, or the URL of remote data.

    Create it with one of the ``from_`` constructors.

    Attributes:
        data: the bytes of the file, None for remote data.
        media_type: the media type, such as ``image/png``; None for remote data.
        url: the URL of remote data, else None.
        filename: the name of the file that was read, else None.
    """

    data: bytes | None = attrs.field(default=None, repr=lambda d: f"<{len(d)} bytes>" if d else "-")
    media_type: str | None = None
    url: str | None = None
    filename: str | None = None

    _field: ClassVar[str]
    _media_types: ClassVar[str]  # a regular expression
    _advice: ClassVar[str]

    @classmethod
    def from_path(cls, path: str | os.PathLike[str]) -> Self:
        """Return the contents of the file at ``path``; its bytes determine the media type.

        Blocks while it reads: in a coroutine, read a large file in a thread and pass its bytes to
        `from_bytes`.

        Raises:
            OSError: if the file cannot be read.
            InvalidRequestError: if the file is empty, has more than 128 MiB, or is of a format that
                the API does not accept; or if ``path`` is not a path.
        """
        try:
            path = Path(path)
        except TypeError as error:
            cls._refuse_type(path, "a str or a path; for bytes use from_bytes()", error)
        return cls._from_data(_read_file(path, cls._field), None, path.name)

    @classmethod
    def from_bytes(cls, data: bytes, media_type: str | None = None) -> Self:
        """Return the contents of a file, given as bytes.

        Args:
            data: the bytes; a `bytearray` or a `memoryview` is copied.
            media_type: such as ``image/avif``; only needed if the bytes do not indicate it.

        Raises:
            InvalidRequestError: if the data is empty, if its bytes indicate another media type than
                the given one, or if the API does not accept the format; or if an argument is of
                another type.
        """
        if not isinstance(data, bytes | bytearray | memoryview):
            cls._refuse_type(data, "bytes; for a path use from_path(), for a URL from_url()")
        if media_type is not None and not isinstance(media_type, str):
            cls._refuse_type(media_type, "a media type as a str, such as 'image/png'")
        return cls._from_data(bytes(data), media_type, None)

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return remote data, which the server downloads, or that of a ``data:`` URI.

        Args:
            url: an ``http:`` or ``https:`` URL; or a base64 ``data:`` URI, which may contain white
                space.

        Raises:
            InvalidRequestError: for any other text, for broken base64, and for data that
                `from_bytes` would refuse.
        """
        if not isinstance(url, str):
            cls._refuse_type(url, "the URL as a str, as in str(url)")
        decoded = decode_data_uri(url, cls._field)
        if decoded is not None:
            media_type, data = decoded
            return cls._from_data(data, media_type or None, None)
        if not re.match(r"https?://[^\s/]", url, re.IGNORECASE):
            msg = f"{url[:80]!r} is not an http: or https: URL; for a file use from_path()"
            raise InvalidRequestError(msg, field=cls._field)
        return cls(url=url)

    @classmethod
    def _refuse_type(cls, value: Any, wanted: str, cause: Exception | None = None) -> NoReturn:
        msg = f"it cannot be made from an object of type {type(value).__name__}; give {wanted}"
        raise InvalidRequestError(msg, field=cls._field) from cause

    @classmethod
    def _from_data(cls, data: bytes, media_type: str | None, filename: str | None) -> Self:
        if not data:
            msg = f"the data has no bytes; {cls._advice}"
            raise InvalidRequestError(msg, field=cls._field)
        detected = detect_media_type(data)
        if media_type is not None:
            media_type = media_type.strip().lower()
            media_type = _MEDIA_TYPE_ALIASES.get(media_type, media_type)
        if detected and media_type and detected != media_type:
            msg = f"the bytes are {detected}, not {media_type}; leave the media type out"
            raise InvalidRequestError(msg, field=cls._field)
        found = detected or media_type or ("text/plain" if _is_plain_text(data) else None)
        if found == "text/plain" and not _is_plain_text(data):
            found = None
        if found is None or not re.fullmatch(cls._media_types, found):
            what = found or f"an unknown format (it begins with {data[:8]!r})"
            msg = f"cannot take {what}; {cls._advice}"
            raise InvalidRequestError(msg, field=cls._field)
        return cls(data=data, media_type=found, filename=filename)

    def base64(self) -> str:
        """Return the data in base64, without line breaks; ``""`` for remote data."""
        return base64.b64encode(self.data or b"").decode("ascii")

    def data_uri(self) -> str:
        """Return the data as a ``data:`` URI; not for remote data."""
        return f"data:{self.media_type};base64,{self.base64()}"


class Image(_Media):
    """An image: PNG, JPEG, GIF or WebP, or another type given by ``media_type``.

    The anthropic dialect accepts only those four, and no remote images.
    """

    __slots__ = ()
    _field = "image"
    _media_types = r"image/.+"
    _advice = "give a PNG, JPEG, GIF or WebP"


class Document(_Media):
    """A PDF, or plain text in UTF-8, which only the anthropic dialect accepts as a document.

    Neither dialect accepts remote documents.
    """

    __slots__ = ()
    _field = "document"
    _media_types = r"application/pdf|text/plain"
    _advice = "give a PDF or UTF-8 text"


class Audio(_Media):
    """An audio recording, WAV or MP3; openai dialect only, and never remote."""

    __slots__ = ()
    _field = "audio"
    _media_types = r"audio/(wav|mpeg)"
    _advice = "give WAV or MP3"


@attrs.frozen
class Thinking:
    """A budget for the model's reasoning, in tokens.

    Attributes:
        budget_tokens: at least 1024, and below the request's ``max_tokens``, which count the
            reasoning too.
    """

    budget_tokens: int


@attrs.frozen
class Message:
    """A message for any dialect; ``turn`` has further keys of `Completion.as_message`."""

    role: str
    parts: tuple[Text | Image | Document | Audio, ...] = ()
    tool_calls: tuple[ToolCall, ...] = attrs.field(default=(), kw_only=True)
    refusal: str | None = attrs.field(default=None, kw_only=True)
    turn: Mapping[str, Any] | None = attrs.field(default=None, kw_only=True)
    call_id: str | None = attrs.field(default=None, kw_only=True)
    is_error: bool = attrs.field(default=False, kw_only=True)
    cache_ttl: str | None = attrs.field(default=None, kw_only=True)

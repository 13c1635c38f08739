"""What requests are made of: text, images, documents, audio, tools, tool calls and thinking."""

from __future__ import annotations

import base64
import binascii
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import attrs

from .errors import InvalidRequestError, ProtocolError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

__all__ = [
    "Audio",
    "Document",
    "Image",
    "Message",
    "Text",
    "Thinking",
    "Tool",
    "ToolCall",
    "media_type_of",
]

# The first bytes of the formats that the API takes: offset, bytes, media type. A file's name is
# never asked: it lies too often, and a wrong media type is refused upstream.
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
_MPEG_FRAME = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb]")  # layer III of MPEG 1, 2 and 2.5
_DATA_URI = re.compile(r"data:([^;,]*)((?:;[^;,]*)*),", re.IGNORECASE)
_SAME_TYPE = {
    "image/jpg": "image/jpeg",
    "audio/mp3": "audio/mpeg",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
}


def media_type_of(data: bytes) -> str | None:
    """Return the media type that the bytes themselves show, or None for an unknown one."""
    for offset, signature, media_type in _SIGNATURES:
        if data.startswith(signature, offset):
            return media_type
    return "audio/mpeg" if _MPEG_FRAME.match(data) else None


def _is_text(data: bytes) -> bool:
    try:
        return "\0" not in data.decode("utf-8")
    except UnicodeDecodeError:
        return False


def _decoded(text: str, field: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        msg = f"the base64 data is broken ({error})"
        raise InvalidRequestError(msg, field=field) from error


@attrs.frozen
class Text:
    """A piece of text in a message."""

    text: str


@attrs.frozen
class _Media:
    """Bytes with a media type, or the URL of some; made by the ``from_`` constructors.

    ``url`` is set for remote data only, ``data`` for everything else.
    """

    data: bytes | None = attrs.field(default=None, repr=lambda d: f"<{len(d)} bytes>" if d else "-")
    media_type: str | None = None
    url: str | None = None
    filename: str | None = None

    _field: ClassVar[str]
    _takes: ClassVar[re.Pattern[str]]
    _wanted: ClassVar[str]

    @classmethod
    def from_path(cls, path: str | os.PathLike[str]) -> Self:
        """Read a file; its media type comes from its bytes. Blocks while it reads.

        Raises `OSError` if the file cannot be read, `InvalidRequestError` if it is empty or not of
        a kind that the API takes.
        """
        path = Path(path)
        return cls._from_data(path.read_bytes(), None, path.name)

    @classmethod
    def from_bytes(cls, data: bytes, media_type: str | None = None) -> Self:
        """Take bytes; ``media_type`` is only needed for formats that the bytes do not show.

        Raises `InvalidRequestError` if the bytes are of another type than the one given.
        """
        return cls._from_data(bytes(data), media_type, None)

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Take an ``http(s):`` URL, which the server fetches, or a ``data:`` URI with base64."""
        if match := _DATA_URI.match(url):
            if ";base64" not in match[2].lower():
                msg = "a data: URI has to be base64, as in data:image/png;base64,..."
                raise InvalidRequestError(msg, field=cls._field)
            data = _decoded(url[match.end() :], cls._field)
            return cls._from_data(data, match[1] or None, None)
        if not re.match(r"https?://[^\s/]", url, re.IGNORECASE):
            msg = f"{url[:80]!r} is not an http: or https: URL; for a file use from_path()"
            raise InvalidRequestError(msg, field=cls._field)
        return cls(url=url)

    @classmethod
    def _from_data(cls, data: bytes, media_type: str | None, filename: str | None) -> Self:
        if not data:
            msg = f"there are no bytes in it; {cls._wanted}"
            raise InvalidRequestError(msg, field=cls._field)
        shown = media_type_of(data)
        if media_type is not None:
            media_type = media_type.strip().lower()
            media_type = _SAME_TYPE.get(media_type, media_type)
        if shown and media_type and shown != media_type:
            msg = f"the bytes are {shown}, not {media_type}; leave the media type out"
            raise InvalidRequestError(msg, field=cls._field)
        found = shown or media_type or ("text/plain" if _is_text(data) else None)
        if found == "text/plain" and not _is_text(data):
            found = None
        if found is None or not cls._takes.fullmatch(found):
            what = found or f"an unknown format (it begins with {data[:8]!r})"
            msg = f"cannot take {what}; {cls._wanted}"
            raise InvalidRequestError(msg, field=cls._field)
        return cls(data=data, media_type=found, filename=filename)

    def base64(self) -> str:
        """Return the data in base64, as both dialects carry it; ``""`` for remote data."""
        return base64.b64encode(self.data or b"").decode("ascii")

    def data_uri(self) -> str:
        """Return the data as a ``data:`` URI."""
        return f"data:{self.media_type};base64,{self.base64()}"


@attrs.frozen
class Image(_Media):
    """A picture: PNG, JPEG, GIF or WebP, and by ``media_type`` any other that a model knows."""

    _field = "image"
    _takes = re.compile(r"image/.+")
    _wanted = "give a PNG, JPEG, GIF or WebP"


@attrs.frozen
class Document(_Media):
    """A PDF, or plain text in UTF-8 (which only the anthropic dialect takes as a document)."""

    _field = "document"
    _takes = re.compile(r"application/pdf|text/plain")
    _wanted = "give a PDF or UTF-8 text"


@attrs.frozen
class Audio(_Media):
    """A recording, WAV or MP3."""

    _field = "audio"
    _takes = re.compile(r"audio/(wav|mpeg)")
    _wanted = "give WAV or MP3"


@attrs.frozen
class Tool:
    """A function that the model may ask for.

    ``name`` is 1 to 64 of ``A-Z a-z 0-9 _ -``, ``parameters`` a JSON schema of type object (none:
    the function takes no arguments), ``strict`` makes the model keep to the schema where it can.
    """

    name: str
    description: str | None = attrs.field(default=None, kw_only=True)
    parameters: Mapping[str, Any] | None = attrs.field(default=None, kw_only=True)
    strict: bool | None = attrs.field(default=None, kw_only=True)


@attrs.frozen
class Thinking:
    """A budget for the model's reasoning, in tokens: at least 1024, and below ``max_tokens``."""

    budget_tokens: int


@attrs.frozen
class ToolCall:
    """A function that the model asks for.

    ``raw_arguments`` is the text that came; ``complete`` is False on a call out of a stream that
    had not reached its end, which must not be acted on.
    """

    id: str
    name: str
    raw_arguments: str = ""
    complete: bool = True

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments, parsed anew at each access; no text at all means no arguments.

        Raises `ProtocolError` if the call was cut off, or if its text is not a JSON object.
        """
        if not self.complete:
            msg = f"tool call {self.name!r} was cut off with its stream; see .raw_arguments"
            raise ProtocolError(msg)
        try:
            arguments = json.loads(self.raw_arguments.strip() or "{}")
        except (ValueError, RecursionError) as error:
            msg = f"the arguments of tool call {self.name!r} are not JSON: {error}"
            raise ProtocolError(msg) from error
        if not isinstance(arguments, dict):
            msg = f"the arguments of tool call {self.name!r} are not a JSON object"
            raise ProtocolError(msg)
        return arguments


@attrs.frozen
class Message:
    """One turn of a conversation in neither dialect's form, as the request builder makes it.

    ``role`` is ``user``, ``assistant`` or ``tool``. ``tool_calls`` and ``refusal`` belong to the
    assistant; ``call_id`` and ``is_error`` to a tool, whose ``parts`` are its result.
    """

    role: str
    parts: tuple[Text | Image | Document | Audio, ...] = ()
    tool_calls: tuple[ToolCall, ...] = attrs.field(default=(), kw_only=True)
    refusal: str | None = attrs.field(default=None, kw_only=True)
    call_id: str | None = attrs.field(default=None, kw_only=True)
    is_error: bool = attrs.field(default=False, kw_only=True)

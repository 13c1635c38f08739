"""A cassette: a file of recorded exchanges, one JSON object a line."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from .encoding import encode_body
from .request_difference import describe_nearest

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from typing import Self

__all__ = ["Cassette", "Exchange", "RecordedRequest"]


@attrs.frozen
class RecordedRequest:
    """What identifies a request: everything but its headers.

    `body` is the parsed JSON; the text, or `{"base64": ...}`, of a body that is not JSON; None for
    an empty one.
    """

    method: str
    path: str
    query: str = ""
    body: Any = None

    @classmethod
    def from_bytes(cls, method: str, path: str, query: str, body: bytes) -> Self:
        """Build the request from what was received."""
        try:
            return cls(method, path, query, json.loads(body) if body else None)
        except (ValueError, RecursionError):
            return cls(method, path, query, _encode_bytes(body))

    @property
    def key(self) -> str:
        """The same string for equal requests, in whatever order the members of their body are."""
        return json.dumps([self.method, self.path, self.query, self.body], sort_keys=True)

    @property
    def is_chat(self) -> bool:
        """Whether a model works on the response."""
        return self.path in ("/v1/chat/completions", "/v1/messages")

    def __str__(self) -> str:
        return f"{self.method} {self.path}{'?' * bool(self.query)}{self.query}"


@attrs.frozen
class Exchange:
    """A recorded request and its response.

    Attributes:
        request: the request.
        status: the HTTP status of the response.
        headers: the response headers that were kept.
        content_length: the promised length of the body; None for a body in HTTP chunks.
        wait: the seconds until the response headers.
        pieces: the seconds before each piece of the body, and its bytes. The pieces of a stream are
            the HTTP chunks that the server sent.
        complete: whether the body was recorded to its end. Otherwise the server cut it, or the
            client left.
    """

    request: RecordedRequest
    status: int
    headers: Mapping[str, str]
    content_length: int | None
    wait: float
    pieces: tuple[tuple[float, bytes], ...]
    complete: bool = True

    def to_json(self) -> bytes:
        """Return the exchange as one line of a cassette."""
        value = {
            "request": attrs.asdict(self.request, recurse=False),
            "response": {
                "status": self.status,
                "headers": dict(self.headers),
                "content_length": self.content_length,
                "wait": round(self.wait, 4),
                "body": [[round(pause, 4), _encode_bytes(data)] for pause, data in self.pieces],
                "complete": self.complete,
            },
        }
        return encode_body(value)

    @classmethod
    def from_json(cls, line: bytes) -> Self:
        """Read a line of a cassette.

        Raises:
            ValueError: it is not an exchange.
        """
        try:
            value = json.loads(line)
            request, response = value["request"], value["response"]
            return cls(
                request=RecordedRequest(**request),
                status=int(response["status"]),
                headers=dict(response["headers"]),
                content_length=response["content_length"],
                wait=float(response["wait"]),
                pieces=tuple((float(p), _decode_bytes(data)) for p, data in response["body"]),
                complete=bool(response["complete"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            msg = "is not a recorded exchange"
            raise ValueError(msg) from error


class Cassette:
    """The exchanges of a file, which may be extended.

    Equal requests get their responses in the order in which they were recorded. Each cassette
    starts with the first one, whatever other cassettes of the same file have played.

    Args:
        path: the file.
        is_recording: whether exchanges are added; the file may then be missing.

    Raises:
        OSError: the file cannot be read.
        ValueError: a line is not an exchange.
    """

    def __init__(self, path: str | os.PathLike[str], *, is_recording: bool) -> None:
        self._path = Path(path)
        self._is_recording = is_recording
        self._exchanges: defaultdict[str, list[Exchange]] = defaultdict(list)
        self._played: defaultdict[str, int] = defaultdict(int)
        self._lines: list[tuple[int, RecordedRequest]] = []
        if is_recording and not self._path.exists():
            self._path.parent.resolve(strict=True)  # report a missing folder now, not at the end
            return
        for number, line in enumerate(self._path.read_bytes().split(b"\n"), 1):
            if line.strip():
                exchange = self._read_line(number, line)
                self._exchanges[exchange.request.key].append(exchange)
                self._lines.append((number, exchange.request))

    def find(self, request: RecordedRequest) -> Exchange | None:
        """Return the next response to a request, None if there is none.

        When all of them were played, a cassette that records has no further one, and any other
        repeats the last.
        """
        exchanges = self._exchanges.get(request.key, [])
        index = self._played[request.key]
        if index >= len(exchanges):
            return None if self._is_recording or not exchanges else exchanges[-1]
        self._played[request.key] += 1
        return exchanges[index]

    def record(self, exchange: Exchange) -> None:
        """Append an exchange to the file, in one write.

        Raises:
            OSError: the file cannot be written.
        """
        line = exchange.to_json() + b"\n"
        with self._path.open("ab+") as file:
            if file.tell():
                file.seek(-1, 2)
                if file.read(1) != b"\n":  # an editor has left the last line open
                    line = b"\n" + line
            file.write(line)

    def describe_miss(self, request: RecordedRequest) -> str:
        """Say that a request is not recorded, and how the nearest one that is differs from it."""
        recorded = [(number, attrs.asdict(other, recurse=False)) for number, other in self._lines]
        nearest = describe_nearest(attrs.asdict(request, recurse=False), recorded)
        return f"{self._path.name} has no recorded response to this {request}; {nearest}"

    def _read_line(self, number: int, line: bytes) -> Exchange:
        try:
            return Exchange.from_json(line)
        except ValueError as error:
            msg = f"{self._path}, line {number}, {error}; delete the line, or record the file anew"
            raise ValueError(msg) from error


def _encode_bytes(data: bytes) -> str | dict[str, str]:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def _decode_bytes(value: str | Mapping[str, str]) -> bytes:
    if isinstance(value, str):
        return value.encode()
    return base64.b64decode(value["base64"], validate=True)

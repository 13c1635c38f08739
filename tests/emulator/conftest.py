"""An emulator, a client that knows nothing but HTTP and JSON, and one that reads raw bytes."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import attrs
import pytest

from aimlchat.emulator import Emulator
from aimlchat.emulator.faults import Fault

CLAUDE = "anthropic/claude-3.7-sonnet"
GPT = "openai/gpt-4o"
SONNET = "anthropic/claude-sonnet-4.5"

# A connection is quiet when this many reads in a row, each this many seconds long, return nothing.
# Counting reads instead of seconds keeps a machine that is busy elsewhere from ending the wait:
# every read gives the emulator its turn of the event loop.
QUIET_READS = 20
READ_SECONDS = 0.002


@attrs.frozen
class Response:
    """A response that was read to its end."""

    status: int
    headers: Any
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)

    @property
    def message(self) -> Any:
        return self.body["choices"][0]["message"]

    @property
    def lines(self) -> list[str]:
        """The data of each event."""
        events = self.text.split("\n\n")
        assert events.pop() == ""
        assert all(event.startswith("data: ") for event in events)
        return [event.removeprefix("data: ") for event in events]

    @property
    def events(self) -> list[Any]:
        return [json.loads(line) for line in self.lines if line != "[DONE]"]

    @property
    def chunks(self) -> list[Any]:
        """The chunks that have choices, taken out of their envelopes."""
        chunks = [event.get("event", event) for event in self.events]
        return [chunk for chunk in chunks if "choices" in chunk]

    @property
    def choices(self) -> list[Any]:
        """The choices of all chunks."""
        return [choice for chunk in self.chunks for choice in chunk["choices"]]

    def join(self, field: str, index: int = 0) -> str:
        """Join one field of all deltas of a choice."""
        deltas = (one.get("delta", {}) for one in self.choices if one["index"] == index)
        return "".join(delta.get(field) or "" for delta in deltas)


@attrs.frozen
class Client:
    """Sends chat requests to an emulator."""

    emulator: Emulator
    http: aiohttp.ClientSession

    async def send(
        self, body: Any, *, key: str = "k", path: str = "/chat/completions", **headers: str
    ) -> Response:
        all_headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        all_headers |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        url = self.emulator.base_url + path
        async with self.http.post(url, data=io.BytesIO(data), headers=all_headers) as response:
            return Response(response.status, response.headers, await response.text())

    async def ask(self, prompt: str = "Hello", *, model: str = CLAUDE, **body: Any) -> Response:
        messages = [{"role": "user", "content": prompt}]
        return await self.send({"model": model, "messages": messages} | body)

    async def send_message(self, **body: Any) -> Response:
        """Send a request in Claude's own message format."""
        messages = [{"role": "user", "content": "Hello"}]
        whole = {"model": SONNET, "max_tokens": 4096, "messages": messages} | body
        return await self.send(whole, path="/messages")

    async def stream(self, prompt: str = "Hello", *, model: str = CLAUDE, **body: Any) -> Response:
        return await self.ask(prompt, model=model, stream=True, **body)


@attrs.frozen
class RawResponse:
    """All bytes that arrived until the connection ended or went quiet.

    Attributes:
        data: the bytes, headers included.
        ended: "closed", "reset" or "quiet".
    """

    data: bytes
    ended: str

    @property
    def headers(self) -> str:
        return self.data.partition(b"\r\n\r\n")[0].decode()

    @property
    def body(self) -> bytes:
        return self.data.partition(b"\r\n\r\n")[2]

    @property
    def http_chunks(self) -> tuple[list[bytes], bytes]:
        """The complete HTTP chunks, and the bytes after them."""
        chunks, rest = [], self.body
        while rest:
            size, _, after = rest.partition(b"\r\n")
            length = int(size, 16)
            if len(after) < length + 2:
                break
            chunks.append(after[:length])
            rest = after[length + 2 :]
        return chunks, rest

    @property
    def unchunked(self) -> bytes:
        return b"".join(self.http_chunks[0])

    @property
    def is_complete(self) -> bool:
        """Whether the terminating HTTP chunk arrived."""
        return self.body.endswith(b"\r\n0\r\n\r\n") or self.body == b"0\r\n\r\n"


@attrs.frozen
class RawClient:
    """Sends chat requests to an emulator over a plain socket."""

    emulator: Emulator

    async def connect(
        self,
        *,
        stream: bool = True,
        model: str = GPT,
        connection: str = "close",
        path: str = "/v1/chat/completions",
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Send a request and return its connection."""
        body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": "Hi"}]}
        if path == "/v1/messages":
            body["max_tokens"] = 4096
        content = json.dumps(body).encode()
        base_url = self.emulator.base_url
        host, port = base_url.removeprefix("http://").removesuffix("/v1").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            b"POST %b HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\n"
            b"Connection: %b\r\nContent-Length: %d\r\n\r\n%b"
            % (path.encode(), connection.encode(), len(content), content)
        )
        return reader, writer

    async def read(self, reader: asyncio.StreamReader) -> RawResponse:
        """Read until the connection ends or goes quiet."""
        data, quiet_reads = b"", 0
        while quiet_reads < QUIET_READS:
            try:
                async with asyncio.timeout(READ_SECONDS):
                    more = await reader.read(65536)
            except TimeoutError:
                quiet_reads += 1
                continue
            except ConnectionResetError:
                return RawResponse(data, "reset")
            if not more:
                return RawResponse(data, "closed")
            data += more
            quiet_reads = 0
        return RawResponse(data, "quiet")

    async def ask(self, **request: Any) -> RawResponse:
        """Send a request, read its response, and disconnect."""
        reader, writer = await self.connect(**request)
        try:
            return await self.read(reader)
        finally:
            writer.close()

    async def ask_with(
        self, fault: Fault | None, *, stream: bool = True, **request: Any
    ) -> RawResponse:
        """Ask for a response with a fault and a known body.

        The body of a stream is the events "one", "two" and "three"; that of a whole response is
        `{"text":"blue"}`.
        """
        if stream:
            self.emulator.reply(events=["one", "two", "three"], fault=fault)
        else:
            self.emulator.reply(body=b'{"text":"blue"}', fault=fault)
        return await self.ask(stream=stream, **request)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator() as emulator:
        yield emulator


@pytest.fixture
def client(emulator: Emulator, http: aiohttp.ClientSession) -> Client:
    return Client(emulator, http)


@pytest.fixture
def raw(emulator: Emulator) -> RawClient:
    return RawClient(emulator)

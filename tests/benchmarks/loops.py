"""The baselines: loops over aiohttp that a user would write by hand."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import TYPE_CHECKING

import aiohttp
import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

BODY = {"model": "claude-3-7-sonnet-20250219", "messages": [{"role": "user", "content": "Why?"}]}

# The API requires these.
HEADERS = {"Authorization": "Bearer k", "Content-Type": "application/json"}

# Those of aiohttp, which the session switches off for streams: a server that never responds must
# not keep a file from its end.
FILE_TIMEOUT = aiohttp.ClientTimeout(total=300, sock_connect=30)


class Delta(msgspec.Struct):
    content: str | None = None


class Choice(msgspec.Struct):
    delta: Delta
    finish_reason: str | None = None


class Chunk(msgspec.Struct):
    choices: list[Choice]


class Message(msgspec.Struct):
    content: str


class WholeChoice(msgspec.Struct):
    message: Message
    finish_reason: str | None = None


class Whole(msgspec.Struct):
    choices: list[WholeChoice]


class Row(msgspec.Struct):
    custom_id: str
    body: msgspec.Raw


CHUNK = msgspec.json.Decoder(Chunk)
WHOLE = msgspec.json.Decoder(Whole)
ROW = msgspec.json.Decoder(Row)


class _Loop:
    """A session of aiohttp for one URL."""

    def __init__(self, base_url: str) -> None:
        self.url = f"{base_url}/chat/completions"
        self.http = aiohttp.ClientSession(
            headers=HEADERS,
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
        )

    async def close(self) -> None:
        await self.http.close()


class Careful(_Loop):
    """A loop by an expert in aiohttp and msgspec, without any check of what the server sends."""

    async def stream(self) -> tuple[int, str]:
        """Read a stream; return the number of chunks with text, and the answer."""
        buffered = b""
        answer: list[str] = []
        body = msgspec.json.encode({**BODY, "stream": True})
        async with self.http.post(self.url, data=body) as response:
            response.raise_for_status()
            async for data in response.content.iter_any():
                *events, buffered = (buffered + data).split(b"\n\n")
                for event in events:
                    if event == b"data: [DONE]":
                        continue
                    choice = CHUNK.decode(event[6:]).choices[0]
                    if choice.delta.content:
                        answer.append(choice.delta.content)
        return len(answer), "".join(answer)

    async def texts(self) -> AsyncIterator[str]:
        """Yield the texts of a stream.

        Apart from `stream`, whose figure must not include the steps of a generator.
        """
        buffered = b""
        body = msgspec.json.encode({**BODY, "stream": True})
        async with self.http.post(self.url, data=body) as response:
            response.raise_for_status()
            async for data in response.content.iter_any():
                *events, buffered = (buffered + data).split(b"\n\n")
                for event in events:
                    if event == b"data: [DONE]":
                        continue
                    choice = CHUNK.decode(event[6:]).choices[0]
                    if choice.delta.content:
                        yield choice.delta.content

    async def whole(self) -> str:
        """Request a completion and return the answer."""
        async with self.http.post(self.url, data=msgspec.json.encode(BODY)) as response:
            response.raise_for_status()
            return WHOLE.decode(await response.read()).choices[0].message.content

    async def file(self, source: Path, target: Path, width: int) -> None:
        """Answer a file of requests, and append each line as soon as its answer is there.

        It takes no more rows than it can send, a row that fails does not end the others, and each
        line is written by one system call.
        """
        turns = asyncio.Semaphore(width)

        async def answer(line: bytes) -> None:
            row = ROW.decode(line)
            result: dict[str, object] = {"custom_id": row.custom_id}
            try:
                async with self.http.post(
                    self.url, data=bytes(row.body), timeout=FILE_TIMEOUT
                ) as response:
                    response.raise_for_status()
                    body = await response.read()
                if WHOLE.decode(body).choices[0].finish_reason != "stop":
                    result["error"] = "the answer is not whole"
                result["response"] = msgspec.Raw(body)
            except (aiohttp.ClientError, TimeoutError, msgspec.MsgspecError, IndexError) as error:
                result["error"] = repr(error)
            finally:
                turns.release()
            results.write(msgspec.json.encode(result) + b"\n")

        with source.open("rb") as requests, target.open("ab", buffering=0) as results:
            async with asyncio.TaskGroup() as tasks:
                for line in requests:
                    await turns.acquire()
                    tasks.create_task(answer(line))

    async def picture(self, data: bytes) -> str:
        """Send an image and return the answer."""
        part = {"type": "image_url", "image_url": {"url": _data_uri(data)}}
        body = BODY | {"messages": [{"role": "user", "content": [part]}]}
        async with self.http.post(self.url, data=msgspec.json.encode(body)) as response:
            response.raise_for_status()
            return WHOLE.decode(await response.read()).choices[0].message.content


class Naive(_Loop):
    """The loop that most people write first."""

    async def stream(self) -> tuple[int, str]:
        """Read a stream; return the number of chunks with text, and the answer."""
        answer = []
        async with self.http.post(self.url, json={**BODY, "stream": True}) as response:
            async for line in response.content:
                text = line.decode().strip()
                if text.startswith("data: ") and text != "data: [DONE]":
                    delta = json.loads(text[6:])["choices"][0]["delta"]
                    if delta.get("content"):
                        answer.append(delta["content"])
        return len(answer), "".join(answer)

    async def whole(self) -> str:
        """Request a completion and return the answer."""
        async with self.http.post(self.url, json=BODY) as response:
            return (await response.json())["choices"][0]["message"]["content"]

    async def picture(self, data: bytes) -> str:
        """Send an image and return the answer."""
        part = {"type": "image_url", "image_url": {"url": _data_uri(data)}}
        body = BODY | {"messages": [{"role": "user", "content": [part]}]}
        async with self.http.post(self.url, json=body) as response:
            return (await response.json())["choices"][0]["message"]["content"]


def _data_uri(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode('ascii')}"

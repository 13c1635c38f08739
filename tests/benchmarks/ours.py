"""The client of aimlchat, used as its documentation shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aimlchat
from aimlchat import batch

if TYPE_CHECKING:
    from pathlib import Path

MODEL = "claude-3-7-sonnet-20250219"


class Ours:
    """A session of aimlchat."""

    def __init__(self, base_url: str) -> None:
        self.session = aimlchat.ChatSession("k", base_url=base_url, model=MODEL)

    async def stream(self) -> tuple[int, str]:
        """Read a stream; return the number of deltas with text, and the answer."""
        count = 0
        async with self.session.stream("Why?") as stream:
            async for delta in stream:
                if delta.text:
                    count += 1
        return count, stream.completion.text

    async def whole(self) -> str:
        """Request a completion and return the answer."""
        return (await self.session.complete("Why?")).text

    async def file(self, source: Path, target: Path, width: int) -> None:
        """Answer a file of requests."""
        await batch.run(self.session, source, target, concurrency=width)

    async def picture(self, data: bytes) -> str:
        """Send an image and return the answer."""
        image = aimlchat.Image(data=data, media_type="image/png")
        return (await self.session.complete(aimlchat.ChatRequest().user(image))).text

    async def close(self) -> None:
        await self.session.close()

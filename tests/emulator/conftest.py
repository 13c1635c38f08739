"""An emulator, and a client that knows nothing but HTTP and JSON."""

import io
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import attrs
import pytest

from aimlchat.emulator import Emulator

CLAUDE = "anthropic/claude-3.7-sonnet"


@attrs.frozen
class Answered:
    """A response, read to its end."""

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
        events = self.text.split("\n\n")
        assert events.pop() == ""
        assert all(event.startswith("data: ") for event in events)
        return [event.removeprefix("data: ") for event in events]

    @property
    def events(self) -> list[Any]:
        return [json.loads(line) for line in self.lines if line != "[DONE]"]

    def joined(self, field: str, choice: int = 0) -> str:
        """Join what all deltas of a choice say in one field."""
        chunks = (event.get("event", event) for event in self.events)
        choices = (one for chunk in chunks for one in chunk.get("choices", ()))
        deltas = (one.get("delta", {}) for one in choices if one["index"] == choice)
        return "".join(delta.get(field) or "" for delta in deltas)


@attrs.frozen
class Client:
    """Sends chat requests to an emulator."""

    emulator: Emulator
    http: aiohttp.ClientSession

    async def send(self, body: Any, *, key: str = "k", **headers: str) -> Answered:
        all_headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        all_headers |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        url = f"{self.emulator.base_url}/chat/completions"
        async with self.http.post(url, data=io.BytesIO(data), headers=all_headers) as response:
            return Answered(response.status, response.headers, await response.text())

    async def ask(self, prompt: str = "Hello", *, model: str = CLAUDE, **body: Any) -> Answered:
        messages = [{"role": "user", "content": prompt}]
        return await self.send({"model": model, "messages": messages} | body)

    async def stream(self, prompt: str = "Hello", *, model: str = CLAUDE, **body: Any) -> Answered:
        return await self.ask(prompt, model=model, stream=True, **body)


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

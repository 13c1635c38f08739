"""A server that refuses all chat requests because of their model, and lists models."""

import asyncio
import json

import pytest

from aimlchat import NotFoundError

GONE = {"message": "The model has been retired", "statusCode": 404}
SONNETS = "anthropic/claude-sonnet-5, anthropic/claude-sonnet-4.5, anthropic/claude-opus-4.8"
IDS = ["openai/gpt-4o", *SONNETS.split(", ")]


def http(status, body):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(data), data)


def listing(*ids):
    return http(200, {"data": [{"id": name, "type": "openai/chat-completions"} for name in ids]})


class ModelAPI:
    """A handler for `raw_server.serving`, whose server is to be set as `raw`."""

    def __init__(self) -> None:
        self.refusal = http(404, GONE)
        self.models = listing(*IDS)
        self.asked_for_models = asyncio.Event()
        self.may_list = asyncio.Event()
        self.may_list.set()

    async def __call__(self, _, writer):
        if not self.raw.requests[-1].startswith(b"GET "):
            writer.write(self.refusal)
            return
        self.asked_for_models.set()
        await self.may_list.wait()
        writer.write(self.models)

    @property
    def lists(self):
        """How often the list of models was requested."""
        return sum(request.startswith(b"GET ") for request in self.raw.requests)


async def failure_of(session, kind=NotFoundError, **options):
    with pytest.raises(kind) as caught:
        await session.complete("Hi", **options)
    return caught.value

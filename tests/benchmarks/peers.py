"""Other SDKs, used as their documentation shows. Each is installed in its own environment."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING

import files

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

MODEL = "claude-3-7-sonnet-20250219"
MESSAGES = [{"role": "user", "content": "Why?"}]


class OpenAI:
    """The SDK ``openai`` on its default backend."""

    def __init__(self, base_url: str) -> None:
        import openai  # noqa: PLC0415 - only in its own environment

        self.client = openai.AsyncOpenAI(api_key="k", base_url=base_url, **self.settings(openai))

    def settings(self, openai) -> dict:  # noqa: ARG002 - a subclass needs it
        """Return further arguments of its client."""
        return {}

    async def request(self, messages: list, **options):
        """Send a request and return the response."""
        return await self.client.chat.completions.create(model=MODEL, messages=messages, **options)

    async def stream(self) -> tuple[int, str]:
        """Read a stream; return the number of chunks with text, and the answer."""
        answer = [
            chunk.choices[0].delta.content
            async for chunk in await self.request(MESSAGES, stream=True)
            if chunk.choices and chunk.choices[0].delta.content
        ]
        return len(answer), "".join(answer)

    async def texts(self) -> AsyncIterator[str]:
        """Yield the texts of a stream."""
        async for chunk in await self.request(MESSAGES, stream=True):
            if chunk.choices and chunk.choices[0].delta.content:
                yield chunk.choices[0].delta.content

    async def whole(self) -> str:
        """Request a completion and return the answer."""
        return (await self.request(MESSAGES)).choices[0].message.content

    async def file(self, source: Path, target: Path, width: int) -> None:
        """Answer a file of requests with ``gather``."""

        async def ask(messages: list) -> str:
            return (await self.request(messages)).choices[0].message.content

        await files.answer_at_once(source, target, width, ask)

    async def picture(self, data: bytes) -> str:
        """Send an image and return the answer."""
        url = f"data:image/png;base64,{base64.b64encode(data).decode('ascii')}"
        part = {"type": "image_url", "image_url": {"url": url}}
        answer = await self.request([{"role": "user", "content": [part]}])
        return answer.choices[0].message.content

    async def close(self) -> None:
        await self.client.close()


class OpenAIOnAiohttp(OpenAI):
    """The SDK ``openai`` on aiohttp (``openai[aiohttp]``)."""

    def settings(self, openai) -> dict:
        """Return the aiohttp backend, without a limit on connections."""
        limits = openai.DEFAULT_CONNECTION_LIMITS.__class__(max_connections=None)
        return {"http_client": openai.DefaultAioHttpClient(limits=limits)}


class LiteLLM(OpenAI):
    """The SDK ``litellm``, which requires an older ``openai``."""

    def __init__(self, base_url: str) -> None:
        # Otherwise its import fetches a price list over the network.
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
        import litellm  # noqa: PLC0415 - only in its own environment

        self.litellm = litellm
        self.target = {"model": f"openai/{MODEL}", "api_base": base_url, "api_key": "k"}

    async def request(self, messages: list, **options):
        """Send a request and return the response."""
        return await self.litellm.acompletion(messages=messages, **self.target, **options)

    async def file(self, source: Path, target: Path, width: int) -> None:
        """Answer a file of requests with `Router.abatch_completion`.

        It sends all that it is given at once, so it is given ``width`` requests at a time.
        """
        router = self.litellm.Router(
            model_list=[{"model_name": MODEL, "litellm_params": self.target}]
        )
        rows = list(files.read_requests(source))
        with target.open("ab", buffering=0) as results:
            for start in range(0, len(rows), width):
                ids, messages = zip(*rows[start : start + width], strict=True)
                answers = await router.abatch_completion([MODEL], list(messages))
                for custom_id, (answer,) in zip(ids, answers, strict=True):
                    files.append_answer(results, custom_id, answer.choices[0].message.content)

    async def close(self) -> None:
        """Do nothing: litellm offers no way to close its connections."""


class LangChain:
    """The model of ``langchain-openai``; it only takes part with files."""

    def __init__(self, base_url: str) -> None:
        from langchain_openai import ChatOpenAI  # noqa: PLC0415 - only in its own environment

        self.model = ChatOpenAI(model=MODEL, api_key="k", base_url=base_url)

    async def file(self, source: Path, target: Path, width: int) -> None:
        """Answer a file of requests with ``abatch``, which returns all at once."""
        ids, messages = zip(*files.read_requests(source), strict=True)
        answers = await self.model.abatch(list(messages), config={"max_concurrency": width})
        with target.open("ab", buffering=0) as results:
            for custom_id, answer in zip(ids, answers, strict=True):
                files.append_answer(results, custom_id, answer.content)

    async def close(self) -> None:
        """Do nothing: its connections are those of a client that it shares."""

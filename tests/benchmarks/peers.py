"""Other SDKs, as their own documentation shows them. Each lives in an environment of its own."""

from __future__ import annotations

import base64
import os

MODEL = "claude-3-7-sonnet-20250219"
MESSAGES = [{"role": "user", "content": "Why?"}]


class OpenAI:
    """The SDK ``openai`` on its default backend."""

    def __init__(self, base_url: str) -> None:
        import openai  # noqa: PLC0415 - only in its own environment

        self.client = openai.AsyncOpenAI(api_key="k", base_url=base_url, **self.settings(openai))

    def settings(self, openai) -> dict:  # noqa: ARG002 - for the heir
        """Return what else its client is made with."""
        return {}

    async def ask(self, messages: list, **options):
        """Send a request."""
        return await self.client.chat.completions.create(model=MODEL, messages=messages, **options)

    async def stream(self) -> tuple[int, str]:
        """Return the number of chunks with text, and the answer."""
        answer = [
            chunk.choices[0].delta.content
            async for chunk in await self.ask(MESSAGES, stream=True)
            if chunk.choices and chunk.choices[0].delta.content
        ]
        return len(answer), "".join(answer)

    async def whole(self) -> str:
        """Return the answer."""
        return (await self.ask(MESSAGES)).choices[0].message.content

    async def picture(self, data: bytes) -> str:
        """Send a picture and return the answer."""
        url = f"data:image/png;base64,{base64.b64encode(data).decode('ascii')}"
        part = {"type": "image_url", "image_url": {"url": url}}
        answer = await self.ask([{"role": "user", "content": [part]}])
        return answer.choices[0].message.content

    async def close(self) -> None:
        await self.client.close()


class OpenAIOnAiohttp(OpenAI):
    """The SDK ``openai`` on aiohttp (``openai[aiohttp]``)."""

    def settings(self, openai) -> dict:
        """Return its other backend, without a limit of its own on connections."""
        limits = openai.DEFAULT_CONNECTION_LIMITS.__class__(max_connections=None)
        return {"http_client": openai.DefaultAioHttpClient(limits=limits)}


class LiteLLM(OpenAI):
    """The SDK ``litellm``, which brings an older ``openai``."""

    def __init__(self, base_url: str) -> None:
        # It would fetch a price list from the net as it is imported.
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
        import litellm  # noqa: PLC0415 - only in its own environment

        self.litellm = litellm
        self.place = {"model": f"openai/{MODEL}", "api_base": base_url, "api_key": "k"}

    async def ask(self, messages: list, **options):
        """Send a request."""
        return await self.litellm.acompletion(messages=messages, **self.place, **options)

    async def close(self) -> None:
        """It keeps its connections where nobody can close them."""

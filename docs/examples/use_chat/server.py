"""A server for `useChat` of the AI SDK, and the page that uses it.

    cd docs/examples/use_chat
    npm install ai @ai-sdk/react react react-dom esbuild
    npx esbuild page.jsx --bundle --jsx=automatic --outfile=page.js
    uvicorn server:app

The key is in the environment variable AIMLAPI_API_KEY. AIMLAPI_BASE_URL names another address, such
as that of an emulator.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import BaseModel, Field

from aimlchat import ChatSession
from aimlchat.relay import SSE_HEADERS, sse_events

FOLDER = Path(__file__).parent


class Part(BaseModel):
    """A part of a message: a text, or something else that is not sent to the model."""

    type: str
    text: str = Field(default="", max_length=50_000)


class Message(BaseModel):
    """A message as `useChat` keeps it. A page cannot send a system prompt: that is ours."""

    role: Literal["user", "assistant"]
    parts: list[Part]


class Conversation(BaseModel):
    """What `useChat` posts: the whole conversation, and fields that are not needed here."""

    messages: list[Message] = Field(min_length=1, max_length=200)


def history_of(conversation: Conversation) -> list[dict[str, Any]]:
    """Return the messages in OpenAI's form, without reasoning and without answers that failed."""
    history = [{"role": "system", "content": "Be brief."}]
    for message in conversation.messages:
        content = "".join(part.text for part in message.parts if part.type == "text")
        if content:
            history.append({"role": message.role, "content": content})
    return history


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
    """Keep a session open for as long as the service runs."""
    async with ChatSession() as app.state.session:
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/chat")
async def chat(conversation: Conversation) -> StreamingResponse:
    """Answer the last message of a conversation. The `stop` of `useChat` closes the connection."""
    session: ChatSession = app.state.session
    history = history_of(conversation)
    if history[-1]["role"] != "user":
        raise HTTPException(422, "The last message has to be one of the user, with a text.")
    events = sse_events(session.stream(history, thinking=2048))
    return StreamingResponse(events, headers=SSE_HEADERS)


@app.get("/")
async def page() -> FileResponse:
    """Return the page."""
    return FileResponse(FOLDER / "index.html")


@app.get("/page.js")
async def script() -> FileResponse:
    """Return the script of the page, which esbuild has made of page.jsx."""
    return FileResponse(FOLDER / "page.js")

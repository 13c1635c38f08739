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
from typing import Any

from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import BaseModel, Field

from aimlchat import ChatRequest, ChatSession, InvalidRequestError
from aimlchat.relay import SSE_HEADERS, request_from_ui, sse_events

FOLDER = Path(__file__).parent
BASE = ChatRequest(system="Be brief.", thinking=2048)


class Conversation(BaseModel):
    """What `useChat` posts: the whole conversation, and fields that are not needed here."""

    messages: list[dict[str, Any]] = Field(min_length=1, max_length=200)


def request_of(conversation: Conversation) -> ChatRequest:
    """Return the request for a conversation; a page cannot set a system prompt: that is ours."""
    messages = [turn for turn in conversation.messages if turn.get("role") != "system"]
    request = request_from_ui(messages, base=BASE)
    if not messages or messages[-1].get("role") != "user" or not request.messages:
        msg = "the last message has to be one of the user, with a text or a file"
        raise InvalidRequestError(msg, field="messages")
    return request


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
    try:
        request = request_of(conversation)
    except InvalidRequestError as error:  # it names the message and the part
        raise HTTPException(422, str(error)) from error
    return StreamingResponse(sse_events(session.stream(request)), headers=SSE_HEADERS)


@app.get("/")
async def page() -> FileResponse:
    """Return the page."""
    return FileResponse(FOLDER / "index.html")


@app.get("/page.js")
async def script() -> FileResponse:
    """Return the script of the page, which esbuild has made of page.jsx."""
    return FileResponse(FOLDER / "page.js")

"""A server for `useChat` of the AI SDK, and the page that uses it.

    cd docs/examples/use_chat
    npm install ai @ai-sdk/react react react-dom esbuild
    npx esbuild page.jsx --bundle --jsx=automatic --outfile=page.js
    uvicorn server:app

The key is in the environment variable AIMLAPI_API_KEY. AIMLAPI_BASE_URL names another address, such
as that of an emulator.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Response
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import BaseModel, Field

from aimlchat import ChatRequest, ChatSession, InvalidRequestError, Tool
from aimlchat.relay import SSE_HEADERS, Broadcasts, DataPart, request_from_ui

FOLDER = Path(__file__).parent
CLOCK = Tool(
    "local_time",
    description="The date and the time where the user is.",
    parameters={"type": "object", "properties": {}},
)
BASE = ChatRequest(system="Be brief.", thinking=2048, tools=[CLOCK])
ARTICLES = {
    "sky": ("Rayleigh scattering", "https://en.wikipedia.org/wiki/Rayleigh_scattering"),
    "rainbow": ("Rainbow", "https://en.wikipedia.org/wiki/Rainbow"),
}


# --- the conversation, as the page posts it ------------------------------------------------------


class Conversation(BaseModel):
    """What `useChat` posts: the whole conversation, and fields that are not needed here."""

    id: str = Field(min_length=16, max_length=64)
    messages: list[dict[str, Any]] = Field(min_length=1, max_length=200)


def request_of(conversation: Conversation) -> ChatRequest:
    """Return the request for a conversation; a page cannot set a system prompt: that is ours."""
    messages = [turn for turn in conversation.messages if turn.get("role") != "system"]
    request = request_from_ui(messages, base=BASE)
    last = messages[-1] if messages else {}
    if last.get("role") == "assistant" and any("toolCallId" in part for part in last["parts"]):
        # Claude goes on thinking only with its own signed thoughts, which a page does not have.
        return request.options(thinking=False)
    if last.get("role") != "user" or not request.messages:
        msg = "the last message has to be one of the user, or end in the result of a tool"
        raise InvalidRequestError(msg, field="messages")
    return request


# --- frames of our own beside the answer ----------------------------------------------------------


async def find_articles(conversation: Conversation) -> AsyncIterator[DataPart]:
    """Find articles about the last message; the answer does not wait for the search."""
    question = " ".join(
        str(part.get("text")) for part in conversation.messages[-1].get("parts", [])
    )
    for word, (title, url) in ARTICLES.items():
        if word in question:
            yield {"type": "data-article", "id": url, "data": {"title": title, "url": url}}


# --- the routes -----------------------------------------------------------------------------------


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
    """Keep a session open, and the answers in progress, for as long as the service runs."""
    async with ChatSession() as app.state.session, Broadcasts() as app.state.answers:
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/chat")
async def chat(conversation: Conversation) -> StreamingResponse:
    """Answer the last message of a conversation, also if the page is reloaded meanwhile."""
    try:
        request = request_of(conversation)
    except InvalidRequestError as error:  # it names the message and the part
        raise HTTPException(422, str(error)) from error
    answers: Broadcasts = app.state.answers
    answer = await answers.start(
        conversation.id, app.state.session.stream(request), extra=find_articles(conversation)
    )
    return StreamingResponse(answer.sse_events(), headers=SSE_HEADERS)


@app.get("/chat/{chat_id}/stream")
async def resume(chat_id: str) -> Response:
    """Send the answer from its beginning; `useChat` calls this with `resume`."""
    answers: Broadcasts = app.state.answers
    answer = await answers.follow(chat_id)
    if answer is None:
        return Response(status_code=204)
    return StreamingResponse(answer.sse_events(), headers=SSE_HEADERS)


@app.post("/chat/{chat_id}/stop", status_code=204)
async def stop(chat_id: str) -> None:
    """Stop the answer; `useChat` itself only stops to read it."""
    answers: Broadcasts = app.state.answers
    await answers.stop(chat_id)


@app.get("/")
async def page() -> FileResponse:
    """Return the page."""
    return FileResponse(FOLDER / "index.html")


@app.get("/page.js")
async def script() -> FileResponse:
    """Return the script of the page, which esbuild has made of page.jsx."""
    return FileResponse(FOLDER / "page.js")

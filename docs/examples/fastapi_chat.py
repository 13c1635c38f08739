"""A chat service on FastAPI: whole answers, plain text, server-sent events, and a web socket.

    uvicorn --app-dir docs/examples fastapi_chat:app

The key is in the environment variable AIMLAPI_API_KEY. AIMLAPI_BASE_URL names another address, such
as that of an emulator.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any, TypeVar

from fastapi import Depends, FastAPI, HTTPException, Request, WebSocket, WebSocketDisconnect
from fastapi.requests import HTTPConnection
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.websockets import WebSocketState
from pydantic import BaseModel, Field

from aimlchat import (
    AIMLChatError,
    APIError,
    BadRequestError,
    BudgetExceededError,
    CallRecord,
    ChatRequest,
    ChatSession,
    InsufficientCreditsError,
    InvalidRequestError,
    RateLimitError,
    RequestTimeoutError,
    Timeouts,
)
from aimlchat.relay import SSE_HEADERS, relay, sse_events

T = TypeVar("T")
log = logging.getLogger("uvicorn.error")


class Question(BaseModel):
    """What a client sends."""

    prompt: str = Field(min_length=1, max_length=20_000)


class Answer(BaseModel):
    """A whole answer."""

    text: str
    reasoning: str
    usd: float | None


# --- the session: one for the service, opened and closed with it --------------------------------


def log_call(record: CallRecord) -> None:
    """Log how a call ended, whichever endpoint made it."""
    log.info("%s %s in %.1f s: %s", record.model, record.outcome, record.duration, record.cost)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
    """Keep a session open for as long as the service runs."""
    timeouts = Timeouts(first_token=60, next_token=30, deadline=300)
    async with ChatSession(timeouts=timeouts, on_finish=log_call) as app.state.session:
        yield


def get_session(connection: HTTPConnection) -> ChatSession:
    """Return the session of the service, for an endpoint of either kind."""
    session: ChatSession = connection.app.state.session
    return session


Session = Annotated[ChatSession, Depends(get_session)]
app = FastAPI(lifespan=lifespan)


# --- errors: what a client may see, and nothing that a server has said --------------------------

FAILURES: tuple[tuple[type[AIMLChatError], int, str], ...] = (
    (InvalidRequestError, 400, "The model does not take this question."),
    (BadRequestError, 400, "The model does not take this question."),
    (RequestTimeoutError, 504, "The model did not answer in time."),
    (RateLimitError, 503, "The model is busy. Try again in a while."),
    (InsufficientCreditsError, 503, "This service cannot answer right now."),
    (BudgetExceededError, 503, "This service cannot answer right now."),
    (AIMLChatError, 502, "The model cannot answer right now."),  # everything else
)


@app.exception_handler(AIMLChatError)
async def respond_to_failure(_: Request, error: Exception) -> JSONResponse:
    """Turn a failure before the first byte of a response into an HTTP status."""
    status, sentence = next((s, text) for kind, s, text in FAILURES if isinstance(error, kind))
    wait = error.retry_after if isinstance(error, APIError) else None
    headers = {} if wait is None else {"Retry-After": str(max(1, round(wait)))}
    log.warning("answered with %d: %s", status, error)
    return JSONResponse({"error": sentence}, status, headers)


async def while_connected(request: Request, call: Coroutine[Any, Any, T]) -> T:
    """Await a call, and cancel it if the client leaves: no server does that for a plain response.

    Use it after the body of the request has been read.
    """
    tasks = asyncio.create_task(call), asyncio.create_task(disconnect_of(request))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not tasks[0].done():
            raise HTTPException(499, "The client has left.")  # seen in the log of the server only
        return tasks[0].result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def disconnect_of(request: Request) -> None:
    """Wait until the client has left."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


# --- the endpoints ------------------------------------------------------------------------------


@app.post("/complete")
async def complete(question: Question, request: Request, session: Session) -> Answer:
    """Respond with the whole answer."""
    call = session.complete(question.prompt, thinking=2048)
    completion = await while_connected(request, call)
    usd = None if completion.cost is None else completion.cost.usd
    return Answer(text=completion.text, reasoning=completion.reasoning, usd=usd)


@app.post("/text")
async def text(question: Question, request: Request, session: Session) -> StreamingResponse:
    """Respond with the answer as plain text that grows.

    A failure before the first piece is an HTTP status. A later one cuts the response off, so that
    the client does not take half an answer for a whole one.
    """
    pieces = session.stream(question.prompt).answer_text()

    async def first_piece() -> str:
        return await anext(pieces, "")

    async def body(first: str) -> AsyncGenerator[str, None]:
        yield first
        async for piece in pieces:
            yield piece

    first = await while_connected(request, first_piece())
    headers = {"X-Accel-Buffering": "no", "Cache-Control": "no-cache, no-transform"}
    return StreamingResponse(body(first), headers=headers, media_type="text/plain")


@app.post("/stream")
async def stream(question: Question, session: Session) -> StreamingResponse:
    """Respond with server-sent events: reasoning, answer, and the end or a failure."""
    events = sse_events(session.stream(question.prompt, thinking=2048))
    return StreamingResponse(events, headers=SSE_HEADERS)


@app.websocket("/talk")
async def talk(websocket: WebSocket, session: Session) -> None:
    """Answer each message of a web socket, as one conversation."""
    await websocket.accept()
    conversation = ChatRequest(thinking=2048).system("Be brief.")
    with suppress(WebSocketDisconnect):
        while websocket.client_state is WebSocketState.CONNECTED:
            prompt = (await websocket.receive_json()).get("prompt")
            if not prompt:  # such as a stop that arrived after the answer had ended
                continue
            question = conversation.user(prompt)
            try:
                completion = await relay(session.stream(question), websocket)
            except AIMLChatError as error:  # the page has already been sent the error
                log.warning("a page was sent an error: %s", error)
            else:
                if completion.text:  # not if the page stopped it before its first word
                    conversation = question.assistant(completion)

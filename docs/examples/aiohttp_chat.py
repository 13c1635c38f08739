"""A chat service on aiohttp.web: whole answers, plain text, server-sent events, and a web socket.

    python docs/examples/aiohttp_chat.py

The key is in the environment variable AIMLAPI_API_KEY. AIMLAPI_BASE_URL names another address, such
as that of an emulator.
"""

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web

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
from aimlchat.relay import relay, sse_response

SESSION = web.AppKey("session", ChatSession)
log = logging.getLogger("aiohttp.server")


# --- the session: one for the service, opened and closed with it --------------------------------


def log_call(record: CallRecord) -> None:
    """Log how a call ended, whichever handler made it."""
    log.info("%s %s in %.1f s: %s", record.model, record.outcome, record.duration, record.cost)


async def keep_session(app: web.Application) -> AsyncIterator[None]:
    """Keep a session open for as long as the service runs."""
    timeouts = Timeouts(first_token=60, next_token=30, deadline=300)
    async with ChatSession(timeouts=timeouts, on_finish=log_call) as app[SESSION]:
        yield


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


@web.middleware
async def respond_to_failure(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Turn a failure before the first byte of a response into an HTTP status."""
    try:
        return await handler(request)
    except AIMLChatError as error:
        status, sentence = next((s, text) for kind, s, text in FAILURES if isinstance(error, kind))
        wait = error.retry_after if isinstance(error, APIError) else None
        headers = {} if wait is None else {"Retry-After": str(max(1, round(wait)))}
        log.warning("answered with %d: %s", status, error)
        return web.json_response({"error": sentence}, status=status, headers=headers)


async def prompt_of(request: web.Request) -> str:
    """Read the question of a request."""
    try:
        prompt = (await request.json())["prompt"]
    except (json.JSONDecodeError, KeyError, TypeError):
        prompt = None
    if not isinstance(prompt, str) or not prompt:
        raise web.HTTPUnprocessableEntity(text='The body has to be {"prompt": "..."}.')
    return prompt


# --- the handlers -------------------------------------------------------------------------------


async def complete(request: web.Request) -> web.Response:
    """Respond with the whole answer."""
    prompt = await prompt_of(request)
    completion = await request.app[SESSION].complete(prompt, thinking=2048)
    usd = None if completion.cost is None else completion.cost.usd
    answer = {"text": completion.text, "reasoning": completion.reasoning, "usd": usd}
    return web.json_response(answer)


async def text(request: web.Request) -> web.StreamResponse:
    """Respond with the answer as plain text that grows.

    A failure before the first piece is an HTTP status. A later one cuts the response off, so that
    the client does not take half an answer for a whole one.
    """
    prompt = await prompt_of(request)
    headers = {"X-Accel-Buffering": "no", "Cache-Control": "no-cache, no-transform"}
    response = web.StreamResponse(headers=headers)
    response.content_type, response.charset = "text/plain", "utf-8"
    async with request.app[SESSION].stream(prompt) as stream:
        pieces = stream.answer_text()
        first = await anext(pieces, "")
        await response.prepare(request)
        try:
            await response.write(first.encode())
            async for piece in pieces:
                await response.write(piece.encode())
        except AIMLChatError as error:
            log.warning("an answer was cut off: %s", error)
            if request.transport is not None:
                request.transport.abort()
    return response


async def stream(request: web.Request) -> web.StreamResponse:
    """Respond with server-sent events: reasoning, answer, and the end or a failure."""
    prompt = await prompt_of(request)
    return await sse_response(request, request.app[SESSION].stream(prompt, thinking=2048))


async def talk(request: web.Request) -> web.WebSocketResponse:
    """Answer each message of a web socket, as one conversation."""
    websocket = web.WebSocketResponse(heartbeat=30)
    await websocket.prepare(request)
    conversation = ChatRequest(thinking=2048).system("Be brief.")
    async for message in websocket:
        if message.type is not web.WSMsgType.TEXT:
            break
        prompt = message.json().get("prompt")
        if not prompt:  # such as a stop that arrived after the answer had ended
            continue
        question = conversation.user(prompt)
        try:
            completion = await relay(request.app[SESSION].stream(question), websocket)
        except AIMLChatError as error:  # the page has already been sent the error
            log.warning("a page was sent an error: %s", error)
        else:
            if completion.text:  # not if the page stopped it before its first word
                conversation = question.assistant(completion)
    return websocket


def make_app() -> web.Application:
    """Make the application."""
    app = web.Application(middlewares=[respond_to_failure])
    app.cleanup_ctx.append(keep_session)
    app.add_routes(
        [
            web.post("/complete", complete),
            web.post("/text", text),
            web.post("/stream", stream),
            web.get("/talk", talk),
        ]
    )
    return app


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    # Without `handler_cancellation`, a handler works on after its client has left.
    web.run_app(make_app(), host="127.0.0.1", port=8000, handler_cancellation=True)

"""A process of a service that shares its broadcasts with others over Redis.

Started by a test as ``python relay_worker.py REDIS_URL BASE_URL LEASE``; it prints its port.
"""

import socket
import sys
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from aimlchat import ChatSession, RetryPolicy
from aimlchat.relay import SSE_HEADERS, Broadcasts, RedisStore


def make_app(redis_url, base_url, lease):
    @asynccontextmanager
    async def lifespan(app):
        async with (
            ChatSession("k", base_url=base_url, retry=RetryPolicy(attempts=1)) as session,
            RedisStore(redis_url, lease=lease, retry_for=4) as store,
            Broadcasts(store=store) as broadcasts,
        ):
            app.state.session, app.state.broadcasts = session, broadcasts
            yield

    async def ask(request):
        stream = app.state.session.stream("Go")
        answer = await app.state.broadcasts.start(request.path_params["chat"], stream)
        return StreamingResponse(answer.sse_events(heartbeat=1), headers=SSE_HEADERS)

    async def resume(request):
        is_live = "live" in request.query_params
        answer = await app.state.broadcasts.follow(request.path_params["chat"], only_live=is_live)
        if answer is None:
            return Response(status_code=204)
        after = int(request.query_params.get("after", 0))
        return StreamingResponse(answer.sse_events(after=after, heartbeat=1), headers=SSE_HEADERS)

    async def stop(request):
        return JSONResponse(await app.state.broadcasts.stop(request.path_params["chat"]))

    app = Starlette(
        routes=[
            Route("/{chat}", ask, methods=["POST"]),
            Route("/{chat}", resume),
            Route("/{chat}/stop", stop, methods=["POST"]),
        ],
        lifespan=lifespan,
    )
    return app


def main():
    redis_url, base_url, lease = sys.argv[1:]
    listener = socket.create_server(("127.0.0.1", 0), backlog=500)
    print(listener.getsockname()[1], flush=True)  # noqa: T201
    config = uvicorn.Config(
        make_app(redis_url, base_url, float(lease)), log_level="error", lifespan="on"
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()

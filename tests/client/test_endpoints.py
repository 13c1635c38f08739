"""The endpoints other than chat completions."""

from raw_server import serving

from aimlchat import ChatSession, Limits
from aimlchat.session import endpoints_of


def respond_with(body):
    response = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)

    async def respond(_, writer):
        writer.write(response)

    return respond


async def test_they_do_not_count_in_the_limit_of_tokens_per_minute():
    limits = Limits(tokens_per_minute=10)
    async with (
        serving(respond_with(b'{"data": [{"id": "m"}]}')) as server,
        ChatSession("k", base_url=server.base_url, limits=limits) as session,
    ):
        for _ in range(50):
            assert [model.id for model in await session.models()] == ["m"]
        for _ in range(50):
            await endpoints_of(session).send("POST", "batches", bytes, b'{"requests": []}')

        limiter = session._context.limiter
        assert limiter._tokens._used == 0
        slot = await limiter.acquire("m", 10)  # at once: the whole limit is free
        assert slot.reservation.amount == 10

    assert len(server.requests) == 100


async def test_they_count_as_requests():
    limits = Limits(requests_per_minute=1000)
    async with (
        serving(respond_with(b'{"data": []}')) as server,
        ChatSession("k", base_url=server.base_url, limits=limits) as session,
    ):
        await session.models()

        assert session._context.limiter._requests._used == 1


async def test_the_list_of_models_takes_no_key_and_all_others_do():
    async with (
        serving(respond_with(b'{"data": []}')) as server,
        ChatSession("the-key", base_url=server.base_url, headers={"X-Team": "blue"}) as session,
    ):
        await session.models()
        await endpoints_of(session).send("GET", "batches?batch_id=1", bytes)

    models, batch = server.requests
    assert b"the-key" not in models
    assert b"X-Team: blue" in models
    assert b"Authorization: Bearer the-key" in batch
    assert batch.startswith(b"GET /v1/batches?batch_id=1 ")

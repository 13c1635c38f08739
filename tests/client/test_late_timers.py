"""A response that arrived while the event loop was blocked is read, however late its timer is."""

import pytest
from clockwork import Clockwork, session_on
from raw_server import CHUNKED, content, http_chunk, serving

from aimlchat import RequestTimeoutError, RetryPolicy, Timeouts

ONCE = RetryPolicy(attempts=1)
BODY = b'{"choices":[{"message":{"role":"assistant","content":"%s"},"finish_reason":"stop"}]}' % (
    b"long " * 200_000
)
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
STREAM = CHUNKED + http_chunk(content("All", '"stop"')) + b"0\r\n\r\n"


@pytest.mark.parametrize("phase", ["first_token", "idle", "deadline"])
@pytest.mark.parametrize(("is_stream", "response"), [(True, STREAM), (False, WHOLE)])
async def test_a_response_in_the_socket_is_read_before_a_timeout_is_believed(
    phase, is_stream, response
):
    clock = Clockwork()

    async def respond_and_block(_, writer):
        writer.write(response[:1000])
        clock.jump(1000)
        writer.write(response[1000:])

    timeouts = Timeouts(**{phase: 10})
    async with (
        serving(respond_and_block) as server,
        session_on(clock, server.base_url, timeouts=timeouts, retry=ONCE) as session,
    ):
        if is_stream:
            completion = await session.stream("Hi").collect()
        else:
            completion = await session.complete("Hi")

    assert completion.finish_reason == "stop"


async def test_a_blocked_loop_does_not_lift_a_timeout():
    clock = Clockwork()

    async def block(*_):
        clock.jump(1000)

    async with (
        serving(block) as server,
        session_on(clock, server.base_url, retry=ONCE) as session,
    ):
        with pytest.raises(RequestTimeoutError) as caught:
            await session.complete("Hi")

    assert caught.value.phase == "first_token"

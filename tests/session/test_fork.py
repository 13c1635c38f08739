"""A forked process shares neither request ids nor connections with its parent."""

import asyncio
import json
import os
import subprocess
import sys

import pytest
from raw_server import CHUNKED, content, http_chunk, serving

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")

WHOLE = b'{"choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}]}'
DONE = content("", '"stop"') + b"data: [DONE]\n\n"

PROGRAM = """
import asyncio, json, os, sys
import aimlchat

def fork(work):
    reading, writing = os.pipe()
    if not os.fork():
        try:
            result = work()
        except BaseException as error:
            result = repr(error)
        os.write(writing, json.dumps(result).encode())
        os._exit(0)
    os.close(writing)
    with open(reading) as pipe:
        return json.load(pipe)

async def ask():
    return (await session.complete("Hi")).client_request_id

async def read_on(stream):
    "In the child: use the session, try to read the parent's stream, and close everything."
    request_id = await ask()
    try:
        await stream.collect()
        end = "complete"
    except aimlchat.StreamInterruptedError as error:
        end = error.partial.text
    await stream.aclose()
    await session.close()
    return request_id, end

async def use():
    await ask()
    stream = session.stream("Hi")
    await anext(stream)
    in_child = fork(lambda: asyncio.run(read_on(stream)))
    request_id = await ask()
    text = (await stream.collect()).text
    await session.close()
    return in_child, request_id, text

session = aimlchat.ChatSession("k", base_url=sys.argv[1])
run = lambda: asyncio.run(ask())
unused = fork(run), fork(run), run()
session = aimlchat.ChatSession("k", base_url=sys.argv[1])
print(json.dumps([unused, asyncio.run(use())]))
"""


async def test_a_forked_process_has_request_ids_and_connections_of_its_own():
    async def respond(_, writer):
        if b'"stream":true' not in server.requests[-1]:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(WHOLE) + WHOLE)
            return
        earlier = len(server.requests)
        writer.write(CHUNKED + http_chunk(content("One")))
        while len(server.requests) < earlier + 2:  # the child's request and the parent's next one
            server.requested.clear()
            await server.requested.wait()
        writer.write(http_chunk(content(" two") + DONE) + b"0\r\n\r\n")

    async with serving(respond) as server:
        command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PROGRAM]
        program = await asyncio.create_subprocess_exec(
            *command, server.base_url, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        output, errors = await asyncio.wait_for(program.communicate(), 60)

    assert errors == b""
    unused, ((in_child, end), in_parent, text) = json.loads(output)
    # A session that was made before the fork, in two children and in the parent.
    assert len({request_id.split("-")[0] for request_id in unused}) == 3
    # A session that was used before, with an open stream.
    assert in_child.split("-")[0] != in_parent.split("-")[0]
    assert end == "One"
    assert text == "One two"
    # One for each of the three, two for the second session in the parent, one for it in the child.
    assert server.connections == 3 + 2 + 1

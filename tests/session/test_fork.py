"""A forked process shares neither request ids nor connections with its parent."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")

PROGRAM = """
import asyncio, json, os, random, sys
import aimlchat

def fork(work):
    "Return what `work` returns in a child process."
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
    completion = await session.complete("Hi")
    return completion.client_request_id, completion.finish_reason

def run():
    return asyncio.run(ask())

session = aimlchat.ChatSession("k", base_url=sys.argv[1])
unused = [fork(run), fork(run), run()]

async def use():
    global session
    session = aimlchat.ChatSession("k", base_url=sys.argv[1])
    await ask()
    stream = session.stream("Tell me a long story")
    await stream.__aenter__()
    text = (await anext(stream)).text

    async def go_on():
        try:
            await stream.collect()
        except aimlchat.StreamInterruptedError as error:
            end = error.partial.reasoning + error.partial.text
        result = [await ask(), end]
        await stream.aclose()
        await session.close()
        return result

    child = fork(lambda: asyncio.run(go_on()))
    completion = await stream.collect()
    whole = completion.finish_reason, len(completion.reasoning + completion.text) > len(text)
    result = child, text, whole, await ask()
    await session.close()
    return result

print(json.dumps([unused, asyncio.run(use())]))
"""


@pytest.fixture
def results(emulator_url):
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PROGRAM, emulator_url]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_a_session_in_forked_processes_has_other_ids_and_connections_of_its_own(results):
    unused, (child, text, whole, afterwards) = results
    (in_child, reason), end = child

    # A session that was made before the fork, in two children and the parent.
    assert [reason for _, reason in unused] == ["stop", "stop", "stop"]
    assert len({request_id.split("-")[0] for request_id, _ in unused}) == 3
    # A session with an open stream: the child gets a connection of its own, the parent reads on.
    assert reason == "stop"
    assert end.startswith(text)
    assert whole == ["stop", True]
    assert afterwards[1] == "stop"
    assert in_child.split("-")[0] != afterwards[0].split("-")[0]

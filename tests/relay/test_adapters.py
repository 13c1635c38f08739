"""What `relay` takes as a web socket, besides those of the libraries."""

import json
import subprocess
import sys

import pytest

from aimlchat.relay import relay


async def test_an_async_callable_that_sends_a_string_is_accepted(emulator, session):
    emulator.reply("Hello")
    frames = []

    async def send(text):
        frames.append(json.loads(text))

    completion = await relay(session.stream("Go"), send)

    text = "".join(frame["delta"] for frame in frames if frame["type"] == "text-delta")
    assert text == completion.text == "Hello"


async def test_a_connection_error_of_a_callable_means_that_the_page_has_gone(
    upstream, upstream_session, event_timeout
):
    upstream.opening = ("One",)

    async def send(text):
        if "delta" in text:
            raise BrokenPipeError

    completion = await relay(upstream_session.stream("Go"), send)
    async with event_timeout():
        await upstream.closed.wait()

    assert (completion.text, completion.finish_reason) == ("One", None)


async def test_any_other_error_of_a_callable_is_raised(upstream, upstream_session, event_timeout):
    upstream.opening = ("One",)

    async def send(text):
        if "delta" in text:
            raise LookupError

    with pytest.raises(LookupError):
        await relay(upstream_session.stream("Go"), send)
    async with event_timeout():
        await upstream.closed.wait()


async def test_an_object_that_is_not_a_web_socket_is_refused_before_anything_is_sent(
    emulator, session
):
    with pytest.raises(TypeError, match="this is a dict"):
        await relay(session.stream("Go"), {})

    assert emulator.requests == []


def test_importing_the_relay_imports_no_web_library():
    code = (
        "import sys, aimlchat.relay; "
        "print(*{'aiohttp', 'starlette', 'fastapi', 'websockets'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == []


async def test_an_answer_of_a_type_is_sent_as_text(emulator, session):
    emulator.reply(output={"a": [1]}, reasoning="Hm.")
    frames = []

    async def send(text):
        frames.append(json.loads(text))

    options = {"model": "anthropic/claude-sonnet-4.5", "thinking": 2048}
    completion = await relay(
        session.stream("Go", output_type=dict[str, list[int]], **options), send
    )

    assert not [frame for frame in frames if frame["type"].startswith("tool")]
    text = "".join(frame["delta"] for frame in frames if frame["type"] == "text-delta")
    assert text == completion.text
    assert completion.output == {"a": [1]}

"""Starting and closing an emulator, its connections, and clients that disconnect."""

import asyncio
import contextlib
import gc
import socket
import subprocess
import sys

import aiohttp
import pytest

from aimlchat.emulator import Emulator

BODY = {
    "model": "anthropic/claude-3.7-sonnet",
    "messages": [{"role": "user", "content": "Hello"}],
    "stream": True,
}
KEY = {"Authorization": "Bearer k"}

# Only ends a test that fails: a test that passes waits for an event, not for this time. It is less
# than the minute for which aiohttp's own shutdown would wait for open connections.
GUARD_SECONDS = 30


async def begin_stream(emulator, http):
    """Read the beginning of a stream and leave it open."""
    url = f"{emulator.base_url}/chat/completions"
    response = await http.post(url, json=BODY, headers=KEY)
    await response.content.readany()
    return response


async def test_base_url_ends_in_v1_without_a_slash(emulator):
    assert emulator.base_url.startswith("http://127.0.0.1:")
    assert emulator.base_url.endswith("/v1")


async def test_base_url_puts_an_ipv6_address_in_brackets():
    try:
        async with Emulator(host="::1") as emulator:
            assert emulator.base_url.startswith("http://[::1]:")
    except OSError:
        pytest.skip("this machine has no IPv6")


async def test_base_url_of_an_emulator_that_is_not_running_raises_runtime_error():
    with pytest.raises(RuntimeError, match="not running"):
        Emulator().base_url  # noqa: B018


async def test_starting_twice_raises_runtime_error(emulator):
    with pytest.raises(RuntimeError, match="already running"):
        await emulator.start()


async def test_closing_twice_has_no_effect():
    emulator = Emulator()
    await emulator.start()
    await emulator.close()
    await emulator.close()


async def test_a_closed_emulator_can_start_again(http):
    emulator = Emulator()
    for _ in range(2):
        async with emulator:
            response = await begin_stream(emulator, http)
            await response.read()
    assert len(emulator.requests) == 2


async def test_a_port_in_use_raises_os_error(emulator):
    port = int(emulator.base_url.split(":")[2].removesuffix("/v1"))
    with pytest.raises(OSError, match="address"):
        await Emulator(port=port).start()


def test_an_unknown_form_raises_value_error():
    with pytest.raises(ValueError, match="enveloped"):
        Emulator(form="openai")


async def test_the_outcome_is_done_once_the_response_was_sent(emulator, http):
    response = await begin_stream(emulator, http)
    await response.read()
    record = emulator.requests[0]
    await record.finished()
    assert record.outcome == "done"


async def test_the_outcome_is_left_once_the_client_has_disconnected(emulator, http):
    emulator.reply(chunks=["a", "b"], pace=3600)
    response = await begin_stream(emulator, http)
    record = emulator.requests[0]
    assert record.outcome is None
    response.close()
    async with asyncio.timeout(GUARD_SECONDS):
        await record.finished()
    assert record.outcome == "left"


async def test_a_disconnect_is_noticed_in_a_stream_without_a_pace(emulator, http):
    # The events fit into the buffers of the socket. The emulator notices the disconnect before it
    # has written all of them only because it yields to the event loop between two events.
    emulator.reply(events=[b": ping\n\n"] * 10_000)
    response = await begin_stream(emulator, http)
    response.close()
    async with asyncio.timeout(GUARD_SECONDS):
        await emulator.requests[0].finished()
    assert emulator.requests[0].outcome == "left"


async def test_cancelling_one_waiter_of_a_record_leaves_the_others_waiting(emulator, http):
    emulator.reply(chunks=["a", "b"], pace=3600)
    response = await begin_stream(emulator, http)
    record = emulator.requests[0]
    cancelled = asyncio.create_task(record.finished())
    waiting = asyncio.create_task(record.finished())
    await asyncio.sleep(0)
    cancelled.cancel()
    response.close()
    async with asyncio.timeout(GUARD_SECONDS):
        await waiting


async def test_open_connections_counts_idle_ones(emulator):
    async with aiohttp.ClientSession() as http:
        response = await begin_stream(emulator, http)
        assert emulator.open_connections == 1
        await response.read()
        assert emulator.open_connections == 1  # kept alive
    async with asyncio.timeout(GUARD_SECONDS):
        await emulator.no_connections()
    assert emulator.open_connections == 0


async def test_no_connections_waits_for_the_last_one(emulator, http):
    emulator.reply(chunks=["a", "b"], pace=3600)
    response = await begin_stream(emulator, http)
    waiting = asyncio.create_task(emulator.no_connections())
    await asyncio.sleep(0)
    assert not waiting.done()
    response.close()
    async with asyncio.timeout(GUARD_SECONDS):
        await waiting


async def test_no_connections_returns_at_once_without_connections(emulator):
    await emulator.no_connections()


async def test_closing_aborts_streams_in_progress():
    emulator = Emulator(pace=3600)
    async with aiohttp.ClientSession() as http:
        async with emulator:
            response = await begin_stream(emulator, http)
            before = asyncio.all_tasks()
            async with asyncio.timeout(GUARD_SECONDS):
                await emulator.close()
        assert emulator.requests[0].outcome == "left"
        assert asyncio.all_tasks() <= before
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_closing_does_not_wait_for_a_client_that_does_not_read():
    async with aiohttp.ClientSession() as http:
        async with Emulator() as emulator:
            emulator.reply(events=[b": much\n\n" * 10_000] * 1000)
            response = await begin_stream(emulator, http)
            async with asyncio.timeout(GUARD_SECONDS):
                await emulator.close()
        response.close()


@pytest.mark.parametrize("stream_count", [0, 20])
def test_closing_leaves_no_open_resource(stream_count):
    async def main():
        async with aiohttp.ClientSession() as http:
            async with Emulator(pace=3600) as emulator:
                streams = [begin_stream(emulator, http) for _ in range(stream_count)]
                responses = await asyncio.gather(*streams)
            for response in responses:
                response.close()

    # In debug mode a resource that was left open warns when it is collected, which is an error.
    asyncio.run(main(), debug=True)
    gc.collect()


def test_importing_the_package_does_not_load_aiohttp():
    code = (
        "import sys, aimlchat.emulator, aimlchat.emulator.pytest_plugin;"
        "assert 'aiohttp' not in sys.modules;"
        "assert aimlchat.emulator.Emulator.__name__ == 'Emulator';"
        "assert 'aiohttp' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_exported_name_exists():
    from aimlchat import emulator  # noqa: PLC0415

    for name in emulator.__all__:
        assert getattr(emulator, name).__name__ == name
    assert set(emulator.__all__) <= set(dir(emulator))
    with pytest.raises(AttributeError, match="Simulator"):
        emulator.Simulator  # noqa: B018


@pytest.mark.parametrize("turns", range(5))
async def test_a_connection_that_arrives_as_the_emulator_closes_is_closed(turns, monkeypatch):
    leaks = []
    monkeypatch.setattr(sys, "unraisablehook", leaks.append)
    emulator = Emulator()
    await emulator.start()
    port = int(emulator.base_url.removesuffix("/v1").rpartition(":")[2])

    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        for _ in range(turns):  # it is accepted in one of the turns of the event loop
            await asyncio.sleep(0)
        await emulator.close()
        with contextlib.suppress(ConnectionResetError):  # if it was not accepted
            assert client.recv(1) == b""

    gc.collect()
    assert [leak.exc_value for leak in leaks] == []

import asyncio
import gc
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


async def begun(emulator, http):
    """Begin to read a stream and leave it running."""
    url = f"{emulator.base_url}/chat/completions"
    response = await http.post(url, json=BODY, headers=KEY)
    await response.content.readany()
    return response


async def test_base_url_ends_in_v1_without_a_slash(emulator):
    assert emulator.base_url.startswith("http://127.0.0.1:")
    assert emulator.base_url.endswith("/v1")


async def test_an_ipv6_address_stands_in_brackets():
    try:
        async with Emulator(host="::1") as emulator:
            assert emulator.base_url.startswith("http://[::1]:")
    except OSError:
        pytest.skip("this machine has no IPv6")


async def test_without_a_start_there_is_no_base_url():
    with pytest.raises(RuntimeError, match="not running"):
        Emulator().base_url  # noqa: B018


async def test_starting_twice_is_refused(emulator):
    with pytest.raises(RuntimeError, match="already running"):
        await emulator.start()


async def test_closing_twice_is_harmless():
    emulator = Emulator()
    await emulator.start()
    await emulator.close()
    await emulator.close()


async def test_after_closing_it_can_start_again(http):
    emulator = Emulator()
    for _ in range(2):
        async with emulator:
            response = await begun(emulator, http)
            await response.read()
    assert len(emulator.requests) == 2


async def test_a_port_that_is_taken_is_an_os_error(emulator):
    port = int(emulator.base_url.split(":")[2].removesuffix("/v1"))
    with pytest.raises(OSError, match="address"):
        await Emulator(port=port).start()


def test_an_unknown_form_is_refused():
    with pytest.raises(ValueError, match="enveloped"):
        Emulator(form="openai")


async def test_an_outcome_is_done_once_the_answer_was_sent(emulator, http):
    response = await begun(emulator, http)
    await response.read()
    record = emulator.requests[0]
    await record.finished()
    assert record.outcome == "done"


async def test_an_outcome_is_left_when_the_client_went_away(emulator, http):
    emulator.reply(chunks=["a", "b"], pace=3600)
    response = await begun(emulator, http)
    record = emulator.requests[0]
    assert record.outcome is None
    response.close()
    async with asyncio.timeout(1):
        await record.finished()
    assert record.outcome == "left"


async def test_a_client_that_leaves_is_noticed_without_a_pace_too(emulator, http):
    emulator.reply(events=[b": ping\n\n"] * 1_000_000)
    response = await begun(emulator, http)
    response.close()
    async with asyncio.timeout(5):
        await emulator.requests[0].finished()
    assert emulator.requests[0].outcome == "left"


async def test_giving_up_waiting_for_one_record_does_not_disturb_others(emulator, http):
    emulator.reply(chunks=["a", "b"], pace=3600)
    response = await begun(emulator, http)
    record = emulator.requests[0]
    impatient = asyncio.create_task(record.finished())
    patient = asyncio.create_task(record.finished())
    await asyncio.sleep(0)
    impatient.cancel()
    response.close()
    async with asyncio.timeout(1):
        await patient


async def test_open_connections_are_counted(emulator):
    async with aiohttp.ClientSession() as http:
        response = await begun(emulator, http)
        assert emulator.open_connections == 1
        await response.read()
        assert emulator.open_connections == 1  # kept alive
    async with asyncio.timeout(1):
        await emulator.no_connections()
    assert emulator.open_connections == 0


async def test_no_connections_waits_for_the_last_one(emulator, http):
    emulator.reply(chunks=["a", "b"], pace=3600)
    response = await begun(emulator, http)
    waiting = asyncio.create_task(emulator.no_connections())
    await asyncio.sleep(0)
    assert not waiting.done()
    response.close()
    async with asyncio.timeout(1):
        await waiting


async def test_no_connections_returns_at_once_when_there_are_none(emulator):
    await emulator.no_connections()


async def test_closing_cuts_streams_that_run():
    emulator = Emulator(pace=3600)
    async with aiohttp.ClientSession() as http:
        async with emulator:
            response = await begun(emulator, http)
            before = asyncio.all_tasks()
            async with asyncio.timeout(1):
                await emulator.close()
        assert emulator.requests[0].outcome == "left"
        assert asyncio.all_tasks() <= before
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_closing_does_not_wait_for_a_client_that_does_not_read():
    async with aiohttp.ClientSession() as http:
        async with Emulator() as emulator:
            emulator.reply(events=[b": much\n\n" * 10_000] * 1000)
            response = await begun(emulator, http)
            async with asyncio.timeout(1):
                await emulator.close()
        response.close()


@pytest.mark.parametrize("running", [0, 20])
def test_nothing_is_left_behind(running):
    async def main():
        async with aiohttp.ClientSession() as http:
            async with Emulator(pace=3600) as emulator:
                streams = await asyncio.gather(*(begun(emulator, http) for _ in range(running)))
            for stream in streams:
                stream.close()

    asyncio.run(main(), debug=True)
    gc.collect()


def test_importing_the_package_loads_no_aiohttp():
    code = (
        "import sys, aimlchat.emulator, aimlchat.emulator.pytest_plugin;"
        "assert 'aiohttp' not in sys.modules;"
        "assert aimlchat.emulator.Emulator.__name__ == 'Emulator';"
        "assert 'aiohttp' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_everything_that_is_exported_exists():
    from aimlchat import emulator  # noqa: PLC0415

    for name in emulator.__all__:
        assert getattr(emulator, name).__name__ == name
    assert set(emulator.__all__) <= set(dir(emulator))
    with pytest.raises(AttributeError, match="Simulator"):
        emulator.Simulator  # noqa: B018

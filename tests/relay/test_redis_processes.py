"""Two processes of one service that share broadcasts over Redis, and what happens to them."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from redis_servers import RedisServer

WORKER = Path(__file__).parents[1] / "support" / "relay_worker.py"
LEASE = 2.0  # seconds
pytestmark = pytest.mark.soak

WORDS = [f"{number} " for number in range(60)]
TEXT = "".join(WORDS)


class Worker:
    def __init__(self, process, port) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}"

    def send_signal(self, number):
        os.kill(self.process.pid, number)


@asynccontextmanager
async def run_workers(redis_url, base_url):
    command = [sys.executable, str(WORKER), redis_url, base_url, str(LEASE)]
    processes = [
        await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE) for _ in range(2)
    ]
    try:
        yield [Worker(process, int(await process.stdout.readline())) for process in processes]
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
            await process.wait()


@pytest.fixture
def redis():
    server = RedisServer(saves=True)
    server.start()
    yield server
    server.close()


@pytest.fixture
async def workers(redis, emulator):
    async with run_workers(redis.url, emulator.base_url) as started:
        yield started


@pytest.fixture
async def client():
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as opened:
        yield opened


def frames_of(body):
    return [json.loads(data) for data in re.findall(r"^data: (\{.*)$", body, re.MULTILINE)]


def text_of(body):
    return "".join(f["delta"] for f in frames_of(body) if f["type"] == "text-delta")


async def read(client, url):
    """Read a response to its end, also one that is cut."""
    body = b""
    try:
        async with client.get(url) as response:
            async for data in response.content.iter_any():
                body += data
    except aiohttp.ClientError:
        pass
    return body.decode()


@asynccontextmanager
async def asking(client, worker):
    """Start an answer whose page stays, and yield once its text has begun."""
    async with client.post(f"{worker.url}/chat") as response:
        await response.content.readuntil(b'"text-delta"')
        yield response


async def test_two_hundred_pages_of_another_process_get_the_same(workers, emulator, client):
    emulator.reply(chunks=WORDS, pace=0.05)
    one, two = workers

    async with asking(client, one):
        bodies = await asyncio.gather(*(read(client, f"{two.url}/chat") for _ in range(200)))

    assert {text_of(body) for body in bodies} == {TEXT}
    assert {frames_of(body)[-1]["type"] for body in bodies} == {"finish"}
    assert len(emulator.requests) == 1


async def test_the_pages_end_within_the_lease_when_the_process_is_killed(workers, emulator, client):
    emulator.reply(chunks=WORDS, pace=0.5)
    one, two = workers

    async with asking(client, one):
        pages = [asyncio.create_task(read(client, f"{two.url}/chat")) for _ in range(5)]
        await asyncio.sleep(0.5)
        one.send_signal(signal.SIGKILL)
        killed = time.monotonic()
        bodies = await asyncio.gather(*pages)
        seconds = time.monotonic() - killed

    assert seconds < LEASE
    for body in bodies:
        assert [frame["type"] for frame in frames_of(body)[-2:]] == ["data-error", "error"]
        assert TEXT.startswith(text_of(body))
    late = await read(client, f"{two.url}/chat")
    assert frames_of(late)[-1]["type"] == "error"
    async with client.get(f"{two.url}/chat?live=1") as response:
        assert response.status == 204


async def test_any_process_stops_the_answer_of_another_one_at_once(workers, emulator, client):
    emulator.reply(chunks=WORDS, pace=0.5)
    one, two = workers

    async with asking(client, one) as response:
        follower = asyncio.create_task(read(client, f"{two.url}/chat"))
        await asyncio.sleep(0.2)
        start = time.monotonic()
        async with client.post(f"{two.url}/chat/stop") as stopped:
            assert await stopped.json() is True
        rest = (await response.read()).decode()
        body = await follower
        seconds = time.monotonic() - start

    assert seconds < 0.3
    assert frames_of(rest)[-1]["type"] == frames_of(body)[-1]["type"] == "abort"
    await emulator.requests[0].finished()
    assert emulator.requests[0].outcome == "left"


async def test_a_chat_that_starts_again_elsewhere_ends_the_answer_before(workers, emulator, client):
    emulator.reply(chunks=["old "] * 60, pace=0.2)
    emulator.reply(chunks=["new "] * 20, pace=0.05)
    one, two = workers

    async with asking(client, one) as old:
        follower = asyncio.create_task(read(client, f"{two.url}/chat"))
        await asyncio.sleep(0.3)
        async with asking(client, two):
            new_page = await read(client, f"{one.url}/chat")
        old_page = (await old.read()).decode()
        old_follower = await follower

    assert text_of(new_page) == "new " * 20
    for body in (old_page, old_follower):
        assert "new" not in text_of(body)
        assert frames_of(body)[-1]["type"] == "abort"


async def test_a_process_that_was_paused_longer_than_its_lease_writes_nothing_more(
    workers, emulator, client
):
    emulator.reply(chunks=["old "] * 600, pace=0.05)
    emulator.reply(chunks=["new "] * 100, pace=0.02)
    one, two = workers

    async with asking(client, one) as old:
        follower = asyncio.create_task(read(client, f"{two.url}/chat"))
        await asyncio.sleep(0.3)
        one.send_signal(signal.SIGSTOP)
        dead = await follower
        async with asking(client, two):
            one.send_signal(signal.SIGCONT)
            new = await read(client, f"{two.url}/chat")
        rest = (await old.read()).decode()

    assert frames_of(dead)[-1]["type"] == "error"
    assert text_of(new) == "new " * 100
    assert frames_of(rest)[-1]["type"] in {"abort", "error"}
    assert "new" not in rest


@pytest.mark.parametrize("pause", [0.0, 1.5])
async def test_nothing_is_lost_when_redis_restarts_with_its_data(
    workers, redis, emulator, client, pause
):
    emulator.reply(chunks=WORDS, pace=0.05)
    one, two = workers

    async with asking(client, one) as response:
        pages = [asyncio.create_task(read(client, f"{two.url}/chat")) for _ in range(5)]
        await asyncio.sleep(0.5)
        await asyncio.to_thread(redis.kill)
        await asyncio.sleep(pause)
        await asyncio.to_thread(redis.start)
        bodies = await asyncio.gather(*pages)
        await response.read()

    assert {text_of(body) for body in bodies} == {TEXT}


async def test_every_page_ends_when_redis_loses_its_data(emulator, client):
    emulator.reply(chunks=WORDS, pace=0.1)
    server = RedisServer()
    server.start()
    async with (
        run_workers(server.url, emulator.base_url) as (one, two),
        asking(client, one) as response,
    ):
        pages = [asyncio.create_task(read(client, f"{two.url}/chat")) for _ in range(5)]
        await asyncio.sleep(0.5)
        await asyncio.to_thread(server.restart)
        bodies = await asyncio.gather(*pages)
        rest = (await response.read()).decode()
    server.close()

    for body in (*bodies, rest):
        assert frames_of(body)[-1]["type"] == "error"
    await emulator.requests[0].finished()
    assert emulator.requests[0].outcome == "left"


async def test_every_page_ends_when_redis_stays_away(workers, redis, emulator, client):
    emulator.reply(chunks=WORDS * 10, pace=0.1)
    one, two = workers

    async with asking(client, one) as response:
        follower = asyncio.create_task(read(client, f"{two.url}/chat"))
        await asyncio.sleep(0.5)
        await asyncio.to_thread(redis.kill)
        async with asyncio.timeout(10):
            body = await follower
            rest = (await response.read()).decode()

    assert frames_of(body)[-1]["type"] == frames_of(rest)[-1]["type"] == "error"

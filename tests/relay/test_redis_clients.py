"""`RedisStore`: the URLs and clients that it takes, and the connections that it opens."""

import asyncio
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
import redis.asyncio

from aimlchat import ConfigurationError
from aimlchat.relay import BroadcastInterruptedError, Broadcasts, RedisStore


@pytest.fixture
def unix_url():
    """The URL of a Redis that listens on a Unix socket."""
    folder = tempfile.mkdtemp(prefix="redis-")
    path = Path(folder) / "socket"
    command = ["redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--dir", folder]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    while b"ready to accept" not in process.stdout.readline():
        assert process.poll() is None
    yield f"unix://{path}"
    process.kill()
    process.communicate()
    shutil.rmtree(folder)


async def test_a_unix_socket_works(unix_url, emulator, session, make_page):
    page = make_page()
    async with RedisStore(unix_url) as store, Broadcasts(store=store) as broadcasts:
        await (await broadcasts.start("chat", session.stream("Go"))).relay(page)

    assert page.frames[-1]["type"] == "finish"


async def test_a_user_with_a_password_works(redis_server, redis_client, session, make_page):
    groups = ("read", "write", "pubsub", "scripting", "connection")
    rules = (">p@ss", "~mine:*", "&mine:*", "-@all", *(f"+@{name}" for name in groups))
    await redis_client.execute_command("ACL", "SETUSER", "app", "on", "resetchannels", *rules)
    page = make_page()
    url = redis_server.url.replace("//", "//app:p%40ss@")
    async with RedisStore(url, prefix="mine") as store, Broadcasts(store=store) as broadcasts:
        await (await broadcasts.start("chat", session.stream("Go"))).relay(page)
        assert store._connection.subscriptions._pubsub is not None  # it may subscribe

    assert page.frames[-1]["type"] == "finish"


async def test_a_wrong_password_is_refused_at_once_and_not_shown(redis_server, session):
    url = redis_server.url.replace("//", "//nobody:secret@")
    async with RedisStore(url) as store, Broadcasts(store=store) as broadcasts:
        with pytest.raises(BroadcastInterruptedError, match="refused to sign in") as caught:
            await asyncio.wait_for(broadcasts.start("chat", session.stream("Go")), 1)

    assert "secret" not in str(caught.value)


async def test_what_keeps_redis_away_is_told(session):
    url = "redis://127.0.0.1:9"
    async with RedisStore(url, retry_for=0.05) as store, Broadcasts(store=store) as broadcasts:
        with pytest.raises(BroadcastInterruptedError, match=r"ConnectionError .*127\.0\.0\.1:9"):
            await broadcasts.start("chat", session.stream("Go"))


@pytest.mark.parametrize(
    ("make", "error", "told"),
    [
        (lambda: "redis://host?unknown=1", ConfigurationError, "options are those of redis-py"),
        (lambda: "redis://host?max_connections=1", ConfigurationError, "max_connections=2"),
        (
            lambda: redis.asyncio.Redis(
                connection_pool=redis.asyncio.BlockingConnectionPool(max_connections=1)
            ),
            ConfigurationError,
            "max_connections=2",
        ),
        (lambda: redis.asyncio.Redis(encoding="latin-1"), ConfigurationError, "UTF-8"),
        (lambda: redis.asyncio.Redis().pipeline(), TypeError, "Pipeline"),
        (lambda: redis.asyncio.sentinel.Sentinel([]), TypeError, "master_for"),
        (redis.asyncio.ConnectionPool, TypeError, "ConnectionPool"),
    ],
)
async def test_what_could_not_work_is_refused_at_once(make, error, told):
    with pytest.raises(error, match=told):
        RedisStore(make())


@pytest.mark.parametrize("limit", ["", "?max_connections=5"])
async def test_many_chats_at_once_share_a_few_connections(redis_server, redis_client, limit):
    before = (await redis_client.info("clients"))["connected_clients"]
    async with RedisStore(redis_server.url + limit) as store:
        answers = await asyncio.gather(*(store._begin_answer(f"chat {n}") for n in range(200)))
        await asyncio.gather(*(answer.append([{"type": "start"}]) for answer in answers))
        await asyncio.gather(*(answer.end([{"type": "finish"}]) for answer in answers))
        most = (await redis_client.info("clients"))["connected_clients"] - before

    assert most <= (5 if limit else 65)
    for _ in range(200):
        if (await redis_client.info("clients"))["connected_clients"] == before:
            break
        await asyncio.sleep(0.005)  # the server closes its ends
    else:
        pytest.fail("connections are left open")

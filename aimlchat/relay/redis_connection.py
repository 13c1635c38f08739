"""The connection to Redis: commands that survive a short outage, and one subscriber per process."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import re
from typing import TYPE_CHECKING, Any

from aimlchat.errors import ConfigurationError

from .errors import BroadcastInterruptedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from redis.asyncio import Redis

    Listener = Callable[[str | bytes | None], None]

__all__ = ["RedisConnection", "Subscriptions"]

_COMMAND_SECONDS = 5.0  # seconds after which a command counts as lost
# How many commands run at a time, each on its own connection; the subscriber has one more. Frames
# that wait meanwhile are written with one command.
_MAX_COMMANDS = 64
_FIRST_DELAY = 0.02  # seconds before a command is tried again, doubled each time
_LONGEST_DELAY = 0.5
_SILENCE_SECONDS = 5.0  # seconds after which the connection of the subscriber is tested
# The errors of a server that refuses commands for now: in a failover (READONLY, MASTERDOWN,
# LOADING, CLUSTERDOWN, TRYAGAIN, NOREPLICAS), while its memory or its disk is full (OOM, MISCONF),
# or while a script runs (BUSY).
_REFUSED_FOR_NOW = re.compile(
    r"\b(READONLY|MASTERDOWN|LOADING|CLUSTERDOWN|TRYAGAIN|NOREPLICAS|OOM|MISCONF|BUSY)\b"
)


class RedisConnection:
    """Runs scripts and commands on a client of redis-py, and repeats them while Redis is away.

    Every script here may run twice, so a command whose reply was lost is repeated too.
    """

    def __init__(self, url_or_client: Any, retry_seconds: float, prefix: str) -> None:
        try:
            import redis.asyncio  # noqa: PLC0415 - an optional dependency, loaded on use
        except ImportError as error:
            msg = (
                "RedisStore needs the package redis; install it, or aimlchat with the extra"
                ' "redis", as in: pip install ".[redis]"'
            )
            raise ConfigurationError(msg) from error
        self._owns_client = isinstance(url_or_client, str)
        if isinstance(url_or_client, str):
            url_or_client = _open_url(url_or_client)
        else:
            _check_client(url_or_client)
        self._client = url_or_client
        # A pool that is used up raises an error, or lets a command wait for too long.
        max_commands = min(_MAX_COMMANDS, self._client.connection_pool.max_connections - 1)
        self._free_connections = asyncio.Semaphore(max_commands)
        self._scripts: dict[str, Any] = {}
        self._retry_seconds = retry_seconds
        self._redis_error: type[Exception] = redis.RedisError
        self._login_error: type[Exception] = redis.AuthenticationError
        self.outages = (redis.ConnectionError, redis.TimeoutError, OSError)
        # The errors whose message lacks the code of the server.
        exceptions = redis.exceptions
        self._refused_for_now = (
            exceptions.ReadOnlyError,
            exceptions.MasterDownError,
            exceptions.ClusterDownError,
            exceptions.TryAgainError,
            exceptions.OutOfMemoryError,
        )
        # The server may allow later what it refuses now. Until then published messages are missed,
        # which is noticed when the lease is checked.
        self.subscriptions = Subscriptions(
            self._client, (redis.RedisError, OSError), idle_channel=f"{prefix}:none"
        )

    async def run(
        self,
        script: str,
        keys: Sequence[str],
        args: Sequence[Any],
        *,
        retry_seconds: float | None = None,
    ) -> Any:
        """Run a script; raise `BroadcastInterruptedError` if that is not possible for too long."""
        if script not in self._scripts:
            self._scripts[script] = self._client.register_script(script)
        call = self._scripts[script]
        return await self._try(lambda: call(keys=keys, args=args), retry_seconds)

    async def read_text(self, key: str, *, retry_seconds: float | None = None) -> str:
        """Return the text of a key, empty if there is none."""
        value = await self._try(lambda: self._client.get(key), retry_seconds)
        return value.decode() if isinstance(value, bytes) else value or ""

    async def read_entries(
        self, stream: str, after: int, count: int
    ) -> list[tuple[int, bool, Any]]:
        """Return entries of a stream: the number, whether it is the last one, and the frame."""
        entries = await self._try(
            lambda: self._client.xrange(stream, min=f"{after + 1}-0", count=count), None
        )
        found = []
        for entry_id, fields in entries:
            ((field, frame),) = fields.items()
            number = int(entry_id.partition(b"-" if isinstance(entry_id, bytes) else "-")[0])
            found.append((number, field not in (b"frame", "frame"), frame))
        return found

    async def aclose(self) -> None:
        """End the subscriber, and close the client if it was made here."""
        await self.subscriptions.aclose()
        if self._owns_client:
            await self._client.aclose()

    def _may_be_allowed_later(self, error: Exception) -> bool:
        return isinstance(error, self._refused_for_now) or bool(_REFUSED_FOR_NOW.search(str(error)))

    async def _try(self, command: Callable[[], Awaitable[Any]], seconds: float | None) -> Any:
        loop = asyncio.get_running_loop()
        seconds = self._retry_seconds if seconds is None else min(seconds, self._retry_seconds)
        deadline = loop.time() + seconds
        longest_wait = max(deadline, loop.time() + _COMMAND_SECONDS)
        delay = _FIRST_DELAY
        while True:
            try:
                async with asyncio.timeout_at(longest_wait):
                    await self._free_connections.acquire()
                try:
                    async with asyncio.timeout(_COMMAND_SECONDS):
                        return await command()
                finally:
                    self._free_connections.release()
            except self._login_error as error:  # a subclass of what an outage raises
                msg = f"Redis has refused to sign in: {error}"
                raise BroadcastInterruptedError(msg) from error
            except self.outages as error:
                if loop.time() + delay > deadline:
                    cause = f"{type(error).__name__} {error}".strip()
                    msg = f"Redis could not be reached for {seconds:g} s: {cause}"
                    raise BroadcastInterruptedError(msg) from error
            except self._redis_error as error:
                if loop.time() + delay > deadline or not self._may_be_allowed_later(error):
                    msg = f"Redis has refused a command: {error}"
                    raise BroadcastInterruptedError(msg) from error
            await asyncio.sleep(delay)
            delay = min(2 * delay, _LONGEST_DELAY)


def _open_url(url: str) -> Redis:
    """Return a client, whose connections are opened later."""
    import redis.asyncio  # noqa: PLC0415 - an optional dependency, loaded on use

    options: dict[str, Any] = {
        "socket_connect_timeout": _COMMAND_SECONDS,
        "max_connections": _MAX_COMMANDS + 1,
    }
    if not url.startswith("unix:"):
        options["socket_keepalive"] = True
    try:
        client = redis.asyncio.from_url(url, **options)
        pool = client.connection_pool
        pool.connection_class(**pool.connection_kwargs)  # raises what is wrong with the options
    except (TypeError, ValueError) as error:  # without the URL, which may hold a password
        msg = (
            "give a URL as redis://host:6379/0, rediss://... or unix://..., whose options are those"
            " of redis-py, as in ?ssl_ca_certs=ca.pem"
        )
        raise ConfigurationError(msg) from error
    _check_pool(client)
    return client


def _check_client(client: Any) -> None:
    """Raise if an object is no client on which every command here works."""
    import redis.asyncio  # noqa: PLC0415 - an optional dependency, loaded on use

    kind = type(client)
    if not isinstance(client, redis.asyncio.Redis) or isinstance(
        client, redis.asyncio.client.Pipeline
    ):
        msg = (
            "give a URL or a client of the class redis.asyncio.Redis, which is also what a Sentinel"
            " returns from master_for(), not one of the class"
            f" {kind.__module__}.{kind.__qualname__}"
        )
        raise TypeError(msg)
    _check_pool(client)


def _check_pool(client: Redis) -> None:
    pool = client.connection_pool
    encoding = pool.connection_kwargs.get("encoding", "utf-8")
    if codecs.lookup(encoding).name != "utf-8":
        msg = f"the client of Redis has the encoding {encoding}; frames are in UTF-8"
        raise ConfigurationError(msg)
    if pool.max_connections < 2:  # noqa: PLR2004
        msg = (
            "the client of Redis may open one connection only; give it max_connections=2 or more,"
            " since one is kept for what is published"
        )
        raise ConfigurationError(msg)


class Subscriptions:
    """The subscriptions of this process, over one connection, which is opened again when lost.

    A listener is called with each message of its channel, and with None when messages may have been
    missed: each time that the server has confirmed the subscription.
    """

    def __init__(
        self, client: Any, outages: tuple[type[Exception], ...], *, idle_channel: str
    ) -> None:
        self._client = client
        self._idle_channel = idle_channel
        self._outages = outages
        self._listeners: dict[str, list[Listener]] = {}
        self._pubsub: Any = None
        self._commands = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    async def add(self, channel: str, listener: Listener) -> None:
        """Listen to a channel."""
        self._listeners.setdefault(channel, []).append(listener)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="aimlchat.relay subscriber")
        else:
            await self._send("subscribe", channel)

    def remove(self, channel: str, listener: Listener) -> None:
        """Stop listening; safe to repeat."""
        listeners = self._listeners.get(channel, [])
        if listener not in listeners:
            return
        listeners.remove(listener)
        if not listeners:
            del self._listeners[channel]
            task = asyncio.create_task(self._leave(channel), name="aimlchat.relay unsubscribe")
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    async def aclose(self) -> None:
        """End the connection."""
        tasks = {*self._leaving, *([self._task] if self._task else [])}
        while tasks:
            for task in tasks:
                task.cancel()
            # redis-py loses a cancellation that comes while it connects, so one may not suffice.
            _, tasks = await asyncio.wait(tasks, timeout=_FIRST_DELAY)

    async def _leave(self, channel: str) -> None:
        async with self._commands:
            if channel not in self._listeners:
                await self._send_now("unsubscribe", channel)

    async def _send(self, command: str, channel: str) -> None:
        async with self._commands:
            await self._send_now(command, channel)

    async def _send_now(self, command: str, channel: str) -> None:
        if self._pubsub is None:
            return  # it subscribes to all channels once it is connected
        # If the connection is lost, the reading task notices and opens a new one.
        with contextlib.suppress(*self._outages):
            await getattr(self._pubsub, command)(channel)

    async def _run(self) -> None:
        delay = _FIRST_DELAY
        while True:
            pubsub = self._client.pubsub()
            try:
                async with self._commands, asyncio.timeout(_COMMAND_SECONDS):
                    # Without any channel there would be nothing to read.
                    await pubsub.subscribe(self._idle_channel, *self._listeners)
                    self._pubsub = pubsub
                delay = _FIRST_DELAY
                await self._read(pubsub)
            except self._outages:
                pass
            finally:
                self._pubsub = None
                with contextlib.suppress(*self._outages):
                    await pubsub.aclose()
            await asyncio.sleep(delay)
            delay = min(2 * delay, _LONGEST_DELAY)

    async def _read(self, pubsub: Any) -> None:
        is_tested = False
        while True:
            message = await pubsub.get_message(timeout=_SILENCE_SECONDS)
            if message is None:
                if is_tested:
                    msg = "no reply to a ping"
                    raise ConnectionError(msg)
                is_tested = True
                async with self._commands:
                    await pubsub.ping()
                continue
            is_tested = False
            channel = message["channel"]
            if isinstance(channel, bytes):
                channel = channel.decode()
            for listener in tuple(self._listeners.get(channel or "", ())):
                if message["type"] == "message":
                    listener(message["data"])
                elif message["type"] == "subscribe":
                    listener(None)

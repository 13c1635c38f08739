"""`RedisStore`: broadcasts that any process can follow, resume and stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from .redis_answer import RedisAnswer
from .redis_connection import RedisConnection
from .redis_reader import RedisReader, request_stop
from .redis_scripts import AnswerKeys, chat_key
from .redis_settings import RedisSettings

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["RedisStore", "check_store"]

# How long a request waits for a Redis that cannot be reached; a page waits for the request.
_REQUEST_RETRY_SECONDS = 2.0


class RedisStore:
    """Keeps broadcasts in Redis, so that any process can follow, resume and stop them.

    Pass it to `Broadcasts`, or to a `Broadcast`. It takes one connection for published messages,
    and one more for each command that is running, at most 64. Use it with ``async with``, or call
    `aclose` after all broadcasts have been closed.

    If the process that generates an answer dies, every page that follows it is sent ``error``
    within ``lease`` seconds. A connection to Redis that is lost is opened again; meanwhile pages
    wait. No page is sent a frame that Redis has not confirmed, so none loses or repeats a
    character. An answer that Redis has lost, or that could not be written for ``retry_for``
    seconds, ends with ``error`` for all its pages.

    Args:
        url_or_client: a URL, as ``redis://host:6379/0``, ``rediss://...`` or ``unix://...``, or a
            client of ``redis.asyncio``, including one of a Sentinel, which is never closed here.
            Needs ``redis>=5.0.1``.
        ttl: seconds for which Redis keeps an answer after its last change; ``lease`` if that is
            longer.
        lease: seconds within which the pages of an answer are told that its process has died. The
            process renews the lease five times as often; a process whose event loop is blocked for
            longer than half of ``lease`` may be considered dead.
        retry_for: seconds for which a command is repeated while Redis cannot be reached, or refuses
            writes for the moment, as in a failover or without memory.
        max_size: the most that is kept of one answer, in bytes. A larger answer is ended with a
            `BroadcastTooLargeError`.
        prefix: what the names of all keys and channels begin with.

    Raises:
        ConfigurationError: the package ``redis`` is missing, the URL is invalid or has an unknown
            option, a number is not above 0, or the client has only one connection or an encoding
            other than UTF-8.
        TypeError: ``url_or_client`` is neither.
    """

    def __init__(
        self,
        url_or_client: str | Redis,
        *,
        ttl: float = 3600.0,
        lease: float = 10.0,
        retry_for: float = 10.0,
        max_size: int = 64 * 1024 * 1024,
        prefix: str = "aimlchat",
    ) -> None:
        self._settings = RedisSettings(ttl=ttl, lease=lease, retry_for=retry_for, max_size=max_size)
        self._connection = RedisConnection(url_or_client, retry_for, prefix)
        self._prefix = prefix

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections that were opened here. If it was cancelled, call it again."""
        await self._connection.aclose()

    def _make_answer(self, chat_id: str) -> RedisAnswer:
        """Return a store for a new answer of a chat, which replaces the previous one."""
        return RedisAnswer(self._connection, self._settings, chat_key(self._prefix, chat_id))

    async def _begin_answer(self, chat_id: str) -> RedisAnswer:
        """Begin a new answer of a chat."""
        answer = self._make_answer(chat_id)
        await answer.begin(retry_seconds=_REQUEST_RETRY_SECONDS)
        return answer

    async def _find_answer(self, chat_id: str) -> AnswerKeys | None:
        """Return the current answer of a chat, None if there is none."""
        chat = chat_key(self._prefix, chat_id)
        answer_id = await self._connection.read_text(chat, retry_seconds=_REQUEST_RETRY_SECONDS)
        return AnswerKeys(chat, answer_id) if answer_id else None

    def _make_reader(self, keys: AnswerKeys) -> RedisReader:
        """Return a reader of an answer of another process."""
        return RedisReader(self._connection, self._settings, keys)

    async def _stop_answer(self, keys: AnswerKeys) -> bool:
        """Have the process that generates an answer stop it; return whether it had not ended."""
        return await request_stop(
            self._connection, self._settings, keys, retry_seconds=_REQUEST_RETRY_SECONDS
        )


def check_store(store: Any) -> RedisStore | None:
    """Return the store of `Broadcasts`, checked."""
    if store is None or isinstance(store, RedisStore):
        return store
    msg = (
        "store is a RedisStore, or None for the memory of this process, not an object of type"
        f" {type(store).__name__}, which keeps one answer"
    )
    raise TypeError(msg)

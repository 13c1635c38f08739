"""Similar available models, named in an error that says that there is no such model."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

from aimlchat._json import decode_json
from aimlchat._printable import shorten
from aimlchat._protocol.model_errors import says_no_such_model
from aimlchat._protocol.model_list import is_chat_model, parse_models
from aimlchat.errors import AIMLChatError
from aimlchat.policies import RetryPolicy, Timeouts

from .model_names import rank_models
from .prepare import EndpointSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aimlchat.errors import APIError
    from aimlchat.model_types import Model

    from .timers import TimeoutScheduler

__all__ = ["ModelHints"]

_FETCH_SECONDS = 5.0
_MIN_SECONDS = 0.001
# How long a list is used, so that a batch of a thousand failing rows fetches it once. A failure is
# kept, too, since the server is no faster for the next row.
_LIST_SECONDS = 300.0
_FAILURE_SECONDS = 60.0
_MAX_NAMED = 3
_MAX_HINTS = 64
_MAX_MODELS = 5000  # of a hostile list
_MAX_NAME_LENGTH = 100


class ModelHints:
    """Adds similar available models to errors; it keeps the list of models for a while.

    ``headers`` are those of the request for the list, which needs no key.
    """

    def __init__(self, scheduler: TimeoutScheduler, headers: Mapping[str, str]) -> None:
        self._scheduler = scheduler
        self._headers = headers
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock: asyncio.Lock
        self._expires = -math.inf
        self._models: dict[str, tuple[str, ...]] = {}  # the aliases by id
        self._hints: dict[str, str] = {}

    async def add_to(
        self,
        error: APIError,
        model: str,
        make_call: Callable[[EndpointSpec], Any],
        seconds_left: float,
    ) -> None:
        """Add a sentence to the message of an error that says that there is no such model.

        Any other error is left as it is, and so is such an error if the list of models cannot be
        fetched. Waits for at most five seconds. Cancelling closes the connection; another error
        that waits for the list then fetches it.

        Args:
            error: the error, which is changed.
            model: the requested model.
            make_call: returns the `Call` for the list of models.
            seconds_left: the seconds until the deadline of the failed call.
        """
        verdict = says_no_such_model(error, model)
        seconds = min(_FETCH_SECONDS, seconds_left)
        if verdict == "no" or seconds <= 0:
            return
        try:
            await self._refresh(make_call, seconds)
        except AIMLChatError:
            return  # the error of the caller's own request matters more
        others = [name for name, aliases in self._models.items() if model not in (name, *aliases)]
        is_listed = len(others) < len(self._models)
        if self._models and (verdict == "yes" or not is_listed):
            error.message = f"{_end_sentence(error.message)} {self._describe(model, others)}"
            error.args = (error.message, *error.args[1:])

    async def _refresh(self, make_call: Callable[[EndpointSpec], Any], seconds: float) -> None:
        """Fetch the list, unless it is known; if it is already being fetched, wait for that.

        Raises an `AIMLChatError` if that takes longer than ``seconds``, or fails.
        """
        loop, clock = asyncio.get_running_loop(), self._scheduler.clock
        if loop is not self._loop:  # a lock belongs to the loop that uses it
            self._loop, self._lock = loop, asyncio.Lock()
        lock = self._lock
        timers = self._scheduler.start(Timeouts(deadline=seconds))
        try:
            with timers:
                timers.start_retry_delay()
                await lock.acquire()
        finally:
            timers.stop()
        try:
            if clock.time() < self._expires:
                return
            seconds = max(seconds - timers.elapsed, _MIN_SECONDS)
            self._hints, self._models = {}, {}
            try:
                self._models = await self._fetch(make_call, seconds)
            except AIMLChatError:
                self._expires = clock.time() + _FAILURE_SECONDS
                raise
            self._expires = clock.time() + _LIST_SECONDS
        finally:
            lock.release()

    async def _fetch(
        self, make_call: Callable[[EndpointSpec], Any], seconds: float
    ) -> dict[str, tuple[str, ...]]:
        once, timeouts = RetryPolicy(attempts=1), Timeouts(deadline=seconds)
        call = make_call(EndpointSpec("GET", "models", self._headers, timeouts, once))
        try:
            models = await call.read_whole(lambda data, _: parse_models(decode_json(data)))
        finally:
            call.close()
        usable = [model for model in models if _is_usable(model)]
        return {model.id: model.aliases for model in usable[:_MAX_MODELS]}

    def _describe(self, model: str, others: list[str]) -> str:
        if len(self._hints) >= _MAX_HINTS:
            self._hints.clear()
        if model not in self._hints:
            self._hints[model] = _write_hint(model, rank_models(model, others)[:_MAX_NAMED])
        return self._hints[model]


def _is_usable(model: Model) -> bool:
    """Return whether a model is for chat, and its id can be shown."""
    is_name = len(model.id) <= _MAX_NAME_LENGTH and model.id.isprintable() and " " not in model.id
    return is_name and is_chat_model(model)


def _write_hint(model: str, near: list[str]) -> str:
    name = shorten(model, _MAX_NAME_LENGTH)
    if not near:
        return (
            f"The API lists no model whose name is like {name}; `aimlchat models`, or"
            " session.models(), lists all."
        )
    return (
        f"Available models similar to {name}: {', '.join(near)}. Choose one with model=, --model or"
        " the environment variable AIMLAPI_MODEL."
    )


def _end_sentence(message: str) -> str:
    message = message.rstrip()
    return message if message.endswith((".", "!", "?")) else f"{message}."

"""Which loads of the page are reloads, to tell a closed tab from a reloaded one."""

from __future__ import annotations

import asyncio
import contextlib
import secrets

import attrs

__all__ = ["PageLoads"]

# Seconds within which a browser that has requested the page runs its script, which says hello.
_LOAD_TIME = 5.0


@attrs.define
class _PageLoad:
    time: float  # when the page was requested, on the clock of the event loop
    has_said_hello: bool = False
    answer_id: str | None = None  # the answer that it continues to show


class PageLoads:
    """The loads of the page in the last seconds, each with an id that the page gets in its HTML.

    A reload and a closed tab end the web socket in the same way, and no request tells from which
    tab it comes. But a browser requests the new page of a reload before it closes the socket of the
    old one, and the new page says hello with the answer that it continues to show.
    """

    def __init__(self) -> None:
        self._loads: dict[str, _PageLoad] = {}
        self._changed = asyncio.Event()

    def add(self) -> str:
        """Note that a browser requested the page; return the id for this load."""
        now = asyncio.get_running_loop().time()
        self._loads = {
            page_id: load for page_id, load in self._loads.items() if load.time > now - _LOAD_TIME
        }
        page_id = secrets.token_hex(8)
        self._loads[page_id] = _PageLoad(now)
        return page_id

    def say_hello(self, page_id: str, answer_id: str | None) -> None:
        """Note that a page runs, and the unfinished answer that it shows."""
        if (load := self._loads.get(page_id)) is not None:
            load.has_said_hello, load.answer_id = True, answer_id
            self._report_change()

    def clear(self) -> None:
        """Forget all loads, and expect no hello from any of them."""
        for load in self._loads.values():
            load.has_said_hello = True
        self._loads.clear()
        self._report_change()

    async def include_reload(
        self, page_id: str, answer_id: str, *, since: float, until: float
    ) -> bool:
        """Return whether another page, loaded between two times, continues to show an answer.

        Waits until each of them has said hello, but no longer than a load takes. Cancelling is
        safe.
        """
        since = max(since, asyncio.get_running_loop().time() - _LOAD_TIME)
        loads = [
            load
            for other_id, load in self._loads.items()
            if since <= load.time <= until and other_id != page_id
        ]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(
                max((load.time for load in loads), default=0) + _LOAD_TIME
            ):
                while not all(load.has_said_hello for load in loads):
                    await self._changed.wait()
        return any(load.answer_id == answer_id for load in loads)

    def _report_change(self) -> None:
        # Each change gets an event of its own, so one who waits again waits for the next change.
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

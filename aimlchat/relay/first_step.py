"""Run a coroutine up to the point where it has to wait, without a task.

A write of aiohttp waits only if the page has stopped reading. A task for each write, or one that is
woken for it, would cost a third of the write itself.
"""

from __future__ import annotations

import types
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator

__all__ = ["resume", "run_first_step"]


def run_first_step(coroutine: Coroutine[Any, Any, None]) -> Callable[[], Awaitable[None]] | None:
    """Run a coroutine until it waits or ends; raise what it raises until then.

    Returns None if it has ended, otherwise a function that returns an awaitable for the rest. The
    coroutine must not depend on the task that runs it.
    """
    try:
        awaited = coroutine.send(None)
    except StopIteration:
        return None
    return partial(resume, coroutine, awaited)


@types.coroutine
def resume(coroutine: Coroutine[Any, Any, None], awaited: Any) -> Generator[Any, Any, None]:
    """Run the rest of a suspended coroutine, which has yielded the future that it waits for."""
    while True:
        try:
            value = yield awaited
        except BaseException as error:  # noqa: BLE001 - it is raised where the coroutine waits
            resume = partial(coroutine.throw, error)
        else:
            resume = partial(coroutine.send, value)
        try:
            awaited = resume()
        except StopIteration:
            return

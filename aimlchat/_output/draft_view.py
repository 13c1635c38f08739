"""`DraftView`, an async iterator over the growing value in the answer of a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from aimlchat.completions import AnswerDelta

from .growing_json import GrowingJson

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from aimlchat.completions import Delta

__all__ = ["DraftView"]

_NO_DRAFT = object()


class DraftView:
    """An async iterator over the drafts of the answer of choice 0: plain dicts, lists and scalars.

    `GrowingJson` says how they grow. What the stream raises is raised here, behind the drafts of
    all text before it; what has come without being shown is shown first only at a regular end.

    Args:
        stream: the stream, or any other iterator over its deltas.
        wrapper: the key of the object around the value, None if it was not asked for in one.
        restore: undoes, in the drafts, what was rewritten in the schema that was sent; called once
            for each draft in their order. A draft that is restored to the same value is left out.
        restore_whole: the same for the whole value, with its wrapper.
    """

    def __init__(
        self,
        stream: AsyncIterator[Delta],
        *,
        wrapper: str | None = None,
        restore: Callable[[Any], Any] | None = None,
        restore_whole: Callable[[Any], Any] | None = None,
    ) -> None:
        self._stream = stream
        self._growing = GrowingJson(wrapper)
        self._restore = restore
        self._restore_whole = restore_whole
        self._last: Any = _NO_DRAFT  # the last one that was restored

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        growing = self._growing
        while True:
            try:
                delta = await self._stream.__anext__()
            except StopAsyncIteration:
                if growing.end() and (draft := self._take_draft()) is not _NO_DRAFT:
                    return draft
                raise
            if type(delta) is not AnswerDelta or delta.choice != 0 or not growing.feed(delta.text):
                continue
            if (draft := self._take_draft()) is not _NO_DRAFT:
                return draft

    def _take_draft(self) -> Any:
        """Return the draft, or that there is none because it equals the last one."""
        growing = self._growing
        draft = growing.draft()
        if growing.is_complete and self._restore_whole is not None:
            draft = self._restore_whole(growing.whole)
        elif self._restore is not None:
            draft = self._restore(draft)
        else:
            return draft
        if self._last is not _NO_DRAFT and draft == self._last:
            return _NO_DRAFT
        self._last = draft
        return draft

"""`DraftView`, an async iterator over the growing value in the answer of a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from aimlchat.completions import AnswerDelta

from .growing_json import GrowingJson

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from aimlchat._schema.growing_restore import GrowingRestorer
    from aimlchat._schema.strict import RewrittenSchema
    from aimlchat.completions import Delta

__all__ = ["DraftView"]

_NO_DRAFT = object()


class DraftView:
    """An async iterator over the drafts of the answer of choice 0: plain dicts, lists and scalars.

    `GrowingJson` describes how they grow. An error of the stream is raised here, after the drafts
    of all text before it; text that has not been shown yet is shown first only at a regular end.

    Args:
        stream: the stream, or any other iterator over its deltas.
        find_schema: returns the schema that was sent, which may have been rewritten; None if the
            answer was not requested by one. Called once, after the first delta has arrived. The
            drafts are restored to the original schema; a draft that then equals the last one is
            left out.
    """

    def __init__(
        self,
        stream: AsyncIterator[Delta],
        find_schema: Callable[[], RewrittenSchema | None] = lambda: None,
    ) -> None:
        self._stream = stream
        self._find_schema = find_schema
        self._schema: RewrittenSchema | None = None
        self._growing: GrowingJson | None = None  # None before the answer has begun
        self._restorer: GrowingRestorer | None = None
        self._last: Any = _NO_DRAFT  # the last one that was restored

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        while True:
            try:
                delta = await self._stream.__anext__()
            except StopAsyncIteration:
                growing = self._growing
                if growing is not None and growing.end():
                    draft = self._take_draft(growing)
                    if draft is not _NO_DRAFT:
                        return draft
                raise
            if type(delta) is not AnswerDelta or delta.choice != 0:
                continue
            growing = self._growing or self._begin()
            if growing.feed(delta.text) and (draft := self._take_draft(growing)) is not _NO_DRAFT:
                return draft

    def _begin(self) -> GrowingJson:
        self._schema = schema = self._find_schema()
        if schema is not None:
            self._restorer = schema.grow()
        self._growing = GrowingJson(None if schema is None else schema.wrapper)
        return self._growing

    def _take_draft(self, growing: GrowingJson) -> Any:
        """Return the draft, or that there is none because it equals the last one."""
        draft, schema = growing.draft(), self._schema
        if schema is None or self._restorer is None:
            return draft
        if growing.is_complete:
            draft = schema.restore(growing.whole)
        else:
            draft = self._restorer.restore(draft)
        if self._last is not _NO_DRAFT and draft == self._last:
            return _NO_DRAFT
        self._last = draft
        return draft

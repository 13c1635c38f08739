"""Frames of the service, such as custom data parts, between the frames of an answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, Mapping
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

import msgspec

from .encoding import encode_frame

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from aimlchat.runs import ToolRun
    from aimlchat.stream import DeltaStream

    from .frames import Frame

    # The frames of a delta, the error of the stream, or None after its end.
    _Queue = asyncio.Queue[list[Frame] | Exception | None]

__all__ = ["DataPart", "ExtraFrames", "check_extra", "send_with_extra"]

ExtraFrames = AsyncIterable[Mapping[str, Any]]

_logger = logging.getLogger("aimlchat")

# For each type of frame that is complete in itself: its required fields, and the optional ones. All
# other types begin, continue or end something, which only the relay may do, or are not in every
# version of the AI SDK.
_Fields = Mapping[str, type]
_DATA_FIELDS: tuple[_Fields, _Fields] = ({"data": object}, {"id": str, "transient": bool})
_FIELDS: Mapping[str, tuple[_Fields, _Fields]] = {
    "file": ({"url": str, "mediaType": str}, {}),
    "message-metadata": ({"messageMetadata": Mapping}, {}),
    "source-document": ({"sourceId": str, "mediaType": str, "title": str}, {"filename": str}),
    "source-url": ({"sourceId": str, "url": str}, {"title": str}),
}
_RELAY_TYPES = ("data-error", "data-heartbeat")  # pages rely on what these mean


class DataPart(TypedDict):
    """A custom data part, as an ``extra=`` iterator yields it.

    ``type`` is ``data-`` and a name of your choice. `useChat` adds the part to the message, where a
    later part of the same type and ``id`` replaces it. A ``transient`` part reaches only
    ``onData``. ``data`` is anything that JSON can hold.
    """

    type: str
    data: Any
    id: NotRequired[str]
    transient: NotRequired[bool]


def check_extra(extra: object) -> None:
    """Raise `TypeError` if frames cannot be read from ``extra``."""
    if extra is not None and not isinstance(extra, AsyncIterable):
        msg = (
            "extra takes an async iterator of frames, such as what an async generator function"
            f" returns, not an object of type {type(extra).__name__}"
        )
        raise TypeError(msg)


async def send_with_extra(
    stream: DeltaStream[Any] | ToolRun[Any],
    extra: ExtraFrames,
    *,
    feed: Callable[[Any], list[Frame]],
    append: Callable[[Sequence[Frame]], Awaitable[None]],
) -> None:
    """Write the frames of a stream, and those of ``extra`` as they come, until the stream ends.

    Frames that ``extra`` can yield by then without waiting are still written; then it is closed. If
    it raises, or yields a frame that the AI SDK would fail on, that is logged, and the answer
    continues without it. Cancelling closes both.
    """
    queue: _Queue = asyncio.Queue(maxsize=1)
    readers = [
        asyncio.create_task(_read_stream(stream, feed, queue), name="aimlchat.relay stream"),
        asyncio.create_task(_read_extra(extra, queue), name="aimlchat.relay extra"),
    ]
    try:
        while (item := await queue.get()) is not None:
            if isinstance(item, Exception):
                raise item
            await append(item)
        await asyncio.sleep(0)
        while not queue.empty():
            if isinstance(item := queue.get_nowait(), list):
                await append(item)
            await asyncio.sleep(0)  # the iterator runs until it waits or has yielded a frame
    finally:
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)


async def _read_stream(
    stream: DeltaStream[Any] | ToolRun[Any], feed: Callable[[Any], list[Frame]], queue: _Queue
) -> None:
    try:
        async with stream:
            async for delta in stream:
                if frames := feed(delta):
                    await queue.put(frames)
    except Exception as error:  # noqa: BLE001 - raised by the task that reads the queue
        await queue.put(error)
    else:
        await queue.put(None)


async def _read_extra(extra: ExtraFrames, queue: _Queue) -> None:
    try:
        iterator = aiter(extra)
        try:
            async for frame in iterator:
                await queue.put([_check_frame(frame)])
        finally:
            if (close := getattr(iterator, "aclose", None)) is not None:
                await close()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        _logger.exception("the iterator of extra= was cancelled; the answer continues without it")
    except Exception:
        _logger.exception("the iterator of extra= failed; the answer continues without it")


def _check_frame(frame: object) -> Frame:
    """Return a copy of a frame, as JSON holds it; raise if the AI SDK would fail on it."""
    if not isinstance(frame, Mapping):
        msg = f"a frame is a dictionary, such as a DataPart, not of type {type(frame).__name__}"
        raise TypeError(msg)
    kind = frame.get("type")
    required, optional = _find_fields(kind)
    if missing := [name for name in required if name not in frame]:
        msg = f"the frame of type {kind!r} lacks {', '.join(missing)}"
        raise ValueError(msg)
    for name, value in frame.items():
        if name == "type":
            continue
        expected = required.get(name) or optional.get(name)
        if expected is None:
            allowed = ", ".join([*required, *optional])
            msg = f"a frame of type {kind!r} has no field {name!r}, only type, {allowed}"
            raise ValueError(msg)
        if not isinstance(value, expected):
            msg = (
                f"{name} of the frame of type {kind!r} is of type {type(value).__name__},"
                f" not {expected.__name__}"
            )
            raise TypeError(msg)
    copy: Frame = msgspec.json.decode(encode_frame(dict(frame)))
    return copy


def _find_fields(kind: object) -> tuple[_Fields, _Fields]:
    if isinstance(kind, str):
        if fields := _FIELDS.get(kind):
            return fields
        if kind.removeprefix("data-") not in ("", kind) and kind not in _RELAY_TYPES:
            return _DATA_FIELDS
    msg = (
        f"a frame of type {kind!r} cannot be sent by extra=: give `data-` and a name of your own,"
        f" or one of {', '.join(_FIELDS)}"
    )
    raise ValueError(msg)

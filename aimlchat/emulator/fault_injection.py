"""How an answer goes out, and what each fault makes of it."""

from __future__ import annotations

import asyncio
from functools import singledispatch
from itertools import repeat
from typing import TYPE_CHECKING

import attrs

from .encoding import encode
from .faults import (
    BrokenJson,
    Cut,
    ErrorEvent,
    ErrorStatus,
    Fault,
    Html,
    NoAnswer,
    OneByte,
    Pings,
    SlowClose,
    Stall,
    Trickle,
    WrongLength,
)
from .responses import Content, event_line

if TYPE_CHECKING:
    from .outlet import Outlet

__all__ = ["deliver", "is_billed"]

_PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>Just a moment...</title></head>\n"
    b"<body><h1>Checking your connection</h1></body></html>\n"
)
_TENTHS = 10
_FIRST_ERROR = 400


def is_billed(fault: Fault | None, content: Content) -> bool:
    """Tell whether the model worked, whatever of that the client gets to see."""
    match fault:
        case Html():
            return False
        case ErrorStatus(status=status):
            return status < _FIRST_ERROR
        case ErrorEvent(after=after):
            return content.streamed and after > 0
    return content.status < _FIRST_ERROR


async def deliver(fault: Fault | None, content: Content, outlet: Outlet) -> None:
    """Send an answer, spoiled by the fault unless it is too short for that."""
    await _send(None if _spares(fault, content) else fault, content, outlet)


def _spares(fault: Fault | None, content: Content) -> bool:
    match fault:
        case Cut(after=after):
            return after >= len(content.body)
        case Stall(after=int(after)) | Pings(after=after) | ErrorEvent(after=after):
            return content.streamed and content.place_after(after) is None
        case BrokenJson(after=after):
            return content.streamed and content.place_after(after) in (None, len(content.pieces))
    return False


@singledispatch
async def _send(_: Fault | None, content: Content, outlet: Outlet) -> None:
    """Send it as it is; what a fault does instead is registered below."""
    await outlet.begin(content, content.length)
    await outlet.send(content.data, content.pace)
    await outlet.end()


async def _for_ever() -> None:
    """Wait until the connection is lost, which cancels whoever answers on it."""
    await asyncio.Event().wait()


@_send.register(ErrorStatus)
async def _error_status(fault: ErrorStatus, _: Content, outlet: Outlet) -> None:
    body = outlet.error(fault.status, fault.message) if fault.body is None else fault.body
    headers = dict(fault.headers or {})
    if fault.retry_after is not None:
        headers["Retry-After"] = str(fault.retry_after)
    if fault.retry_after_ms is not None:
        headers["retry-after-ms"] = str(fault.retry_after_ms)
    error = Content.of_bytes(encode(body), status=fault.status, headers=headers)
    await _send(None, error, outlet)


@_send.register(NoAnswer)
async def _no_answer(fault: NoAnswer, _: Content, outlet: Outlet) -> None:
    await outlet.leave(fault.how)


@_send.register(Cut)
async def _cut(fault: Cut, content: Content, outlet: Outlet) -> None:
    kept, part, missing = content.split(fault.after)
    length = content.length
    if fault.how == "end" and length is not None:
        length = fault.after
    await outlet.begin(content, length)
    await outlet.send(kept, content.pace)
    if fault.how == "chunk" and content.streamed:
        outlet.send_unframed(b"%x\r\n%b" % (len(part) + len(missing), part))
    else:
        await outlet.send([part], content.pace)
    if fault.how == "end":
        await outlet.end()
    else:
        await outlet.leave("reset" if fault.how == "reset" else "close")


@_send.register(Stall)
async def _stall(fault: Stall, content: Content, outlet: Outlet) -> None:
    if fault.before == "head":
        await _for_ever()
    if fault.after is None:
        shown = content.up_to_first_delta()
    elif content.streamed or fault.after == 0:
        shown = content.up_to(fault.after)
    else:
        shown = [content.body[: len(content.body) // 2]]
    await outlet.begin(content, content.length)
    await outlet.send(shown, content.pace)
    await _for_ever()


@_send.register(Pings)
async def _pings(fault: Pings, content: Content, outlet: Outlet) -> None:
    await outlet.begin(content, None)
    if content.streamed:
        await outlet.send(content.up_to(fault.after), content.pace)
    await outlet.send(repeat(b": ping\n\n" if content.streamed else b"\n"), fault.seconds)


@_send.register(ErrorEvent)
async def _error_event(fault: ErrorEvent, content: Content, outlet: Outlet) -> None:
    error = outlet.error(fault.status, fault.message) if fault.body is None else fault.body
    if not content.streamed:
        await _send(None, Content.of_bytes(encode(error)), outlet)
        return
    await outlet.begin(content, content.length)
    await outlet.send(content.up_to(fault.after), content.pace)
    await outlet.send([event_line(error)], content.pace)
    await outlet.end()


@_send.register(BrokenJson)
async def _broken_json(fault: BrokenJson, content: Content, outlet: Outlet) -> None:
    pieces = list(content.pieces)
    place = (content.place_after(fault.after) or 0) if content.streamed else 0
    whole = pieces[place].data
    end = b"\n\n" if content.streamed else b""
    broken = whole.removesuffix(end)[:-1] + end
    pieces[place] = attrs.evolve(pieces[place], data=broken)
    await _send(None, attrs.evolve(content, pieces=tuple(pieces)), outlet)


@_send.register(Html)
async def _html(_: Html, __: Content, outlet: Outlet) -> None:
    headers = {"Content-Type": "text/html; charset=utf-8"}
    await _send(None, Content.of_bytes(_PAGE, headers=headers), outlet)


@_send.register(OneByte)
async def _one_byte(_: OneByte, content: Content, outlet: Outlet) -> None:
    await outlet.begin(content, content.length)
    await outlet.send((bytes([byte]) for byte in content.body), 0)
    await outlet.end()


@_send.register(Trickle)
async def _trickle(fault: Trickle, content: Content, outlet: Outlet) -> None:
    pieces = content.data
    if not content.streamed:
        step = len(content.body) // _TENTHS + 1
        pieces = [content.body[at : at + step] for at in range(0, len(content.body), step)]
    await outlet.begin(content, content.length)
    await outlet.send(pieces, fault.seconds)
    await outlet.end()


@_send.register(WrongLength)
async def _wrong_length(fault: WrongLength, content: Content, outlet: Outlet) -> None:
    promised = max(0, len(content.body) + fault.by)
    kept, part, _ = content.split(promised)
    await outlet.begin(content, promised)
    await outlet.send([*kept, part], content.pace)
    outlet.send_unframed(content.body[promised:])
    await outlet.leave("close")


@_send.register(SlowClose)
async def _slow_close(fault: SlowClose, content: Content, outlet: Outlet) -> None:
    now, later = content.data, b""
    if not content.streamed:
        now, later = [content.body[:-1]], content.body[-1:]
    await outlet.begin(content, content.length)
    await outlet.send(now, content.pace)
    await asyncio.sleep(fault.seconds)
    await outlet.response.write(later)
    await outlet.end()

"""Sending a response, and what each fault does to it on the socket."""

from __future__ import annotations

import asyncio
from functools import singledispatch
from itertools import repeat
from typing import TYPE_CHECKING

import attrs

from .encoding import encode_body
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
from .responses import PlannedResponse, encode_event

if TYPE_CHECKING:
    from .http import ResponseWriter

__all__ = ["is_billed", "send_response"]

_HTML_PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>Just a moment...</title></head>\n"
    b"<body><h1>Checking your connection</h1></body></html>\n"
)
_TRICKLE_PARTS = 10
_FIRST_ERROR_STATUS = 400


def is_billed(fault: Fault | None, response: PlannedResponse) -> bool:
    """Return whether a model works on the response, however much of it the client receives."""
    match fault:
        case Html():
            return False
        case ErrorStatus(status=status):
            return status < _FIRST_ERROR_STATUS
        case ErrorEvent(after=after):
            return response.streamed and after > 0
    return response.status < _FIRST_ERROR_STATUS


async def send_response(
    fault: Fault | None, response: PlannedResponse, writer: ResponseWriter
) -> None:
    """Send a response with a fault, or without one if the response is too short for it."""
    await _send(None if _is_beyond_end(fault, response) else fault, response, writer)


def _is_beyond_end(fault: Fault | None, response: PlannedResponse) -> bool:
    match fault:
        case Cut(after=after):
            return after >= len(response.body)
        case Stall(after=int(after)) | Pings(after=after) | ErrorEvent(after=after):
            return response.streamed and response.index_after(after) is None
        case BrokenJson(after=after):
            end = len(response.parts)
            return response.streamed and response.index_after(after) in (None, end)
    return False


@singledispatch
async def _send(_: Fault | None, response: PlannedResponse, writer: ResponseWriter) -> None:
    """Send a response without a fault; each fault registers its own function below."""
    await writer.send_headers(response, response.content_length)
    await writer.write(response.data, response.pace)
    await writer.finish()


async def _wait_until_cancelled() -> None:
    """Wait until the connection is lost, which cancels the handler."""
    await asyncio.Event().wait()


@_send.register(ErrorStatus)
async def _send_error_status(
    fault: ErrorStatus, _: PlannedResponse, writer: ResponseWriter
) -> None:
    body = fault.body
    if body is None:
        body = writer.build_error_body(fault.status, fault.message)
    headers = dict(fault.headers or {})
    if fault.retry_after is not None:
        headers["Retry-After"] = str(fault.retry_after)
    if fault.retry_after_ms is not None:
        headers["retry-after-ms"] = str(fault.retry_after_ms)
    error = PlannedResponse.from_bytes(encode_body(body), status=fault.status, headers=headers)
    await _send(None, error, writer)


@_send.register(NoAnswer)
async def _send_nothing(fault: NoAnswer, _: PlannedResponse, writer: ResponseWriter) -> None:
    await writer.disconnect(fault.how)


@_send.register(Cut)
async def _send_cut(fault: Cut, response: PlannedResponse, writer: ResponseWriter) -> None:
    before, sent, missing = response.split_at(fault.after)
    content_length = response.content_length
    if fault.how == "end" and content_length is not None:
        content_length = fault.after
    await writer.send_headers(response, content_length)
    await writer.write(before, response.pace)
    if fault.how == "chunk" and response.streamed:
        writer.write_unframed(b"%x\r\n%b" % (len(sent) + len(missing), sent))
    else:
        await writer.write([sent], response.pace)
    if fault.how == "end":
        await writer.finish()
    else:
        await writer.disconnect("reset" if fault.how == "reset" else "close")


@_send.register(Stall)
async def _send_stall(fault: Stall, response: PlannedResponse, writer: ResponseWriter) -> None:
    if fault.before == "headers":
        await _wait_until_cancelled()
    if fault.after is None:
        sent = response.data_before_first_delta()
    elif response.streamed or fault.after == 0:
        sent = response.data_through(fault.after)
    else:
        sent = [response.body[: len(response.body) // 2]]
    await writer.send_headers(response, response.content_length)
    await writer.write(sent, response.pace)
    await _wait_until_cancelled()


@_send.register(Pings)
async def _send_pings(fault: Pings, response: PlannedResponse, writer: ResponseWriter) -> None:
    await writer.send_headers(response, None)
    ping = b"\n"
    if response.streamed:
        await writer.write(response.data_through(fault.after), response.pace)
        ping = encode_event({"type": "ping"}, named=True) if response.named else b": ping\n\n"
    await writer.write(repeat(ping), fault.seconds)


@_send.register(ErrorEvent)
async def _send_error_event(
    fault: ErrorEvent, response: PlannedResponse, writer: ResponseWriter
) -> None:
    error = fault.body
    if error is None:
        error = writer.build_error_body(fault.status, fault.message)
    if not response.streamed:
        await _send(None, PlannedResponse.from_bytes(encode_body(error)), writer)
        return
    await writer.send_headers(response, response.content_length)
    await writer.write(response.data_through(fault.after), response.pace)
    await writer.write([encode_event(error, named=response.named)], response.pace)
    await writer.finish()


@_send.register(BrokenJson)
async def _send_broken_json(
    fault: BrokenJson, response: PlannedResponse, writer: ResponseWriter
) -> None:
    parts = list(response.parts)
    index = (response.index_after(fault.after) or 0) if response.streamed else 0
    ending = b"\n\n" if response.streamed else b""
    broken = parts[index].data.removesuffix(ending)[:-1] + ending
    parts[index] = attrs.evolve(parts[index], data=broken)
    await _send(None, attrs.evolve(response, parts=tuple(parts)), writer)


@_send.register(Html)
async def _send_html(_: Html, __: PlannedResponse, writer: ResponseWriter) -> None:
    headers = {"Content-Type": "text/html; charset=utf-8"}
    await _send(None, PlannedResponse.from_bytes(_HTML_PAGE, headers=headers), writer)


@_send.register(OneByte)
async def _send_one_byte(_: OneByte, response: PlannedResponse, writer: ResponseWriter) -> None:
    await writer.send_headers(response, response.content_length)
    await writer.write((bytes([byte]) for byte in response.body), 0)
    await writer.finish()


@_send.register(Trickle)
async def _send_trickle(fault: Trickle, response: PlannedResponse, writer: ResponseWriter) -> None:
    parts = response.data
    if not response.streamed:
        body = response.body
        step = len(body) // _TRICKLE_PARTS + 1
        parts = [body[start : start + step] for start in range(0, len(body), step)]
    await writer.send_headers(response, response.content_length)
    await writer.write(parts, fault.seconds)
    await writer.finish()


@_send.register(WrongLength)
async def _send_wrong_length(
    fault: WrongLength, response: PlannedResponse, writer: ResponseWriter
) -> None:
    promised = max(0, len(response.body) + fault.by)
    before, first_half, _ = response.split_at(promised)
    await writer.send_headers(response, promised)
    await writer.write([*before, first_half], response.pace)
    writer.write_unframed(response.body[promised:])
    await writer.disconnect("close")


@_send.register(SlowClose)
async def _send_slow_close(
    fault: SlowClose, response: PlannedResponse, writer: ResponseWriter
) -> None:
    parts, last_byte = response.data, b""
    if not response.streamed:
        parts, last_byte = [response.body[:-1]], response.body[-1:]
    await writer.send_headers(response, response.content_length)
    await writer.write(parts, response.pace)
    await asyncio.sleep(fault.seconds)
    await writer.response.write(last_byte)
    await writer.finish()

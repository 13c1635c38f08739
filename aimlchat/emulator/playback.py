"""Playback: requests are answered from a cassette, and recorded if they are not in it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .cassette import Cassette, RecordedRequest
from .errors import RejectedRequestError
from .fault_injection import is_billed, send_response
from .recording import Recorder
from .responses import BodyPart, PlannedResponse
from .scrubbing import Scrubber

if TYPE_CHECKING:
    import os

    from .cassette import Exchange
    from .faults import Fault
    from .http import ResponseWriter
    from .records import RequestRecord

__all__ = ["Playback"]


class Playback:
    """Responds from a cassette; `Emulator` documents the parameters."""

    def __init__(
        self, cassette: str | os.PathLike[str], record_from: str | None, speed: float
    ) -> None:
        if not speed > 0:
            msg = f"replay_speed is {speed!r}; it takes a number above 0, or math.inf for no pauses"
            raise ValueError(msg)
        self._cassette = Cassette(cassette, is_recording=record_from is not None)
        self._recorder = None
        if record_from is not None:
            self._recorder = Recorder(self._cassette, record_from)
        self._speed = speed

    async def close(self) -> None:
        """Close the connections to the server that is recorded."""
        if self._recorder is not None:
            await self._recorder.close()

    async def respond(
        self, record: RequestRecord, writer: ResponseWriter, fault: Fault | None
    ) -> None:
        """Respond to a request; a fault needs a recorded response, which then has no pauses.

        Raises:
            RejectedRequestError: the request is not recorded, or cannot be.
        """
        # The keys are removed here, too, so that a request that quotes one is found.
        scrubber = Scrubber(record.headers)
        path, query = map(scrubber.scrub_text, (record.path, record.query))
        body = scrubber.scrub(record.raw_body)
        request = RecordedRequest.from_bytes(record.method, path, query, body)
        exchange = self._cassette.find(request)
        if exchange is not None:
            await self._play(exchange, record, writer, fault)
        elif self._recorder is not None:
            await self._recorder.pass_on(request, record, writer, scrubber)
        else:
            # A status that no client retries.
            raise RejectedRequestError(400, self._cassette.describe_miss(request))

    async def _play(
        self,
        exchange: Exchange,
        record: RequestRecord,
        writer: ResponseWriter,
        fault: Fault | None,
    ) -> None:
        response = PlannedResponse(
            tuple(BodyPart(data, is_delta=True) for _, data in exchange.pieces),
            status=exchange.status,
            headers=exchange.headers,
            streamed=exchange.content_length is None,
        )
        record.billed = exchange.request.is_chat and is_billed(fault, response)
        if fault is not None:
            await send_response(fault, response, writer)
            return
        await asyncio.sleep(exchange.wait / self._speed)
        length = exchange.content_length
        if length is not None and exchange.complete and exchange.pieces:
            length = len(response.body)  # a key, or a text, may have been replaced
        await writer.send_headers(response, length)
        for pause, data in exchange.pieces:
            await asyncio.sleep(pause / self._speed)
            await writer.response.write(data)
        if exchange.complete:
            await writer.finish()
        else:
            await writer.disconnect("close")

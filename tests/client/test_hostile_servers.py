"""Servers that send too much: every call ends typed, in time, and within its memory."""

import asyncio
import sys

import pytest
from hostile_responses import ATTACKS
from raw_server import serving

pytestmark = pytest.mark.soak
AT_ONCE = 2
# Seconds: the deadline of each call is 4, and a busy machine is no fault.
MOST_SECONDS = 20
MOST_STALL = 5


async def attack(process, name):
    async with serving(ATTACKS[name].handler) as server:
        return name, await process.call(ATTACKS[name].kind, server.base_url)


@pytest.mark.skipif(sys.platform != "linux", reason="needs the limits and /proc of Linux")
async def test_no_server_takes_the_memory_or_the_time_of_a_client(record_property):
    from limited_process import MAX_GROWTH, MEGABYTE, LimitedProcess  # noqa: PLC0415

    results, names = {}, iter(ATTACKS)

    async def work():
        process = await LimitedProcess.start()
        for name in names:
            results.update([await attack(process, name)])
        await process.close()

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))

    failed = {
        name: result
        for name, result in results.items()
        if not ATTACKS[name].is_right(result["error"])
        or result["seconds"] > MOST_SECONDS
        or result["stall"] > MOST_STALL
        or result["megabytes"] > MAX_GROWTH / MEGABYTE
    }
    assert failed == {}
    largest, slowest, longest = (
        max(results.items(), key=lambda item: item[1][field])
        for field in ("megabytes", "seconds", "stall")
    )
    record_property(
        "note",
        f"{len(results)} hostile servers, {MAX_GROWTH // MEGABYTE} MB for each call;"
        f" most memory: {largest[1]['megabytes']} MB ({largest[0]}),"
        f" most time: {slowest[1]['seconds']:.1f} s ({slowest[0]}),"
        f" longest stall of the event loop: {longest[1]['stall']:.2f} s ({longest[0]})",
    )

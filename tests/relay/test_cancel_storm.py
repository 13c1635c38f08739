"""Thousands of calls of every kind, left or cancelled at random, with all warnings as errors."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest
from soak import SEED

import aimlchat
from aimlchat.emulator import Emulator

CALLS = 5000  # on each of the event loops
GUARD = 600  # seconds; only ends a storm that hangs
SCRIPT = Path(__file__).parent.parent / "support" / "cancel_storm.py"


async def run_storm(base_url, loop):
    """Run the storm in a process of its own, and return its figures."""
    packages = str(Path(aimlchat.__file__).parent.parent)
    command = ["-X", "dev", "-W", "error", str(SCRIPT), base_url, str(CALLS), str(SEED), loop]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([packages, *sys.path])},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(GUARD):
            output, errors = await process.communicate()
    except TimeoutError:
        process.kill()
        raise
    assert errors.decode() == ""
    return json.loads(output)


@pytest.mark.soak
async def test_calls_that_end_at_any_moment_leave_nothing_behind(record_property):
    pytest.importorskip("uvloop")
    loops = "asyncio", "uvloop"
    async with Emulator(chaos=0.2, pace=0.001, seed=SEED) as emulator:
        storms = await asyncio.gather(*(run_storm(emulator.base_url, loop) for loop in loops))
        await asyncio.wait_for(emulator.no_connections(), GUARD)

    for loop, storm in zip(loops, storms, strict=True):
        assert storm["is_debug"]
        assert storm["foreign"] == []
        assert storm["complaints"] == []
        assert storm["left"].pop("tasks") == []
        assert not any(storm["left"].values()), storm["left"]
        assert sum(storm["ends"].values()) == CALLS
        assert storm["ends"]["cancelled"] > CALLS / 5
        record_property(
            "note",
            f"{CALLS:,} calls on {loop}, seed {SEED}, {storm['seconds']:.0f} s:"
            f" {storm['ends']}; left behind: {storm['left']}, tasks: 0",
        )

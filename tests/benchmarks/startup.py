"""Measure the import of a package, and the time until it can send, in new processes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

from scenarios import MILLI, View

BARE = "pass"
READY = """
import asyncio, {0}
async def main():
    async with {0}.{1}:
        pass
asyncio.run(main())
"""
CODES = {
    "aimlchat": ("aimlchat", "import aimlchat"),
    "aimlchat, ready to send": ("aimlchat", READY.format("aimlchat", "ChatSession('k')")),
    "aiohttp": ("aimlchat", "import aiohttp"),
    "openai": ("openai", "import openai"),
    "openai, ready to send": ("openai", READY.format("openai", "AsyncOpenAI(api_key='k')")),
    "litellm": ("litellm", "import litellm"),
}
# Measures the installed package, whose bytecode is cached from the first start on.
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
FOLDER = tempfile.gettempdir()  # not the folder of the sources, which would be imported
# Otherwise its import fetches a price list over the network.
QUIET = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
VIEW = View(
    "imports: ms over bare Python (ratio at most 0.4; ready to send, 1.2)",
    "wall",
    MILLI,
    baseline="aiohttp",
)


def measure(pythons: dict[str, str]) -> dict[str, dict[str, float]]:
    """Start each program once; return how many seconds longer it took than an empty one."""
    times = {}
    for name, (package, code) in CODES.items():
        if package == "aimlchat" or package in pythons:
            python = pythons.get(package, sys.executable)
            times[name] = {"wall": _seconds(python, code) - _seconds(python, BARE)}
    return times


def _seconds(python: str, code: str) -> float:
    before = time.perf_counter()
    subprocess.run([python, "-c", code], check=True, cwd=FOLDER, env=ENVIRONMENT | QUIET)
    return time.perf_counter() - before

"""The pytest fixture `aimlchat_emulator`, for the tests of applications that use the SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .server import Emulator

__all__ = ["aimlchat_emulator"]


@pytest.fixture
def aimlchat_emulator() -> Iterator[Emulator]:
    """Run an `Emulator`, a new one for each test.

    It runs on its own event loop in a background thread, so it serves synchronous tests as well as
    those of every asyncio plugin. The test scripts it and reads its `requests` directly.
    """
    # pytest loads every plugin at its start; only tests that use the fixture pay for aiohttp.
    from .server import run_in_thread  # noqa: PLC0415

    with run_in_thread() as emulator:
        yield emulator

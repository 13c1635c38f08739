"""The fixture `aimlchat_emulator`, for the tests of those who use the SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .server import Emulator

__all__ = ["aimlchat_emulator"]


@pytest.fixture
def aimlchat_emulator() -> Iterator[Emulator]:
    """Give a running `Emulator`, fresh for each test.

    It runs on an event loop of its own in a background thread, so it serves synchronous tests and
    those of every asyncio plugin alike. Script it and read its `requests` from the test.
    """
    # pytest loads every plugin at its start: whoever does not use the fixture must not pay for it.
    from .background import running  # noqa: PLC0415

    with running() as emulator:
        yield emulator

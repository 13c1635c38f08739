"""The pytest fixture `aimlchat_emulator`, for the tests of applications that use the SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from .server import Emulator

__all__ = ["aimlchat_emulator", "aimlchat_emulator_settings"]


@pytest.fixture
def aimlchat_emulator_settings() -> Mapping[str, Any]:
    """Return the arguments of the `Emulator` of `aimlchat_emulator`.

    A test module overrides this fixture, for example with one that returns
    `{"models": ["my/fine-tune"]}`.
    """
    return {}


@pytest.fixture
def aimlchat_emulator(aimlchat_emulator_settings: Mapping[str, Any]) -> Iterator[Emulator]:
    """Run an `Emulator`, a new one for each test.

    It runs on its own event loop in a background thread, so it serves synchronous tests as well as
    those of every asyncio plugin. The test scripts it and reads its `requests` directly. A test
    fails at its end if a function that it gave to `reply` has failed.
    """
    # pytest loads every plugin at its start; only tests that use the fixture pay for aiohttp.
    from .thread import run_in_thread  # noqa: PLC0415

    with run_in_thread(**aimlchat_emulator_settings) as emulator:
        yield emulator

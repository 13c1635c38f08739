"""Where the requests of a command go: to the API, to another address, or to the emulator."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import click

from aimlchat.emulator import Emulator
from aimlchat.session import ChatSession

from .failures import InputFailure

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

__all__ = ["Destination", "destination_options"]

C = TypeVar("C", bound="Callable[..., Any]")

# A reader can follow it, and it does not feel slow.
_EMULATOR_PACE = 0.02
# Sent to the emulator, which takes any key, in place of the user's own.
_EMULATOR_KEY = "emulator"
# A session wants a key, but what takes none is sent none.
_PLACEHOLDER = "none-needed"


def destination_options(command: C) -> C:
    """Add ``--base-url`` and ``--emulator`` to a command."""
    base_url = click.option(
        "--base-url",
        metavar="URL",
        help="Where the API is. [default: AIMLAPI_BASE_URL, else https://api.aimlapi.com/v1]",
    )
    emulator = click.option(
        "--emulator",
        is_flag=True,
        help="Ask an emulator on this machine, without key, network or bill; it makes answers up.",
    )
    return emulator(base_url(command))


@attrs.frozen
class Destination:
    """Where the requests go. Raises `click.UsageError` for two places at once."""

    base_url: str | None
    emulator: bool

    def __attrs_post_init__(self) -> None:
        if self.emulator and self.base_url is not None:
            msg = "--emulator and --base-url name two places to send to; give one of them."
            raise click.UsageError(msg)

    def require_key(self) -> None:
        """Raise a `Failure` if there is no key and one is needed."""
        if self.emulator:
            return
        key = os.environ.get("AIMLAPI_API_KEY", os.environ.get("AIML_API_KEY", ""))
        if not key.strip():
            msg = "no API key: set AIMLAPI_API_KEY to one from https://aimlapi.com/app/keys"
            advice = "To try it without a key, add --emulator: this machine then makes answers up."
            raise InputFailure(msg, advice)

    @asynccontextmanager
    async def session(self, *, with_key: bool = True) -> AsyncIterator[ChatSession]:
        """Open a session there; without a key for what needs none."""
        if not self.emulator:
            key = None if with_key else _PLACEHOLDER
            async with ChatSession(key, base_url=self.base_url) as session:
                yield session
            return
        async with (
            Emulator(pace=_EMULATOR_PACE) as emulator,
            # No proxy of the environment leads to this machine.
            ChatSession(_EMULATOR_KEY, base_url=emulator.base_url, trust_env=False) as session,
        ):
            yield session

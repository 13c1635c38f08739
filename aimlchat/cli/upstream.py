"""Where a command sends its requests: the API, another base URL, or an emulator in this process."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import click

from aimlchat._client.credentials import find_api_key
from aimlchat.emulator import Emulator
from aimlchat.session import ChatSession

from .errors import CommandInputError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from aimlchat.policies import Limits
    from aimlchat.records import RetryRecord

__all__ = ["Upstream", "upstream_options"]

C = TypeVar("C", bound="Callable[..., Any]")

# Seconds between two events: slow enough to see the answer grow, fast enough not to delay it.
_EMULATOR_PACE = 0.02
# The emulator accepts any key, so the user's own is not sent to it.
_EMULATOR_KEY = "emulator"
# A session cannot be made without a key. The list of models needs none, and gets none.
_PLACEHOLDER_KEY = "none-needed"


def upstream_options(command: C) -> C:
    """Add the options ``--base-url`` and ``--emulator`` to a command."""
    base_url = click.option(
        "--base-url",
        metavar="URL",
        help="The base URL of the API. [default: AIMLAPI_BASE_URL, else https://api.aimlapi.com/v1]",
    )
    emulator = click.option(
        "--emulator",
        is_flag=True,
        help="Use an emulator on this machine: no key, no network, no bill, made-up answers.",
    )
    return emulator(base_url(command))


@attrs.frozen
class Upstream:
    """The server that answers the requests of a command.

    ``chaos`` is the share of requests to which the emulator responds with a fault, from 0 to 1.

    Raises `click.UsageError` if both a base URL and the emulator are given.
    """

    base_url: str | None
    emulator: bool
    chaos: float = 0.0

    def __attrs_post_init__(self) -> None:
        if self.emulator and self.base_url is not None:
            msg = "--emulator and --base-url exclude each other; give one of them."
            raise click.UsageError(msg)

    def require_key(self) -> None:
        """Raise `CommandInputError` if a key is needed and the environment has none."""
        if self.emulator:
            return
        if not (find_api_key(None) or "").strip():
            msg = "no API key: set AIMLAPI_API_KEY to a key from https://aimlapi.com/app/keys"
            advice = "To try the command without a key, add --emulator: it makes up the answers."
            raise CommandInputError(msg, advice)

    @asynccontextmanager
    async def open_session(
        self,
        *,
        with_key: bool = True,
        limits: Limits | None = None,
        on_retry: Callable[[RetryRecord], object] | None = None,
    ) -> AsyncIterator[ChatSession]:
        """Open a session to this server; ``with_key=False`` is for endpoints that need no key."""
        if not self.emulator:
            key = None if with_key else _PLACEHOLDER_KEY
            async with ChatSession(
                key, base_url=self.base_url, limits=limits, on_retry=on_retry
            ) as session:
                yield session
            return
        async with (
            Emulator(pace=_EMULATOR_PACE, chaos=self.chaos) as emulator,
            ChatSession(
                _EMULATOR_KEY,
                base_url=emulator.base_url,
                # A proxy from the environment cannot reach the loopback address of this machine.
                trust_env=False,
                on_retry=on_retry,
            ) as session,
        ):
            yield session

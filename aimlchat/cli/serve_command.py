"""``aimlchat serve``: a page to talk to a model."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING

import click

from .chat_page import Site
from .connection import Destination, destination_options
from .failures import Failure, failure_of, reason_of
from .running import run

if TYPE_CHECKING:
    from aimlchat.errors import AIMLChatError

__all__ = ["command"]


@click.command("serve")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8090,
    show_default=True,
    help="The port; 0 takes one that is free.",
)
@destination_options
def command(*, port: int, base_url: str | None, emulator: bool) -> None:
    """Serve a page to talk to a model, on this machine only, until Ctrl-C.

    Open the printed address in a browser. The key stays here; the page never gets it. What goes
    wrong upstream is told here in more detail than on the page.
    """
    destination = Destination(base_url, emulator)
    destination.require_key()
    run(_serve(destination, port))


async def _serve(destination: Destination, port: int) -> None:
    stopped = asyncio.Event()
    with contextlib.suppress(NotImplementedError):  # Windows has no such signal
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with destination.session() as session:
        site = Site(session, port=port, emulator=destination.emulator, on_failure=_tell)
        try:
            await site.start()
        except OSError as error:
            reason = reason_of(error)
            msg = f"cannot listen on 127.0.0.1:{port}: {reason}; choose another with --port"
            raise Failure(msg) from error
        try:
            _announce(site.url, emulator=destination.emulator)
            await stopped.wait()
        finally:
            await site.close()


def _announce(url: str, *, emulator: bool) -> None:
    click.echo(f"The chat page is at {url}; Ctrl-C stops it.")
    if emulator:
        click.echo("The emulator makes its answers up; nothing is charged.")


def _tell(error: AIMLChatError) -> None:
    failure_of(error).show()

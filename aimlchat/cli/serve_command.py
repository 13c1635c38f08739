"""``aimlchat serve``: serves a chat page on this machine."""

from __future__ import annotations

import click

from .chat_page import PageServer
from .errors import CommandError, describe_listen_error, to_command_error
from .interrupts import listen_for_sigterm, run_interruptible
from .upstream import Upstream, upstream_options

__all__ = ["command"]


@click.command("serve")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8090,
    show_default=True,
    help="The port to listen on; 0 takes a free one.",
)
@upstream_options
def command(*, port: int, base_url: str | None, emulator: bool) -> None:
    """Serve a chat page on this machine only, until Ctrl-C.

    Open the printed URL in a browser. The API key stays in this process; the page never gets it.
    Errors of the API are printed here in more detail than the page shows.
    """
    upstream = Upstream(base_url, emulator)
    upstream.require_key()
    run_interruptible(_serve(upstream, port))


async def _serve(upstream: Upstream, port: int) -> None:
    stopped = listen_for_sigterm()
    async with upstream.open_session() as session:
        server = PageServer(
            session,
            port=port,
            emulator=upstream.emulator,
            on_error=lambda error: to_command_error(error).show(),
        )
        try:
            await server.start()
        except OSError as error:
            raise CommandError(describe_listen_error(error, "127.0.0.1", port)) from error
        try:
            click.echo(f"The chat page is at {server.url}; Ctrl-C stops it.")
            if upstream.emulator:
                click.echo("The emulator makes up the answers; nothing is charged.")
            await stopped.wait()
        finally:
            await server.close()

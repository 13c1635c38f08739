"""``aimlchat serve``: serves a chat page on this machine."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import click

from aimlchat.errors import AIMLChatError
from aimlchat.request import ChatRequest
from aimlchat.tool_types import Tool

from .chat_page import PageServer
from .errors import CommandError, describe_listen_error, to_command_error
from .importing import import_object
from .interrupts import listen_for_sigterm, run_interruptible
from .upstream import Upstream, upstream_options

if TYPE_CHECKING:
    from aimlchat.records import RetryRecord

__all__ = ["command"]


@click.command("serve")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8090,
    show_default=True,
    help="The port to listen on; 0 takes a free one.",
)
@click.option(
    "--chaos",
    type=float,
    metavar="SHARE",
    help="The share of questions, from 0 to 1, that get a fault; only with --emulator.",
)
@click.option(
    "--tool",
    "tool_names",
    multiple=True,
    metavar="MODULE:FUNCTION",
    help="A Python function that the model may call, in this process; repeat it for several.",
)
@upstream_options
def command(
    *,
    port: int,
    chaos: float | None,
    tool_names: tuple[str, ...],
    base_url: str | None,
    emulator: bool,
) -> None:
    """Serve a chat page on this machine only, until Ctrl-C.

    Open the printed URL in a browser. The API key stays in this process; the page never gets it.
    Errors of the API are printed here, too.
    """
    if chaos is not None:
        if not emulator:
            msg = "--chaos needs --emulator: only the emulator fails on purpose."
            raise click.UsageError(msg)
        if not 0 <= chaos <= 1:
            msg = (
                f"--chaos is {chaos:g}; it takes the share of questions with a fault, from 0 to 1."
            )
            raise click.UsageError(msg)
    upstream = Upstream(base_url, emulator, chaos or 0.0)
    upstream.require_key()
    run_interruptible(_serve(upstream, port, _import_tools(tool_names)))


def _import_tools(names: tuple[str, ...]) -> list[Tool]:
    tools = [_import_tool(name) for name in names]
    try:
        ChatRequest("m", tools=tools).user("?").payload()
    except AIMLChatError as error:
        msg = f"the tools cannot be offered together: {error}"
        raise click.UsageError(msg) from error
    return tools


def _import_tool(name: str) -> Tool:
    tool = import_object(name, "--tool")
    if isinstance(tool, Tool):
        return tool
    try:
        return Tool.from_function(tool)
    except (AIMLChatError, TypeError) as error:
        msg = f"--tool {name!r} cannot be a tool: {error}"
        raise click.UsageError(msg) from error


async def _serve(upstream: Upstream, port: int, tools: list[Tool]) -> None:
    stopped = listen_for_sigterm()
    # The library's warnings are about answers that failed, which `on_error` prints in detail.
    logging.getLogger("aimlchat").setLevel(logging.ERROR)

    def report_retry(record: RetryRecord) -> None:
        server.report_retry(record)  # only a call has retries, and by then there is a server

    async with upstream.open_session(on_retry=report_retry) as session:
        server = PageServer(
            session,
            port=port,
            emulator=upstream.emulator,
            on_error=lambda error: to_command_error(error).show(),
            tools=tools,
        )
        try:
            await server.start()
        except OSError as error:
            raise CommandError(describe_listen_error(error, "127.0.0.1", port)) from error
        try:
            click.echo(f"The chat page is at {server.url}; Ctrl-C stops it.")
            if upstream.emulator:
                click.echo("The emulator makes up the answers; nothing is charged.")
            if upstream.chaos:
                click.echo(f"It responds with a fault to {upstream.chaos:.0%} of the questions.")
            await stopped.wait()
        finally:
            await server.close()

"""``aimlchat emulator``: the API on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import Literal

import click

from aimlchat.emulator import Emulator

from .failures import Failure, reason_of
from .running import run

__all__ = ["command"]


@click.command("emulator")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="The port; 0 takes one that is free.",
)
@click.option(
    "--pace",
    type=click.FloatRange(min=0),
    default=0.02,
    show_default=True,
    metavar="SECONDS",
    help="The time between two events of a stream; 0 is as fast as it goes.",
)
@click.option(
    "--form",
    type=click.Choice(["flat", "enveloped"]),
    default="flat",
    show_default=True,
    help="How Claude's streams are shaped: as today, or as until February 2026.",
)
@click.option(
    "--chaos",
    type=float,
    default=0.0,
    show_default=True,
    metavar="SHARE",
    help="The share of chat requests, from 0 to 1, in which something goes wrong.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Another number: other ids, other words, other things that go wrong.",
)
def command(
    *,
    host: str,
    port: int,
    pace: float,
    form: Literal["flat", "enveloped"],
    chaos: float,
    seed: int,
) -> None:
    """Serve the API on this machine until Ctrl-C, without a key.

    It checks requests as the API does, and makes answers up out of the prompt. Any key will do,
    and nothing is charged.
    """
    try:
        emulator = Emulator(host=host, port=port, pace=pace, form=form, chaos=chaos, seed=seed)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    run(_serve(emulator, f"{host}:{port}"))


async def _serve(emulator: Emulator, address: str) -> None:
    stopped = asyncio.Event()
    with contextlib.suppress(NotImplementedError):  # Windows has no such signal
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    try:
        await emulator.start()
    except OSError as error:
        msg = f"cannot listen on {address}: {reason_of(error)}; choose another with --port"
        raise Failure(msg) from error
    try:
        _announce(emulator.base_url)
        await stopped.wait()
    finally:
        await emulator.close()


def _announce(base_url: str) -> None:
    verb = "set" if os.name == "nt" else "export"
    click.echo(f"The emulator listens at {base_url}; Ctrl-C stops it. To use it from a shell:\n")
    click.echo(f"{verb} AIMLAPI_BASE_URL={base_url}")
    click.echo(f"{verb} AIMLAPI_API_KEY=emulator")

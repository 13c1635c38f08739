"""``aimlchat emulator``: serves an emulator of the API on this machine."""

from __future__ import annotations

import os
from typing import Literal

import click

from aimlchat.emulator import Emulator

from .errors import CommandError, CommandInputError, describe_listen_error, describe_os_error
from .interrupts import listen_for_sigterm, run_interruptible

__all__ = ["command"]


@click.command("emulator")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="The port to listen on; 0 takes a free one.",
)
@click.option(
    "--pace",
    type=click.FloatRange(min=0),
    default=0.02,
    show_default=True,
    metavar="SECONDS",
    help="The time between two events of a stream; 0 sends them as fast as possible.",
)
@click.option(
    "--form",
    type=click.Choice(["flat", "enveloped"]),
    default="flat",
    show_default=True,
    help="The format of Claude's streams: flat as today, enveloped as before February 2026.",
)
@click.option(
    "--chaos",
    type=float,
    default=0.0,
    show_default=True,
    metavar="SHARE",
    help="The share of chat requests, from 0 to 1, that get a fault.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Another seed gives other ids, other texts and other faults.",
)
@click.option(
    "--cassette",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Respond with the recorded exchanges of a file.",
)
@click.option(
    "--record-from",
    metavar="URL",
    help="Forward requests that the cassette lacks to the API at this base URL, and record them.",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="ID",
    help="Serve this model too, although the emulator does not know it. Can be repeated.",
)
@click.option(
    "--retire",
    multiple=True,
    metavar="ID",
    help="Refuse this model as a retired one. Can be repeated.",
)
def command(
    *,
    host: str,
    port: int,
    pace: float,
    form: Literal["flat", "enveloped"],
    chaos: float,
    seed: int,
    cassette: str | None,
    record_from: str | None,
    models: tuple[str, ...],
    retire: tuple[str, ...],
) -> None:
    """Serve an emulator of the API on this machine, until Ctrl-C.

    The emulator checks requests as the API does, and makes up answers from the prompt. It takes any
    API key, and nothing is charged.
    """
    try:
        emulator = Emulator(
            host=host,
            port=port,
            pace=pace,
            form=form,
            chaos=chaos,
            seed=seed,
            cassette=cassette,
            record_from=record_from,
            models=models,
            retire=retire,
        )
    except (TypeError, ValueError) as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        msg = f"cannot read the cassette {cassette}: {describe_os_error(error)}"
        raise CommandInputError(msg) from error
    run_interruptible(_serve(emulator, host, port))


async def _serve(emulator: Emulator, host: str, port: int) -> None:
    stopped = listen_for_sigterm()
    try:
        await emulator.start()
    except OSError as error:
        msg = describe_listen_error(error, host, port, host_option="--host")
        raise CommandError(msg) from error
    try:
        _print_variables(emulator.base_url)
        await stopped.wait()
    finally:
        await emulator.close()


def _print_variables(base_url: str) -> None:
    verb = "set" if os.name == "nt" else "export"
    click.echo(f"The emulator listens at {base_url}; Ctrl-C stops it. To use it from a shell:\n")
    click.echo(f"{verb} AIMLAPI_BASE_URL={base_url}")
    click.echo(f"{verb} AIMLAPI_API_KEY=emulator")

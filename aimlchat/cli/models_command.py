"""``aimlchat models``: what the API offers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from .connection import Destination, destination_options
from .failures import Failure
from .running import run
from .terminal import one_line, write_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aimlchat.completions import Model

__all__ = ["command"]

_CHAT = "chat-completions"
_WIDEST = 1000


@click.command("models")
@click.argument("wanted", required=False, default="", metavar="[FILTER]")
@click.option("--json", "as_json", is_flag=True, help="Print the entries as the API sends them.")
@click.option("--all", "every_kind", is_flag=True, help="List more than the models for chat.")
@destination_options
def command(
    *, wanted: str, as_json: bool, every_kind: bool, base_url: str | None, emulator: bool
) -> None:
    """List the models that the API offers; no key is needed.

    FILTER keeps those whose id, alias, name or developer has it in it, whatever the case. A
    terminal gets a table, anything else one id a line. If there is no such model, the exit status
    is 1.
    """
    offered = run(_offered(Destination(base_url, emulator)))
    kept = [
        model
        for model in sorted(offered, key=lambda model: model.id)
        if (every_kind or model.type.endswith(_CHAT)) and _fits(model, wanted)
    ]
    if as_json:
        write_json([model.raw for model in kept])
    elif sys.stdout.isatty():
        _print_table(kept, every_kind=every_kind)
    else:
        sys.stdout.writelines(f"{one_line(model.id)}\n" for model in kept)
        sys.stdout.flush()
    if not kept:
        what = f"no model has {wanted!r} in its id, aliases, name or developer" if wanted else ""
        raise Failure(what or "the API lists no such models", "" if every_kind else "Try --all.")


async def _offered(destination: Destination) -> list[Model]:
    async with destination.session(with_key=False) as session:
        return await session.models()


def _fits(model: Model, wanted: str) -> bool:
    said = (model.id, model.name, model.developer, *model.aliases)
    return any(wanted.lower() in text.lower() for text in said)


def _print_table(models: Iterable[Model], *, every_kind: bool) -> None:
    # Loaded here since only a terminal needs it.
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("model")
    table.add_column("developer")
    table.add_column("context", justify="right")
    if every_kind:
        table.add_column("endpoint")
    for model in models:
        context = f"{model.context_length:,}" if model.context_length else ""
        cells = [model.id, model.developer, context, *([model.type] if every_kind else [])]
        # As `Text`, in which rich looks for no markup.
        table.add_row(*(Text(one_line(cell)) for cell in cells))
    # An id is there to be copied: the table is as wide as it has to be, and a terminal that is
    # narrower goes on in the next line, where rich would cut off the end.
    Console(file=sys.stdout, force_terminal=True, width=_WIDEST).print(table)

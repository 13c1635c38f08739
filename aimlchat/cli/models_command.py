"""``aimlchat models``: lists the models of the API."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from .chat_models import is_chat_model
from .errors import CommandError
from .interrupts import run_interruptible
from .terminal import print_json, to_one_line
from .upstream import Upstream, upstream_options

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aimlchat.completions import Model

__all__ = ["command"]

# Columns; wider than any table, so that rich never cuts off an id.
_TABLE_WIDTH = 1000


@click.command("models")
@click.argument("pattern", required=False, default="", metavar="[FILTER]")
@click.option("--json", "as_json", is_flag=True, help="Print the entries as the API sent them.")
@click.option("--all", "all_types", is_flag=True, help="List models of every type, not only chat.")
@upstream_options
def command(
    *, pattern: str, as_json: bool, all_types: bool, base_url: str | None, emulator: bool
) -> None:
    """List the models that the API offers; no key is needed.

    FILTER keeps the models with this text in their id, alias, name or developer; case does not
    matter. A terminal gets a table, a pipe or a file one id per line. If no model matches, the
    exit status is 1.
    """
    models = [
        model
        for model in run_interruptible(_fetch_models(Upstream(base_url, emulator)))
        if (all_types or is_chat_model(model)) and _matches(model, pattern)
    ]
    models.sort(key=lambda model: model.id)
    if as_json:
        print_json([model.raw for model in models])
    elif sys.stdout.isatty():
        _print_table(models, with_type=all_types)
    else:
        sys.stdout.writelines(f"{to_one_line(model.id)}\n" for model in models)
        sys.stdout.flush()
    if not models:
        msg = "the API lists no such models"
        if pattern:
            msg = f"no model has {pattern!r} in its id, aliases, name or developer"
        raise CommandError(msg, "" if all_types else "To search models of every type, add --all.")


async def _fetch_models(upstream: Upstream) -> list[Model]:
    async with upstream.open_session(with_key=False) as session:
        return await session.models()


def _matches(model: Model, pattern: str) -> bool:
    texts = (model.id, model.name, model.developer, *model.aliases)
    return any(pattern.lower() in text.lower() for text in texts)


def _print_table(models: Iterable[Model], *, with_type: bool) -> None:
    # Imported here because only a terminal needs it.
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("model")
    table.add_column("developer")
    table.add_column("context", justify="right")
    if with_type:
        table.add_column("endpoint")
    for model in models:
        context = f"{model.context_length:,}" if model.context_length else ""
        cells = [model.id, model.developer, context, *([model.type] if with_type else [])]
        # rich interprets markup in strings, but not in `Text`.
        table.add_row(*(Text(to_one_line(cell)) for cell in cells))
    # Ids are copied from the table: a narrow terminal wraps a line where rich would cut the id.
    Console(file=sys.stdout, force_terminal=True, width=_TABLE_WIDTH).print(table)

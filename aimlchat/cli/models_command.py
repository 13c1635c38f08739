"""``aimlchat models``: lists the models of the API."""

from __future__ import annotations

import re
import shutil
import sys
from typing import TYPE_CHECKING

import click

from aimlchat._protocol.model_list import is_chat_model

from .completion import remember_models
from .errors import CommandError
from .interrupts import run_interruptible
from .price_table import format_table
from .terminal import print_json, to_one_line
from .upstream import Upstream, upstream_options

if TYPE_CHECKING:
    from aimlchat.model_types import Model

__all__ = ["command"]


@click.command("models")
@click.argument("pattern", required=False, default="", metavar="[FILTER]")
@click.option(
    "--family",
    default="",
    metavar="NAME",
    help="List only models with this word in their id or an alias, such as claude, sonnet or gpt.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the entries as the API sent them.")
@click.option("--all", "all_types", is_flag=True, help="List models of every type, not only chat.")
@upstream_options
def command(
    *,
    pattern: str,
    family: str,
    as_json: bool,
    all_types: bool,
    base_url: str | None,
    emulator: bool,
) -> None:
    """List the models that the API offers; no key is needed.

    With FILTER, only models with this text in their id, alias, name or developer are listed; case
    does not matter. A terminal gets a table with the size of the context and the prices in US
    dollars for a million tokens, a pipe or a file one id per line. If no model matches, the exit
    status is 1.
    """
    listed = run_interruptible(_fetch_models(Upstream(base_url, emulator)))
    if not emulator:
        remember_models(model.id for model in listed if is_chat_model(model))
    models = [
        model
        for model in listed
        if (all_types or is_chat_model(model))
        and _matches(model, pattern)
        and (not family or _is_of_family(model, family))
    ]
    models.sort(key=lambda model: model.id)
    if as_json:
        print_json([model.raw for model in models])
    elif sys.stdout.isatty():
        width = shutil.get_terminal_size().columns
        for line in format_table(models, width, with_type=all_types):
            click.echo(line)
    else:
        sys.stdout.writelines(f"{to_one_line(model.id)}\n" for model in models)
        sys.stdout.flush()
    if not models:
        raise CommandError(
            _describe_no_match(pattern, family),
            "" if all_types else "To search models of every type, add --all.",
        )


async def _fetch_models(upstream: Upstream) -> list[Model]:
    async with upstream.open_session(with_key=False) as session:
        return await session.models(include="pricing")


def _matches(model: Model, pattern: str) -> bool:
    texts = (model.id, model.name, model.developer, *model.aliases)
    return any(pattern.lower() in text.lower() for text in texts)


def _is_of_family(model: Model, family: str) -> bool:
    word = re.compile(rf"(?<![a-z]){re.escape(family.lower())}(?![a-z])")
    return any(word.search(name.lower()) for name in (model.id, *model.aliases))


def _describe_no_match(pattern: str, family: str) -> str:
    if family:
        return f"no model has the word {family!r} in its id or aliases" + (
            f", and {pattern!r} in these or its name or developer" if pattern else ""
        )
    if pattern:
        return f"no model has {pattern!r} in its id, aliases, name or developer"
    return "the API lists no such models"

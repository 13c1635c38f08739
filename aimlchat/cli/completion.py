"""Shell completion: files, and the model ids that `aimlchat models` fetched the last time."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from click.shell_completion import CompletionItem

from aimlchat._payload.models import DEFAULT_MODEL, default_model

if TYPE_CHECKING:
    from collections.abc import Iterable

    import click

__all__ = ["complete_file", "complete_model", "remember_models"]


def complete_file(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Let the shell complete the path of a file."""
    return [CompletionItem(incomplete, type="file")]


def complete_model(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """Return the known ids that start with what was typed so far; it never uses the network.

    If there is none, the vendor may be left out. A text inside the id is not enough: shells replace
    the typed text with what all found ids have in common, and `sonnet` would become `anthropic/`.
    """
    try:
        known = _path().read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError):  # `aimlchat models` has not run yet
        known = [default_model(), DEFAULT_MODEL]
    start = incomplete.lower()
    found = {model for model in known if model.lower().startswith(start)}
    if not found:
        found = {model for model in known if model.rpartition("/")[2].lower().startswith(start)}
    return sorted(found)


def remember_models(ids: Iterable[str]) -> None:
    """Keep the ids for the completion; a failure is not an error, since nothing depends on it."""
    path = _path()
    with suppress(OSError):  # no home, or one that cannot be written
        path.parent.mkdir(parents=True, exist_ok=True)
        # Replaced at once, since a shell may read it at this moment.
        new = path.with_suffix(f".{os.getpid()}")
        new.write_text("\n".join(id_ for id_ in ids if id_.isprintable()), encoding="utf-8")
        new.replace(path)


def _path() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "aimlchat", "models")

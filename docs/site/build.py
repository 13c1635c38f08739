"""Build the documentation.

    python docs/site/build.py FOLDER

writes the site to FOLDER/site. FOLDER/docs is what it is made from: a copy of docs/, and the pages
of the reference, which are generated. The navigation in .mkdocs.yml says which pages those are: a
page below reference/ documents the name that its path spells, so that reference/emulator/Cut.md
documents `aimlchat.emulator.Cut`; an index.md lists the names beside it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import griffe
import yaml

ROOT = Path(__file__).parents[2]
PACKAGE = "aimlchat"
NOT_PAGES = shutil.ignore_patterns("*.py", "__pycache__", "examples")
HIDE_BASES = "    options:\n      show_bases: false\n"
MODULE_OPTIONS = "    options:\n      members: false\n      show_root_full_path: true\n"
TITLE = "---\ntitle: {0}\n---\n\n"


def build(folder: Path) -> None:
    """Build the site in a folder, from nothing."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "docs", folder / "docs", ignore=NOT_PAGES)
    # @ROOT@ is where the extension in docstrings.py is found; everything else is in the folder.
    config = (ROOT / ".mkdocs.yml").read_text(encoding="utf-8")
    (folder / "mkdocs.yml").write_text(config.replace("@ROOT@", str(ROOT)), encoding="utf-8")
    parts = yaml.safe_load(config)["nav"]
    (reference,) = [part["Reference"] for part in parts if "Reference" in part]
    write_reference(reference, folder / "docs", griffe.load(PACKAGE, search_paths=[ROOT]))
    command = [sys.executable, "-m", "zensical", "build", "--strict", "-f", "mkdocs.yml"]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    subprocess.run(  # noqa: S603 - its own command
        command, cwd=folder, env=os.environ | {"PYTHONPATH": path}, check=True
    )


def write_reference(entries: list[Any], folder: Path, package: Any) -> None:
    """Write the pages of the reference, and its overview.

    Args:
        entries: the navigation of the reference: its overview, and groups of pages.
        folder: the folder of the pages.
        package: the package as Griffe has read it.
    """
    overview, *groups = entries
    lines = [TITLE.format("Reference"), "# Reference\n"]
    for group in groups:
        ((title, pages),) = group.items()
        rows = ["| Name | Summary |", "|---|---|"]
        for page in pages:
            if isinstance(page, str):  # the index of a module
                continue
            ((name, path),) = page.items()
            target = name_of(path)
            if package[target.removeprefix(f"{PACKAGE}.")].is_module:
                target += f".{name}"  # a function has the name of its module, as in batch.run
            options = "" if has_public_bases(package, target) else HIDE_BASES
            write(folder / path, TITLE.format(name) + f"::: {target}\n{options}")
            rows.append(f"| [`{name}`][{target}] | {summary_of(package, target)} |")
        lines += [f"\n## {title}\n", *rows]
        if isinstance(pages[0], str):
            module = f"::: {name_of(pages[0])}\n{MODULE_OPTIONS}\n"
            write(folder / pages[0], TITLE.format(title) + module + "\n".join(rows) + "\n")
    write(folder / overview, "\n".join(lines) + "\n")


def name_of(path: str) -> str:
    """Return the full name that a page documents."""
    parts = path.removesuffix(".md").split("/")[1:]
    return ".".join([PACKAGE, *(part for part in parts if part != "index")])


def has_public_bases(package: Any, name: str) -> bool:
    """Return whether a reader can know the classes that an object inherits."""
    documented = package[name.removeprefix(f"{PACKAGE}.")]
    bases = [str(base) for base in documented.bases] if documented.is_class else []
    return not any(base.startswith("_") or "ResultIterator" in base for base in bases)


def summary_of(package: Any, name: str) -> str:
    """Return the first line of a docstring."""
    docstring = package[name.removeprefix(f"{PACKAGE}.")].docstring
    return docstring.value.partition("\n")[0] if docstring else ""


def write(path: Path, text: str) -> None:
    """Write a page, with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    build(Path(sys.argv[1]).resolve())

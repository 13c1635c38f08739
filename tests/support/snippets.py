"""The code blocks of the README and of docs/, and the programs in docs/examples.

A code block with a title, such as ```python title="examples/fastapi_chat.py", is a part of that
file, or includes all of it (``--8<--``). Any other Python block is a complete program.

    python tests/support/snippets.py FOLDER

writes each Python block that is a program to a file of its own, for type checkers.
"""

import itertools
import re
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
EXAMPLES = DOCS / "examples"
PAGES = (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))
_HEADING_OR_BLOCK = re.compile(
    r'^#+ (?P<heading>[^\n]+)$|^```(?P<language>\w*)(?: title="(?P<title>[^"\n]+)")?\n'
    r"(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


class Snippet(NamedTuple):
    """A code block. Its name is that of the page, then the heading above the block."""

    name: str
    language: str
    code: str
    title: str | None = None

    @property
    def kind(self) -> str:
        """``test`` for pytest, ``server`` for an application to serve, else ``script``."""
        if re.search(r"^(async )?def test_", self.code, re.MULTILINE):
            return "test"
        if re.search(r"^(app = FastAPI\(|def make_app\()", self.code, re.MULTILINE):
            return "server"
        return "script"


def page_id(page: Path) -> str:
    """Return the name of a page: ``readme``, ``errors``, ``how_to_fastapi``."""
    path = page.relative_to(DOCS if page.is_relative_to(DOCS) else ROOT)
    return _as_name(path.with_suffix("").as_posix())


def read_blocks() -> dict[str, Snippet]:
    """Return all code blocks by name, in the order of the pages."""
    found: dict[str, Snippet] = {}
    for page in PAGES:
        heading = ""
        for match in _HEADING_OR_BLOCK.finditer(page.read_text(encoding="utf-8")):
            if match["heading"]:
                heading = match["heading"]
                continue
            base = _as_name(f"{page_id(page)} {heading}")
            name, number = f"{base}.{match['language']}", 1
            while name in found:
                number += 1
                name = f"{base}_{number}.{match['language']}"
            found[name] = Snippet(
                name.rpartition(".")[0], match["language"], match["code"], match["title"]
            )
    return found


def read_snippets(language: str) -> dict[str, Snippet]:
    """Return the code blocks of this language by name, without the parts of files."""
    return {
        snippet.name: snippet
        for snippet in read_blocks().values()
        if snippet.language == language and snippet.title is None
    }


def read_excerpts() -> dict[str, Snippet]:
    """Return the code blocks that are parts of files, by name."""
    return {name: block for name, block in read_blocks().items() if block.title is not None}


def read_outputs(language: str) -> dict[str, str]:
    """Return what code blocks of this language print, by their names: the ``text`` block behind."""
    blocks = list(read_blocks().values())
    return {
        block.name: output.code
        for block, output in itertools.pairwise(blocks)
        if output.language == "text" and block.language == language
    }


def write_snippets(folder: Path) -> None:
    """Write the Python examples to ``folder``, one file each."""
    folder.mkdir(parents=True, exist_ok=True)
    for snippet in read_snippets("python").values():
        (folder / f"{snippet.name}.py").write_text(snippet.code, encoding="utf-8")


def _as_name(text: str) -> str:
    return re.sub(r"\W+", "_", text.replace("-", "_")).strip("_").lower()


if __name__ == "__main__":
    write_snippets(Path(sys.argv[1]))

"""The code blocks of the README and of docs/.

    python tests/support/snippets.py FOLDER

writes each Python example to a file of its own, for type checkers.
"""

import re
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
_HEADING_OR_BLOCK = re.compile(
    r"^#+ (?P<heading>[^\n]+)$|^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)


class Snippet(NamedTuple):
    """A code block. Its name is that of the page, then the heading above the block."""

    name: str
    language: str
    code: str

    @property
    def kind(self) -> str:
        """``test`` for pytest, ``server`` for an application to serve, else ``script``."""
        if re.search(r"^(async )?def test_", self.code, re.MULTILINE):
            return "test"
        if re.search(r"^(app = FastAPI\(|def make_app\()", self.code, re.MULTILINE):
            return "server"
        return "script"


def read_snippets(language: str) -> dict[str, Snippet]:
    """Return the code blocks of this language by name, in the order of the pages."""
    found: dict[str, Snippet] = {}
    for page in PAGES:
        heading = ""
        for match in _HEADING_OR_BLOCK.finditer(page.read_text(encoding="utf-8")):
            if match["heading"]:
                heading = match["heading"]
            elif match["language"] == language:
                base = name = re.sub(r"\W+", "_", f"{page.stem} {heading}").strip("_").lower()
                number = 1
                while name in found:
                    number += 1
                    name = f"{base}_{number}"
                found[name] = Snippet(name, language, match["code"])
    return found


def write_snippets(folder: Path) -> None:
    """Write the Python examples to ``folder``, one file each."""
    folder.mkdir(parents=True, exist_ok=True)
    for snippet in read_snippets("python").values():
        (folder / f"{snippet.name}.py").write_text(snippet.code, encoding="utf-8")


if __name__ == "__main__":
    write_snippets(Path(sys.argv[1]))

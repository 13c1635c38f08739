"""The examples in the README and the docs: all of them compile, the whole programs run."""

import ast
import asyncio
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks_of(page: str) -> list[str]:
    return BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))


PAGES = ["README.md", *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md")))]
BLOCKS = [(page, place) for page in PAGES for place in range(len(blocks_of(page)))]


@pytest.mark.parametrize(("page", "place"), BLOCKS)
def test_an_example_compiles(page, place):
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST

    assert compile(blocks_of(page)[place], page, "exec", flags=flags)


def test_the_readmes_example_does_what_it_says(aimlchat_emulator, monkeypatch, capsys):
    monkeypatch.setenv("AIMLAPI_API_KEY", "any-key")
    monkeypatch.setenv("AIMLAPI_BASE_URL", aimlchat_emulator.base_url)
    aimlchat_emulator.reply("Navy, teal and azure.")
    aimlchat_emulator.reply("It scatters.", reasoning="Think of light.")
    aimlchat_emulator.reply("Red.")
    example: dict = {}
    exec(blocks_of("README.md")[0], example)  # noqa: S102 - our own README

    asyncio.run(example["main"]())

    printed = re.sub(r"\x1b\[\d*m", "", capsys.readouterr().out)
    assert "Navy, teal and azure. Usage(" in printed
    assert "Think of light.It scatters.Red." in printed


def test_the_first_example_of_the_docs_runs(monkeypatch, capsys):
    exec(blocks_of("docs/index.md")[0], {"__name__": "__main__"})  # noqa: S102 - our own page

    assert "Rayleigh scattering" in capsys.readouterr().out


def test_every_page_that_is_linked_is_there():
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
            assert (ROOT / page).parent.joinpath(link).exists(), f"{page}: {link}"

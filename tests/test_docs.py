"""The pages of the documentation: their links, and the commands that they show."""

import ast
import re
import shlex
import tomllib

import attrs
import pytest
from snippets import PAGES, ROOT, page_id, read_snippets

from aimlchat import Timeouts
from aimlchat.cli.program import program

OTHER_PROGRAMS = set(". cd curl duckdb export git npm npx unset uvicorn zcat".split())
OTHER_PACKAGES = set(
    ". fastapi nox opentelemetry-sdk pytest pytest-asyncio uvicorn websockets".split()
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FROM_GIT = r" @ git\+https://HOST/OWNER/aimlchat\.git"  # there is no public address yet
_INLINE_COMMAND = re.compile(r"(?<!`)`((?:aimlchat|nox|pip|python) [^`\n]+)`(?!`)")


def commands_of(shell_code: str) -> list[list[str]]:
    """Split shell code into its commands, each a list of words."""
    without_comments = re.sub(r"(?<!\S)#.*$", "", shell_code, flags=re.MULTILINE)
    lexer = shlex.shlex(without_comments, posix=True, punctuation_chars="|&;<>\n")
    lexer.commenters = ""  # shlex would drop the end of the line with the comment
    lexer.whitespace = " \t"
    lexer.whitespace_split = True
    commands: list[list[str]] = [[]]
    is_file_name = False
    for word in lexer:
        if set(word) <= {"<", ">"}:
            is_file_name = True
        elif set(word) <= set("|&;\n"):
            commands.append([])
        elif is_file_name:
            is_file_name = False
        elif commands[-1] or not re.match(r"\w+=", word):  # not NAME=value before a command
            commands[-1].append(word)
    return [command for command in commands if command]


SHOWN = sorted(
    {
        shlex.join(command)
        for code in [
            *(snippet.code for snippet in read_snippets("sh").values()),
            *(
                match[1]
                for page in PAGES
                for match in _INLINE_COMMAND.finditer(page.read_text(encoding="utf-8"))
            ),
        ]
        for command in commands_of(code)
    }
)


def options_in(words: list[str]) -> set[str]:
    return {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}


def check_aimlchat(words: list[str]) -> None:
    command = program.get_command(None, words[0])
    assert command is not None, words
    known = {option for parameter in command.params for option in parameter.opts}
    assert options_in(words) <= known | {"--help"}


def check_nox(words: list[str]) -> None:
    names = words[: words.index("--")] if "--" in words else words
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    sessions = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any("nox.session" in ast.unparse(decorator) for decorator in node.decorator_list)
    }
    assert names[0] == "-s"
    assert set(names[1:]) <= sessions


def check_pip(words: list[str]) -> None:
    assert words[0] == "install"
    for package in [word for word in words[1:] if word != "-e"]:
        extra = re.fullmatch(
            rf"(?:\.|aimlchat(?=.*{FROM_GIT}))\[([\w,]+)\](?:{FROM_GIT})?", package
        )
        if extra:
            assert {*extra[1].split(",")} <= PROJECT["project"]["optional-dependencies"].keys()
        else:
            assert package in OTHER_PACKAGES  # "." is aimlchat, from the checkout


def check_python(words: list[str]) -> None:
    if words[0] == "-m":
        assert words[1] == "venv"
    elif words[0] == "-c":
        assert compile(words[1], "-c", "exec")
    else:
        code = (ROOT / words[0]).read_text(encoding="utf-8")
        assert [option for option in options_in(words) if option not in code] == []


CHECKS = {
    "aimlchat": check_aimlchat,
    "nox": check_nox,
    "pip": check_pip,
    "python": check_python,
}


@pytest.mark.parametrize("command", SHOWN)
def test_a_command_that_is_shown_exists(command):
    name, *words = shlex.split(command)

    if name in CHECKS:
        CHECKS[name](words)
    else:
        assert name in OTHER_PROGRAMS


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_a_linked_page_exists(page):
    # The pages of the reference are generated: `nox -s docs` checks the links to them.
    links = re.findall(
        r"\]\((?!https?:|reference/)([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")
    )

    assert [link for link in links if not page.parent.joinpath(link).exists()] == []


def test_the_page_about_timeouts_and_its_pictures_show_every_timeout():
    folder = ROOT / "docs" / "how-to"
    page = (folder / "timeouts.md").read_text(encoding="utf-8")
    pictures = "".join(path.read_text(encoding="utf-8") for path in folder.glob("clocks-*.svg"))

    shown = dict(re.findall(r"^\| `(\w+)` \| (none|\d+ s) \|", page, re.MULTILINE))
    defaults = attrs.asdict(Timeouts())
    assert shown == {k: "none" if v is None else f"{v} s" for k, v in defaults.items()}
    assert [name for name in defaults if f">{name}</text>" not in pictures] == []


def test_the_tree_in_the_design_page_lists_every_module():
    (tree,) = re.findall(
        r"^```\naimlchat/\n(.*?)^```$",
        (ROOT / "docs" / "design.md").read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    listed, folders = set(), [""]
    for indent, name in re.findall(r"^( +)(\S+)", tree, re.MULTILINE):
        depth = len(indent) // 2
        path = f"{folders[depth - 1]}{name}"
        folders[depth:] = [path]
        listed.add(path)
    package = ROOT / "aimlchat"
    modules = {path.relative_to(package) for path in package.rglob("*.py")}
    files = {path.as_posix() for path in modules if not path.stem.startswith("__")}
    parents = {f"{path.parent.as_posix()}/" for path in modules if path.parent.name}

    assert sorted(listed - {"__init__.py"}) == sorted(files | parents)


def test_the_version_is_that_of_the_package_metadata():
    version = (ROOT / PROJECT["tool"]["hatch"]["version"]["path"]).read_text(encoding="utf-8")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    number = re.search(r'^__version__ = "(.+)"$', version, re.MULTILINE)
    assert number is not None
    assert re.search(rf"^## {re.escape(number[1])}\b", changelog, re.MULTILINE)

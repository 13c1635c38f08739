"""The floors of the house: a module imports what stands before it in the table, never after."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "aimlchat"

TABLE = """
errors jsontext content completions catalog policies records
sse surrogates dialects wire reasoning toolcalls accumulator refusals stream request bodies retries
clocks gate transport calls iterators crew many session
""".split()
EXTRAS = {"emulator", "relay", "batch", "web", "cli"}
MAY_IMPORT_AIOHTTP = {"transport"}
FLOORS_WITHOUT_ASYNCIO = TABLE[: TABLE.index("clocks")]


def imports_of(path: Path) -> tuple[set[str], set[str]]:
    """Return what a file imports when it runs: modules of aimlchat, and packages of others.

    Imports under ``if TYPE_CHECKING`` name types only and do not run.
    """
    own, others = set(), set()
    depth = len(path.relative_to(PACKAGE).parts)
    for node in running(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            others |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0:
                first, _, rest = (node.module or "").partition(".")
                (own.add(rest.split(".")[0]) if first == "aimlchat" else others.add(first))
            elif node.level == depth:
                names = [node.module] if node.module else [alias.name for alias in node.names]
                own |= {name.split(".")[0] for name in names}
    return own, others


def running(tree: ast.AST):
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from running(node)


def files_of(module: str) -> list[Path]:
    folder = PACKAGE / module
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [PACKAGE / f"{module}.py"]


def test_every_module_has_its_place_in_the_table():
    there = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}

    assert there - {"__init__", "__pycache__", "py"} == {*TABLE, *EXTRAS}


@pytest.mark.parametrize("module", TABLE)
def test_a_module_imports_only_what_stands_before_it(module):
    below = set(TABLE[: TABLE.index(module)]) | {module}

    for path in files_of(module):
        own, _ = imports_of(path)
        assert own <= below, path


@pytest.mark.parametrize("module", TABLE)
def test_only_the_transport_knows_aiohttp(module):
    for path in files_of(module):
        _, others = imports_of(path)
        assert "aiohttp" not in others or module in MAY_IMPORT_AIOHTTP, path


@pytest.mark.parametrize("module", FLOORS_WITHOUT_ASYNCIO)
def test_the_protocol_does_no_io_and_reads_no_clock(module):
    for path in files_of(module):
        _, others = imports_of(path)
        assert not others & {"asyncio", "socket", "time", "random", "datetime", "threading"}, path


@pytest.mark.parametrize("extra", EXTRAS)
def test_no_floor_imports_an_extra(extra):
    for module in TABLE:
        for path in files_of(module):
            assert extra not in imports_of(path)[0], path


def test_the_emulator_shares_no_code_with_the_client():
    for path in files_of("emulator"):
        own, _ = imports_of(path)
        assert own <= {"emulator"}, path


def test_importing_aimlchat_loads_no_aiohttp_and_no_asyncio():
    code = (
        "import sys, aimlchat; "
        "print(*sorted({'aiohttp', 'asyncio', 'ssl', 'click', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == []


def test_the_session_is_loaded_on_first_use():
    code = "import sys, aimlchat; aimlchat.ChatSession; assert 'aiohttp' in sys.modules"

    subprocess.run([sys.executable, "-c", code], check=True)

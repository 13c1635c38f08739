"""The two rules of the package's layout: what users import is at the root, and each folder is a
floor that imports only the floors below it. The modules are found, not listed."""

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "aimlchat"

# From the ground up. A name is a folder or a module at the root; every other module at the root is
# on the ground floor.
FLOORS = [
    {"_schema"},
    {"ground"},
    {"_payload"},
    {"request"},
    {"_protocol", "_output"},
    {"_client"},
    {"_tools"},
    {"stream", "iterators"},
    {"runs"},
    {"session"},
    {"relay", "batch", "otel", "mcp", "ray"},
    {"cli"},
]
# Signatures and docstrings of the calls, of which there are many; all else is elsewhere.
MAY_BE_LONG = {"session.py"}
BESIDE = {"emulator"}  # imports nothing of the package
NAMED = set().union(*FLOORS) - {"ground"} | BESIDE
HEIGHT = {name: height for height, floor in enumerate(FLOORS) for name in floor}
PURE = ("_schema", "ground", "_payload", "request", "_protocol", "_output")
IMPURE_MODULES = {"asyncio", "socket", "time", "datetime", "random", "threading", "aiohttp"}
READS_NO_CLOCK = {"_schema.scalars": {"datetime"}}  # it names the types

# The one cycle, which only type checkers see: an error's `.partial` is a completion.
ALLOWED_CIRCLE = ("errors", "completions")
NEED_AIOHTTP = {"_client/transport.py", "_client/aiohttp_hooks.py", "_client/body_hooks.py"}
NAME_AIOHTTP_FOR_TYPES = {"session.py", "_client/settings.py"}
SERVERS = ("relay", "emulator", "cli")
SERVER_NAMES = {"aiohttp", "aiohttp.web", "aiohttp.WSCloseCode", "aiohttp.WSMsgType"}


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts)


def name_of(path: Path) -> str:
    """Return a module's dotted name below the package: ``_client.call``; ``""`` for the package."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def floor_of(name: str) -> str:
    first, _, _ = name.partition(".")
    return first if first in NAMED else "ground"


NAMES = {name_of(path): path for path in modules()}


def imports_of(path: Path) -> tuple[set[str], set[str]]:
    """Return the modules of the package, and the dotted names of others, that a file imports.

    Wherever the import is: also in a function, or only for type checkers.
    """
    own, others = set(), set()
    parts = path.relative_to(PACKAGE).parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            others |= {alias.name for alias in node.names}
            continue
        if not isinstance(node, ast.ImportFrom):
            continue
        module = node.module or ""
        if node.level:
            folder = parts[: len(parts) - node.level]
            module = ".".join([*folder, module] if module else folder)
        elif module == "aimlchat" or module.startswith("aimlchat."):
            module = module.removeprefix("aimlchat").removeprefix(".")
        else:
            others |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
            continue
        for alias in node.names:
            full = f"{module}.{alias.name}".removeprefix(".")
            own.add(full if full in NAMES else module)
    return own, others


@pytest.mark.parametrize("name", [name for name in NAMES if name])
def test_a_module_imports_only_its_own_floor_and_those_below(name):
    floor, height = floor_of(name), HEIGHT.get(floor_of(name), -1)

    for imported in imports_of(NAMES[name])[0]:
        other = floor_of(imported)
        assert (
            other == floor
            or HEIGHT.get(other, len(FLOORS)) < height
            or (
                other == "emulator" and floor == "cli"  # which serves it, and reads its models
            )
        ), f"{name} imports {imported}"


def test_the_protocol_needs_neither_payload_nor_request():
    for name in NAMES:
        if floor_of(name) == "_protocol":
            floors = {floor_of(imported) for imported in imports_of(NAMES[name])[0]}
            assert floors <= {"_protocol", "ground"}, name


def test_only_one_cycle_of_imports_exists():
    graph = {name: imports_of(path)[0] - {name} for name, path in NAMES.items() if name}
    graph[ALLOWED_CIRCLE[0]].remove(ALLOWED_CIRCLE[1])
    while leaves := {name for name in graph if not graph[name] & graph.keys()}:
        graph = {name: imported for name, imported in graph.items() if name not in leaves}

    assert not graph, f"these import each other: {sorted(graph)}"


@pytest.mark.parametrize("name", NAMES)
def test_the_floors_below_the_client_do_no_io_and_read_no_clock(name):
    if floor_of(name) in PURE:
        tops = {other.split(".")[0] for other in imports_of(NAMES[name])[1]}
        assert not tops & IMPURE_MODULES - READS_NO_CLOCK.get(name, set()), name


@pytest.mark.parametrize("name", NAMES)
def test_only_three_modules_of_the_client_import_aiohttp(name):
    path = NAMES[name]
    found = {other for other in imports_of(path)[1] if other.split(".")[0] == "aiohttp"}
    file = path.relative_to(PACKAGE).as_posix()
    if floor_of(name) in SERVERS:
        assert found <= SERVER_NAMES, f"{file}: {found - SERVER_NAMES}"
    elif file not in NEED_AIOHTTP | NAME_AIOHTTP_FOR_TYPES:
        assert not found, file


def test_only_type_checkers_see_that_the_session_names_aiohttp():
    for file in NAME_AIOHTTP_FOR_TYPES:
        tree = ast.parse((PACKAGE / file).read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                continue
            names = [
                ast.unparse(inner) for inner in ast.walk(node) if isinstance(inner, ast.Import)
            ]
            assert not any("aiohttp" in name for name in names), file


def test_no_two_classes_of_a_floor_share_a_name():
    names = Counter(
        (floor_of(name), node.name.lstrip("_"))
        for name, path in NAMES.items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    )

    assert [name for name, count in names.items() if count > 1] == []


def test_no_two_files_of_floors_that_meet_share_a_name():
    """Except ``errors``, since each folder has its own."""
    stems = Counter(
        path.stem
        for name, path in NAMES.items()
        if floor_of(name) != "emulator" and path.stem not in ("__init__", "__main__", "errors")
    )

    assert [stem for stem, count in stems.items() if count > 1] == []


def test_the_emulator_shares_no_code_with_the_client():
    for name, path in NAMES.items():
        if floor_of(name) == "emulator":
            assert {floor_of(other) for other in imports_of(path)[0]} <= {"emulator"}, name


@pytest.mark.parametrize(
    "path",
    [*modules(), *sorted(Path(__file__).parent.rglob("*.py"))],
    ids=lambda path: path.relative_to(PACKAGE.parent).as_posix(),
)
def test_no_file_exceeds_400_lines(path):
    if path.parent == PACKAGE and path.name in MAY_BE_LONG:
        return
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


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

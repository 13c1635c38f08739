"""Fixtures that run programs in Node, where the npm package ``ai`` and the page examples run."""

import asyncio
import json
import os
import shutil
from pathlib import Path

import pytest

_PROGRAMS = Path(__file__).parent


def skip_without(reason):
    """Skip on a developer's machine; fail in CI, where nothing may be missing."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


async def run_command(*command, cwd, stdin=""):
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(stdin.encode())
    return process.returncode, out.decode(), err.decode()


@pytest.fixture
async def node_folder(pytestconfig):
    """A folder with the programs for Node and the packages that package.json pins.

    The packages are installed once, into the cache of pytest.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        skip_without("Node and npm are not installed")
    folder = pytestconfig.cache.mkdir("aimlchat-node")
    wanted = (_PROGRAMS / "package.json").read_text(encoding="utf-8")
    installed = folder / "installed.json"
    if not installed.exists() or installed.read_text(encoding="utf-8") != wanted:
        shutil.copy(_PROGRAMS / "package.json", folder)
        options = ("--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error")
        status, _, err = await run_command(npm, "install", *options, cwd=folder)
        if status:
            skip_without(f"npm cannot install what the tests need: {err}")
        installed.write_text(wanted, encoding="utf-8")
    for program in _PROGRAMS.glob("*.mjs"):
        shutil.copy(program, folder)
    return folder


@pytest.fixture
def node(node_folder):
    """Run one of the programs in Node, and return the JSON that it prints."""

    async def run_program(program, *arguments, stdin=""):
        status, out, err = await run_command(
            "node", program, *arguments, cwd=node_folder, stdin=stdin
        )
        assert status == 0, err
        return json.loads(out)

    return run_program

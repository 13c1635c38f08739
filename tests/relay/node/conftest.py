"""Fixtures that run programs in Node, where the npm package ``ai`` and the page examples run."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest

_PROGRAMS = Path(__file__).parent


@pytest.fixture
def node_folder(ai_sdk_folder):
    """A folder with the programs for Node and a version of the AI SDK."""
    for program in _PROGRAMS.glob("*.mjs"):
        shutil.copy(program, ai_sdk_folder)
    return ai_sdk_folder


@pytest.fixture
def node(node_folder):
    """Run one of the programs in Node, and return the JSON that it prints."""

    async def run_program(program, *arguments, stdin=""):
        process = await asyncio.create_subprocess_exec(
            "node",
            program,
            *arguments,
            cwd=node_folder,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate(stdin.encode())
        assert process.returncode == 0, err.decode()
        return json.loads(out)

    return run_program

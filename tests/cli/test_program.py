"""``aimlchat`` itself: its help, its version, and what it imports for them."""

import pytest

from aimlchat._version import __version__

PRINT_IMPORTED_MODULES = """
import atexit, sys
atexit.register(lambda: print(*sorted(sys.modules), file=sys.stderr))
"""
SLOW_MODULES = ("aiohttp", "rich.console", "aimlchat.session", "aimlchat.emulator.server")

COMMANDS = ["ask", "chat", "batch", "models", "serve", "emulator", "completion"]


async def test_help_lists_the_most_used_commands_first(invoke):
    result = await invoke("--help")
    assert result.exit_code == 0
    commands = result.stdout.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in commands] == [*COMMANDS]


@pytest.mark.parametrize("command", COMMANDS)
async def test_every_command_has_help(invoke, command):
    result = await invoke(command, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: aimlchat {command} ")


async def test_the_help_of_ask_explains_pipes_and_standard_input(invoke):
    text = " ".join((await invoke("ask", "--help")).stdout.split())
    assert "gets only the answer" in text
    assert "standard input is read only if - follows" in text
    assert "anthropic/claude-3.7-sonnet" in text


async def test_version_prints_name_and_version(invoke):
    result = await invoke("--version")
    assert result.exit_code == 0
    assert result.stdout == f"aimlchat {__version__}\n"


async def test_an_unknown_command_is_named_in_the_error(invoke):
    result = await invoke("nonsense")
    assert result.exit_code == 2
    assert "nonsense" in result.stderr


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("nonsense",)])
async def test_help_and_version_import_no_slow_module(start_process, arguments):
    process = await start_process(*arguments, before=PRINT_IMPORTED_MODULES)
    _, _, err = await process.wait()
    imported = err.split()
    assert "click" in imported
    assert not set(SLOW_MODULES) & set(imported)


async def test_output_into_a_pipe_does_not_import_rich(start_process, emulator):
    process = await start_process(
        *("ask", "--base-url", emulator.base_url, "Why?"),
        before=PRINT_IMPORTED_MODULES,
        AIMLAPI_API_KEY="k",
    )
    _, _, err = await process.wait()
    assert "rich.console" not in err.split()

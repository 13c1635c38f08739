"""``aimlchat`` itself: its help, its version, and how little it loads for them."""

import pytest

SAY_WHAT_WAS_LOADED = """
import atexit, sys
atexit.register(lambda: print(*sorted(sys.modules), file=sys.stderr))
"""
SLOW = ("aiohttp", "rich.console", "aimlchat.session", "aimlchat.emulator.server")

COMMANDS = ["ask", "chat", "batch", "models", "serve", "emulator"]


async def test_help_lists_the_commands_in_the_order_of_their_use(invoke):
    result = await invoke("--help")
    assert result.exit_code == 0
    commands = result.stdout.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in commands] == [*COMMANDS]


@pytest.mark.parametrize("command", COMMANDS)
async def test_every_command_has_help(invoke, command):
    result = await invoke(command, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: aimlchat {command} ")


async def test_the_help_of_ask_says_what_a_pipe_gets_and_when_input_is_read(invoke):
    text = " ".join((await invoke("ask", "--help")).stdout.split())
    assert "gets the answer only" in text
    assert "standard input is only read if a - follows" in text
    assert "anthropic/claude-3.7-sonnet" in text


async def test_version(invoke):
    result = await invoke("--version")
    assert result.exit_code == 0
    assert result.stdout.startswith("aimlchat ")


async def test_an_unknown_command_is_named(invoke):
    result = await invoke("nonsense")
    assert result.exit_code == 2
    assert "nonsense" in result.stderr


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("nonsense",)])
async def test_nothing_slow_is_loaded_before_it_is_needed(start, arguments):
    _, _, err = await (await start(*arguments, before=SAY_WHAT_WAS_LOADED)).end()
    loaded = err.split()
    assert "click" in loaded
    assert not set(SLOW) & set(loaded)


async def test_a_pipe_does_not_wait_for_rich(start, emulator):
    process = await start(
        *("ask", "--base-url", emulator.base_url, "Why?"),
        before=SAY_WHAT_WAS_LOADED,
        AIMLAPI_API_KEY="k",
    )
    assert "rich.console" not in (await process.end())[2].split()

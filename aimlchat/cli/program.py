"""The command ``aimlchat``: loads its subcommands, and turns errors into exit statuses."""

from __future__ import annotations

import io
import os
import sys
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from aimlchat._version import __version__
from aimlchat.errors import AIMLChatError

from .errors import CommandError, describe_os_error, to_command_error
from .exit_status import FAILED, INTERRUPTED
from .terminal import end_interrupted_line

__all__ = ["program"]

# Module and short help of each command. The help is kept here because the modules import aiohttp
# and more, and `aimlchat --help` has to be fast.
_COMMANDS = {
    "ask": ("ask_command", "Ask one question and stream the answer."),
    "chat": ("chat_command", "Hold a conversation with a model."),
    "batch": ("batch_command", "Answer a file of requests; a stopped run can be resumed."),
    "models": ("models_command", "List the models that the API offers."),
    "serve": ("serve_command", "Serve a chat page on this machine."),
    "emulator": ("emulator_command", "Serve an emulator of the API on this machine."),
    "completion": ("completion_command", "Print the completion script of a shell."),
}


class LazyGroup(click.Group):
    """A group that imports the module of a command when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, the most used first."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command, or return None if there is none of this name."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module, _ = _COMMANDS[cmd_name]
        command: click.Command = import_module(f".{module}", __package__).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, short_help) for name, (_, short_help) in _COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the names of commands without importing them."""
        del ctx
        return [
            CompletionItem(name, help=short_help)
            for name, (_, short_help) in _COMMANDS.items()
            if name.startswith(incomplete)
        ]

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; show every error that is not a bug as a message and an exit status."""
        _prepare_streams()
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            end_interrupted_line()
            raise click.exceptions.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            _redirect_stdout_to_devnull()
            raise click.exceptions.Exit(FAILED) from None
        except AIMLChatError as error:
            raise to_command_error(error) from error
        except OSError as error:
            # Errors of the network and of named files were handled before. This one concerns
            # standard output, such as a full disk.
            msg = f"the operating system reports: {describe_os_error(error)}"
            raise CommandError(msg) from error


def _prepare_streams() -> None:
    """Make printing safe from closed streams and from characters that they cannot encode."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the shell, as in `aimlchat ask ... >&-`
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _redirect_stdout_to_devnull() -> None:
    """Redirect stdout to devnull so that Python's flush at exit cannot raise."""
    try:
        stdout = sys.stdout.fileno()
    except (OSError, ValueError):  # not a file, as in a test
        return
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, stdout)
    os.close(devnull)


@click.group("aimlchat", cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def program() -> None:
    """Chat with the models of the AI/ML API. Answers are streamed, separately from the reasoning.

    The API key is read from AIMLAPI_API_KEY; get one at https://aimlapi.com/app/keys.

    Exit status: 0 success; 1 failure, in whole or in part; 2 wrong usage or input, nothing was
    sent; 130 Ctrl-C.
    """

"""The command ``aimlchat``: it finds the subcommand, and turns what goes wrong into a status."""

from __future__ import annotations

import io
import os
import sys
from importlib import import_module, metadata
from typing import Any

import click

from aimlchat.errors import AIMLChatError

from .failures import INTERRUPTED, Failure, failure_of, reason_of
from .terminal import end_interrupted_line

__all__ = ["program"]

# The modules of the commands load aiohttp and more. `aimlchat --help` has to be quick, so what it
# says about them stands here and not there.
_COMMANDS = {
    "ask": ("ask_command", "Ask one question and stream the answer."),
    "chat": ("chat_command", "Talk with a model, one question after the other."),
    "batch": ("batch_command", "Answer a file of requests, resumable at any instant."),
    "models": ("models_command", "List the models that the API offers."),
    "serve": ("serve_command", "Serve a page to talk to a model, on this machine."),
    "emulator": ("emulator_command", "Serve the API on this machine, without a key."),
}


class Program(click.Group):
    """A group that loads a command when it is called for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order of their use, not of the alphabet."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module, _ = _COMMANDS[cmd_name]
        command: click.Command = import_module(f".{module}", __package__).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without loading them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in _COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; whatever is not a bug becomes a message and an exit status."""
        _prepare_streams()
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            end_interrupted_line()
            raise click.exceptions.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            _give_up_output()
            raise click.exceptions.Exit(1) from None
        except AIMLChatError as error:
            raise failure_of(error) from error
        except OSError as error:
            # Neither the network nor a file that was named: a full disk below standard output, say.
            msg = f"the operating system says: {reason_of(error)}"
            raise Failure(msg) from error


def _prepare_streams() -> None:
    """See to it that printing cannot fail for what is printed, nor for a stream that is closed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the shell, as in `aimlchat ask ... >&-`
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _give_up_output() -> None:
    """Let Python's last flush of standard output go nowhere: whoever read it has left."""
    try:
        number = sys.stdout.fileno()
    except (OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:  # noqa: FBT001
    if not wanted:
        return
    try:
        version = metadata.version("aimlchat")
    except metadata.PackageNotFoundError:
        version = "(not installed, run from its sources)"
    click.echo(f"aimlchat {version}")
    ctx.exit()


program = Program(
    name="aimlchat",
    help="""Chat with the models of the AI/ML API, streamed, with reasoning apart from the answer.

    The key is read from AIMLAPI_API_KEY; get one at https://aimlapi.com/app/keys.

    Exit status: 0 done, 1 it failed, 2 the command or its input is wrong and nothing was sent,
    130 Ctrl-C.""",
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_version,
            help="Show the version and exit.",
        )
    ],
    context_settings={"help_option_names": ["-h", "--help"]},
)

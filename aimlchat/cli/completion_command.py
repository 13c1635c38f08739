"""``aimlchat completion``: prints the script that completes commands in a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

__all__ = ["command"]

_SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def command(context: click.Context, *, shell: str) -> None:
    r"""Print the script that completes commands, options and model ids in a shell.

    \b
    bash:  echo 'eval "$(aimlchat completion bash)"' >> ~/.bashrc
    zsh:   echo 'eval "$(aimlchat completion zsh)"' >> ~/.zshrc
    fish:  aimlchat completion fish > ~/.config/fish/completions/aimlchat.fish

    Model ids are those that `aimlchat models` listed the last time.
    """
    completion = get_completion_class(shell)
    if completion is None:  # click supports all three
        raise click.BadParameter(shell)
    program = context.find_root().command
    click.echo(completion(program, {}, "aimlchat", "_AIMLCHAT_COMPLETE").source())

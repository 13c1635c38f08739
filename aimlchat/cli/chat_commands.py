"""The commands of a conversation on a terminal, such as ``/model``."""

from __future__ import annotations

import json
import os
import re
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from aimlchat.content import Message, Text
from aimlchat.errors import InvalidRequestError

from .errors import CommandInputError, describe_os_error
from .terminal import print_notice, terminal_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from aimlchat.request import ChatRequest

__all__ = ["Conversation", "Quit", "run_command", "split_command"]

# Letters only: a question may begin with a path such as /etc/hosts.
_COMMAND = re.compile(r"/([A-Za-z]+)(?:\s+(.*))?", re.DOTALL)
_OVERWRITE = "--overwrite"
_ROLES = {"system": "System", "user": "You", "assistant": "Assistant"}


class Quit(Exception):  # noqa: N818 - not an error: the user ends the conversation
    """The user has typed ``/quit``."""


@attrs.define
class Conversation:
    """The turns so far, with the model and the system prompt of the next one."""

    request: ChatRequest
    system: str | None

    def clear(self) -> None:
        """Forget the turns; the model, the system prompt and the options stay."""
        self.request = self.request.options(messages=())

    def list_messages(self) -> list[dict[str, str]]:
        """Return system prompt and turns as messages in OpenAI's form."""
        messages = [{"role": "system", "content": self.system}] if self.system else []
        for message in self.request.messages:
            if isinstance(message, Message):
                text = "".join(part.text for part in message.parts if isinstance(part, Text))
                messages.append({"role": message.role, "content": text})
        return messages


def split_command(line: str) -> tuple[str, str] | None:
    """Return the name and the argument of a command; None if a line is a question."""
    match = _COMMAND.fullmatch(line)
    return (match[1].lower(), (match[2] or "").strip()) if match else None


def run_command(name: str, argument: str, conversation: Conversation) -> None:
    """Run a command, and say what it did.

    Raises `Quit` to end the conversation, and `CommandInputError` for a command that cannot be run.
    """
    name = _ALIASES.get(name, name)
    if name not in _COMMANDS:
        similar = get_close_matches(name, _COMMANDS, n=1, cutoff=0.5)
        hint = f"did you mean /{similar[0]}?" if similar else "/help lists the commands"
        advice = f"A question that begins with a slash is typed with two: //{name}"
        msg = f"there is no command /{name}; {hint}"
        raise CommandInputError(msg, advice)
    run, _, _ = _COMMANDS[name]
    run(argument, conversation)


def _show_help(_: str, __: Conversation) -> None:
    described = [
        (f"/{name} {usage}".rstrip(), text) for name, (_, usage, text) in _COMMANDS.items()
    ]
    keys = [
        ("//...", "A question that begins with a slash."),
        ("Alt-Enter", "A new line in a question; so does a \\ before Enter, or pasted text."),
        ("Ctrl-C", "Stop the answer; discard what is typed; at an empty prompt, exit."),
        ("Ctrl-D", "End, at an empty prompt."),
    ]
    formatter = click.HelpFormatter(width=min(terminal_size(sys.stderr).columns - 1, 100))
    formatter.write_dl([*described, *keys])
    click.echo(formatter.getvalue(), nl=False, err=True)


def _set_model(argument: str, conversation: Conversation) -> None:
    if argument:
        request = conversation.request.options(model=argument)
        try:
            request.user("a question").payload()
        except InvalidRequestError as error:  # an option that this model does not accept
            raise CommandInputError(str(error)) from error
        conversation.request = request
    print_notice(f"The model is {conversation.request.model}.")


def _set_system(argument: str, conversation: Conversation) -> None:
    if argument:
        conversation.system = None if argument == "-" else argument
        conversation.request = conversation.request.system(conversation.system)
    if conversation.system:
        print_notice(f"The system prompt is: {conversation.system}")
    else:
        print_notice("There is no system prompt.")


def _clear(_: str, conversation: Conversation) -> None:
    conversation.clear()
    print_notice("A new conversation starts.")


def _quit(_: str, __: Conversation) -> None:
    raise Quit


def _save(argument: str, conversation: Conversation) -> None:
    overwrites = argument.split(maxsplit=1)[:1] == [_OVERWRITE]
    name = argument.removeprefix(_OVERWRITE).strip() if overwrites else argument
    writers: dict[str, Callable[[Conversation], str]] = {
        ".md": _to_markdown,
        ".markdown": _to_markdown,
        ".json": _to_json,
    }
    path = Path(os.path.expanduser(name))  # noqa: PTH111 - Path's raises for an unknown user
    write = writers.get(path.suffix.lower())
    if write is None:
        msg = "give the file a name that ends in .md or .json, as in: /save talk.md"
        raise CommandInputError(msg)
    if not conversation.request.messages:
        msg = "there is nothing to save yet"
        raise CommandInputError(msg)
    text = write(conversation)
    try:
        # A lone surrogate, which UTF-8 cannot express, becomes an escape that JSON supports.
        with path.open(
            "w" if overwrites else "x", encoding="utf-8", errors="backslashreplace"
        ) as f:
            f.write(text)
    except FileExistsError as error:
        msg = f"{name} exists, so nothing was saved"
        advice = f"To replace it: /save {_OVERWRITE} {name}"
        raise CommandInputError(msg, advice) from error
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        reason = describe_os_error(error) if isinstance(error, OSError) else str(error)
        msg = f"{name} cannot be written: {reason}"
        raise CommandInputError(msg) from error
    print_notice(f"The conversation was saved to {name}.")


def _to_markdown(conversation: Conversation) -> str:
    parts = [f"# Conversation with {conversation.request.model}"]
    for message in conversation.list_messages():
        parts += [f"## {_ROLES[message['role']]}", message["content"].strip("\n")]
    return "\n\n".join(parts) + "\n"


def _to_json(conversation: Conversation) -> str:
    document: dict[str, Any] = {
        "model": conversation.request.model,
        "messages": conversation.list_messages(),
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


# The function, the argument and the help of each command.
_COMMANDS: dict[str, tuple[Callable[[str, Conversation], None], str, str]] = {
    "help": (_show_help, "", "List the commands and keys."),
    "model": (_set_model, "[ID]", "Show the model, or switch to another one."),
    "system": (_set_system, "[TEXT]", "Show or set the system prompt; - removes it."),
    "save": (_save, "FILE", "Save the conversation as Markdown (.md) or JSON (.json)."),
    "clear": (_clear, "", "Start a new conversation."),
    "new": (_clear, "", "The same as /clear."),
    "quit": (_quit, "", "End; so does /exit."),
}
_ALIASES = {"exit": "quit"}

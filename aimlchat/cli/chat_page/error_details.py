"""What the page shows of an error: the server's own message, since only its owner sees the page.

The relay describes an error in general terms, because its pages may be anybody's. The chat page is
seen by the person whose key it uses. The library has removed the secrets from an error by then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aimlchat._printable import join_lines
from aimlchat._protocol.end_rule import PARTIAL_HINT
from aimlchat.cli.errors import join_notes, to_command_error
from aimlchat.errors import (
    AIMLChatError,
    APIError,
    ProtocolError,
    StreamInterruptedError,
    TransportError,
)
from aimlchat.relay.errors import describe_error as general_description
from aimlchat.relay.store import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aimlchat.runs import ToolRun
    from aimlchat.stream import DeltaStream

__all__ = ["AnswerStore", "describe_error"]


class AnswerStore(MemoryStore):
    """The frames of one answer; those that report its failure begin with the details of it."""

    def __init__(self, stream: DeltaStream[Any] | ToolRun[Any]) -> None:
        super().__init__()
        self._stream = stream

    async def end(self, frames: Sequence[dict[str, Any]]) -> None:
        """Append the last ``frames``, as in `MemoryStore`."""
        try:
            self._stream.completion  # noqa: B018 - raises what the stream failed with
        except AIMLChatError as error:
            detail = {
                "type": "data-error-detail",
                "data": describe_error(error),
                "transient": True,
            }
            frames = [detail, *frames]
        except RuntimeError:
            pass  # the answer was stopped
        await super().end(frames)


def describe_error(error: AIMLChatError) -> dict[str, Any]:
    """Return the message of an error, facts that help to look it up, and what to do about it."""
    advice = to_command_error(error).advice
    if isinstance(error, StreamInterruptedError):
        advice = join_notes(error)  # the message below says the rest
    if isinstance(error, APIError):
        message = join_lines(error.message) or type(error).__name__
        facts = [f"status {error.status}"] if error.status else []
        if error.retry_after is not None:
            facts.append(f"the server asked to wait {error.retry_after:g} s")
        if error.request_id:
            facts.append(f"request {error.request_id}")
        if error.inference_id:
            facts.append(f"inference {error.inference_id}")
    elif isinstance(error, TransportError | ProtocolError):
        # No server sent a message, and the library's own message is meant for programmers.
        message = general_description(error).sentence
        if advice:
            message = message.removesuffix(" Try again.")
        facts = [str(error).replace(PARTIAL_HINT, "")]
    else:
        message, facts = str(error), []
    if len(error.attempts) > 1:
        facts.append(f"{len(error.attempts)} attempts")
    return {"message": message, "facts": [join_lines(fact) for fact in facts], "advice": advice}

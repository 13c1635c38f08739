"""What the API rejects in Claude's own message format, beyond the anthropic dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .field_checks import reject, require
from .models import family_of

if TYPE_CHECKING:
    from .signatures import Signer

__all__ = ["validate_message_request"]

_FIELDS = frozenset(
    """
    model messages system max_tokens stream stop_sequences temperature top_p top_k thinking tools
    tool_choice metadata service_tier
    """.split()  # noqa: SIM905 - as a list it would fill fifteen lines
)
_FIELDS_OF_MESSAGES = frozenset({"role", "content"})
_THINKING_TYPES = ("thinking", "redacted_thinking")


def validate_message_request(body: dict[str, Any], signer: Signer) -> None:
    """Reject a body whose single messages are valid, but which the format does not allow."""
    is_claude = family_of(body["model"]) == "claude"
    require(is_claude, "model", "Only Claude models are served in this format")
    require(body.get("max_tokens") is not None, "max_tokens", "Required, an integer")
    _validate_names(body, _FIELDS, "")
    due: list[str] = []  # the ids of the calls in the message before
    for index, message in enumerate(body["messages"]):
        field = f"messages[{index}]"
        _validate_names(message, _FIELDS_OF_MESSAGES, f"{field}.")
        blocks = message["content"] if isinstance(message["content"], list) else []
        _validate_texts(blocks, f"{field}.content")
        _validate_results(blocks, f"{field}.content", due)
        due = []
        if message["role"] == "assistant":
            signer.check_turn(blocks, f"{field}.content")
            _validate_last_block(blocks, f"{field}.content")
            due = [block["id"] for block in blocks if block["type"] == "tool_use"]
    require(not due, "messages", f"No `tool_result` comes after the `tool_use` {due}")
    _validate_prefill(body["messages"][-1])
    thinking = body.get("thinking")
    if thinking is not None and thinking["type"] != "disabled":
        _validate_options_beside_thinking(body)
    if thinking is not None and thinking["type"] == "enabled":
        _validate_current_turn(body["messages"])


def _validate_names(value: dict[str, Any], known: frozenset[str], prefix: str) -> None:
    for name in value:
        require(name in known, f"{prefix}{name}", "Extra inputs are not permitted")


def _validate_texts(blocks: list[dict[str, Any]], field: str) -> None:
    for index, block in enumerate(blocks):
        is_blank = block["type"] == "text" and not block["text"].strip()
        require(not is_blank, f"{field}[{index}].text", "Must not be blank")


def _validate_last_block(blocks: list[dict[str, Any]], field: str) -> None:
    if blocks and (kind := blocks[-1]["type"]) in _THINKING_TYPES:
        path = f"{field}[{len(blocks) - 1}]"
        reject(path, f"The final block in an assistant message cannot be `{kind}`")


def _validate_results(blocks: list[dict[str, Any]], field: str, due: list[str]) -> None:
    """Require one result for each call of the message before, ahead of anything else."""
    kinds = [block["type"] for block in blocks]
    results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
    missing = [call_id for call_id in due if call_id not in results]
    require(not missing, field, f"No `tool_result` comes after the `tool_use` {missing}")
    is_known = all(call_id in due for call_id in results)
    require(is_known, field, "A `tool_result` belongs to no `tool_use` of the message before")
    is_unique = len(set(results)) == len(results)
    require(is_unique, field, "Each `tool_use` has only one `tool_result`")
    is_first = all(kind == "tool_result" for kind in kinds[: len(results)])
    require(is_first, field, "Each `tool_result` has to come before the other content")


def _validate_prefill(last: dict[str, Any]) -> None:
    """Reject white space at the end of an answer that the model continues."""
    content = last["content"]
    if isinstance(content, list):
        content = content[-1].get("text", "")
    is_trimmed = last["role"] == "user" or content == content.rstrip()
    require(is_trimmed, "messages", "The last message must not end with trailing whitespace")


def _validate_options_beside_thinking(body: dict[str, Any]) -> None:
    forced = (body.get("tool_choice") or {}).get("type") in ("any", "tool")
    require(not forced, "tool_choice", "May not force tool use when thinking is enabled")
    temperature = body.get("temperature")
    require(temperature in (None, 1), "temperature", "May only be 1 when thinking is enabled")
    require(body.get("top_k") is None, "top_k", "Must be unset when thinking is enabled")


def _validate_current_turn(messages: list[dict[str, Any]]) -> None:
    """Require thinking at the start of the turn since the user last wrote something.

    The API ignores earlier thinking, so it may be left out there; and the model need not think
    again after the results of tools.
    """
    found = None
    for index in range(len(messages) - 1, -1, -1):
        message = messages[index]
        content = message["content"] if isinstance(message["content"], list) else []
        kinds = [block["type"] for block in content]
        if message["role"] == "assistant":
            found = index, kinds
        elif "tool_result" not in kinds:
            break
    if found is None:
        return
    index, kinds = found
    if "tool_use" in kinds and kinds[0] not in _THINKING_TYPES:
        reject(
            f"messages[{index}].content[0].type",
            f"Expected `thinking` or `redacted_thinking`, but found `{kinds[0]}`. When thinking"
            " is enabled, a turn that calls tools has to come back with its thinking first",
        )

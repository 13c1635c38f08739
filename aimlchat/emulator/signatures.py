"""The signatures that models add to their thinking, and that have to be sent back with it.

Claude signs its thinking, and Gemini the first of the tool calls of a turn.
"""

from __future__ import annotations

import base64
import json
from hashlib import shake_256
from typing import TYPE_CHECKING, Any

from .errors import RejectedRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["Signer"]

_Block = dict[str, Any]

# The fields that prove where a block comes from; no other block has one.
_SIGNED_FIELDS = {"thinking": "signature", "redacted_thinking": "data"}
_OTHERS = ["others", None]
_SIGNATURE_BYTES = 96
# The placeholder that Google's documents specify for the calls of another model.
_ANY_SIGNATURE = ("skip_thought_signature_validator", "context_engineering_is_the_way_to_go")
# A constant, so that a stored conversation can continue with another emulator. It is not a secret:
# it protects nothing, and only shows whether a turn was changed.
_KEY = b"aimlchat-emulator"


class Signer:
    """Signs the turns of the emulator, and checks what comes back.

    A signature of Claude covers its own block, the thinking of the whole turn, and where there are
    other blocks between it. These, texts and tool calls, may be edited, as upstream. Blank texts do
    not count, nor does thinking at the end, because the API accepts no turn with them.

    Signatures that a script gives are remembered for the life of the emulator; those that the
    emulator makes are recognized by any emulator.

    Attributes:
        sent_types: the types of the blocks that were sent. A turn may come back with these, even
            if they are unknown.
    """

    def __init__(self) -> None:
        self._scripted: set[tuple[str, str]] = set()
        self.sent_types: set[str] = set()

    def sign_turn(self, blocks: Iterable[_Block]) -> list[_Block]:
        """Return the blocks of a turn, those of thinking signed."""
        turn = list(blocks)
        self.sent_types.update(block["type"] for block in turn)
        signatures = _make_turn_signatures(turn)
        return [self._sign_block(block, signatures) for block in turn]

    def _sign_block(self, block: _Block, signatures: Iterator[str]) -> _Block:
        field = _SIGNED_FIELDS.get(block["type"])
        if field is None:
            return block
        signature = self._choose(block.get(field), next(signatures))
        return {**block, field: signature}

    def check_turn(self, content: Sequence[_Block], field: str) -> None:
        """Refuse a turn whose thinking was changed.

        Args:
            content: the blocks of a message of the assistant.
            field: the path of the content in the request.

        Raises:
            RejectedRequestError: 400 with the path of the first block that was changed.
        """
        signatures = _make_turn_signatures(content)
        for index, block in enumerate(content):
            name = _SIGNED_FIELDS.get(block["type"])
            if name is not None and not self._is_valid(block[name], next(signatures)):
                raise RejectedRequestError(
                    400,
                    f"{field}[{index}]: Invalid `{name}` in `{block['type']}` block. The thinking"
                    " of a turn has to come back as it was sent: unchanged, complete and in order",
                )

    def sign_call(self, name: str, arguments: str, scripted: str | None) -> str:
        """Return the signature of a tool call of Gemini: the scripted one if there is one."""
        return self._choose(scripted, _make_signature(["call", name, arguments]))

    def is_valid_call(self, name: str, arguments: str, signature: Any) -> bool:
        """Return whether a tool call of Gemini is unchanged, or declared as another model's."""
        made = _make_signature(["call", name, arguments])
        return signature in _ANY_SIGNATURE or self._is_valid(signature, made)

    def _choose(self, scripted: str | None, made: str) -> str:
        if scripted is None:
            return made
        self._scripted.add((scripted, made))
        return scripted

    def _is_valid(self, signature: Any, made: str) -> bool:
        return signature == made or (signature, made) in self._scripted


def _make_turn_signatures(content: Sequence[_Block]) -> Iterator[str]:
    """Yield the signature of each block of thinking."""
    layout: list[list[Any]] = []
    for block in content:
        if block["type"] in _SIGNED_FIELDS:
            layout.append([block["type"], block.get("thinking")])
        elif block["type"] == "text" and not block.get("text", "").strip():
            continue
        elif not layout or layout[-1] != _OTHERS:
            layout.append(_OTHERS)
    count = sum(kind in _SIGNED_FIELDS for kind, _ in layout)
    while layout and layout[-1][0] in _SIGNED_FIELDS:
        layout.pop()
    for number in range(count):
        yield _make_signature([layout, number])


def _make_signature(covered: Any) -> str:
    data = _KEY + json.dumps(covered).encode()
    return base64.b64encode(shake_256(data).digest(_SIGNATURE_BYTES)).decode()

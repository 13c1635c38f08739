"""The signatures of Claude's thinking, which a turn that goes back to the model has to carry."""

from __future__ import annotations

import base64
import json
from hashlib import shake_256
from typing import TYPE_CHECKING, Any

from .errors import RejectedRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["ThinkingSigner"]

_Block = dict[str, Any]

# The fields that prove where a block comes from; no other block has one.
_SEALED_FIELDS = {"thinking": "signature", "redacted_thinking": "data"}
_SEAL_BYTES = 96
# A constant, so that a stored conversation can go on with another emulator. It is no secret: it
# protects nothing, it only shows whether a turn is still as it was made.
_KEY = b"aimlchat-emulator"


class ThinkingSigner:
    """Signs the thinking of the emulator's turns, and checks it when a turn comes back.

    A signature covers its own block, the thinking of the whole turn, and the order of all its
    blocks. Texts and tool calls may be edited, as upstream. Empty texts do not count, because the
    API accepts no turn that contains one.

    Signatures that a script gives are remembered for the life of the emulator; those that the
    emulator makes are recognized by any emulator.
    """

    def __init__(self) -> None:
        self._scripted: set[tuple[str, str]] = set()

    def sign(self, blocks: Iterable[_Block]) -> list[_Block]:
        """Return the blocks of a turn, those of thinking signed."""
        turn = list(blocks)
        seals = _make_seals(turn)
        return [self._sign_block(block, seals) for block in turn]

    def _sign_block(self, block: _Block, seals: Iterator[str]) -> _Block:
        field = _SEALED_FIELDS.get(block["type"])
        if field is None:
            return block
        seal = next(seals)
        if field in block:
            self._scripted.add((block[field], seal))
        return {**block, field: block.get(field, seal)}

    def check(self, content: Sequence[_Block], field: str) -> None:
        """Refuse a turn whose thinking is not as it was made.

        Args:
            content: the blocks of a message of the assistant.
            field: the path of the content in the request.

        Raises:
            RejectedRequestError: 400 with the path of the first block that is not as it was.
        """
        seals = _make_seals(content)
        for index, block in enumerate(content):
            name = _SEALED_FIELDS.get(block["type"])
            if name is None:
                continue
            seal = next(seals)
            if block[name] != seal and (block[name], seal) not in self._scripted:
                raise RejectedRequestError(
                    400,
                    f"{field}[{index}]: Invalid `{name}` in `{block['type']}` block. The thinking"
                    " of a turn has to come back as it was sent: unchanged, complete and in order",
                )


def _make_seals(content: Sequence[_Block]) -> Iterator[str]:
    """Yield the signature of each block of thinking."""
    layout = [
        [block["type"], block.get("thinking")]
        for block in content
        if block["type"] != "text" or block.get("text")
    ]
    for number in range(sum(kind in _SEALED_FIELDS for kind, _ in layout)):
        covered = json.dumps([layout, number]).encode()
        yield base64.b64encode(shake_256(_KEY + covered).digest(_SEAL_BYTES)).decode()

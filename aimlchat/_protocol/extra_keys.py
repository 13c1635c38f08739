"""`ExtraKeys`, the top-level keys of a stream's chunks that are not known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from aimlchat._json import prune
from aimlchat.errors import ProtocolError

from .chunks import build_chunk_decoder, is_field_name
from .kept_size import measure_json
from .lenient import decode_object
from .metadata import find_usage

if TYPE_CHECKING:
    from .chunks import Chunk

__all__ = ["ExtraKeys"]

# A stream with more unknown keys than this has new ones in each chunk (keys used as data), and a
# decoder for such a set would never be used again.
_MAX_DECODED = 16
_MAX_KEPT = 1000
_MAX_BYTES = 16 * 2**20  # as many as an event may have


class ExtraKeys:
    """The latest value of each unknown key, and a decoder that accepts these keys.

    At most 1,000 keys are kept.
    """

    __slots__ = ("_decoded", "decode", "values")

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.decode = build_chunk_decoder()
        """Decodes an event to a chunk, or raises one of `DECODE_ERRORS`."""
        self._decoded: tuple[str, ...] = ()  # the unknown keys that `decode` accepts

    def __bool__(self) -> bool:
        """Whether the decoder accepts any unknown key."""
        return bool(self._decoded)

    def keep(self, chunk: Chunk) -> bool:
        """Keep the values in a chunk from `decode`, and find a usage among them.

        Returns False if one of them may hold an error.
        """
        for index, key in enumerate(self._decoded):
            value = getattr(chunk, f"extra_{index}")
            if value is not msgspec.UNSET:
                self.values[key] = value
                if type(value) is dict:
                    if value.get("error"):
                        return False
                    chunk.usage = chunk.usage or find_usage({key: value})
        return True

    def learn(self, extra: dict[str, Any]) -> None:
        """Keep these values; let the decoder accept their keys, so that they are slow only once."""
        values = self.values
        values |= extra
        while len(values) > _MAX_KEPT:
            values.popitem()
        if len(extra) > _MAX_DECODED:
            return
        keys = tuple(sorted({*self._decoded, *filter(is_field_name, extra)}))
        if keys != self._decoded and len(keys) <= _MAX_DECODED:
            self._decoded = keys
            self.decode = build_chunk_decoder(keys)

    def build_raw(self, event: bytes) -> bytes | dict[str, Any]:
        """Return the value of `Completion.raw`; ``event`` is the last one, ``b""`` for none.

        JSON text is parsed there, on access.
        """
        if not event:
            return dict(self.values)
        if not self.values and b'"event"' not in event:
            return event
        body = decode_object(event)
        chunk = body["event"] if isinstance(body.get("event"), dict) else body
        prune(self.values)
        return {**self.values, **chunk}

    def find_fault(self) -> ProtocolError | None:
        """Return an error if the values together are larger than an event may be."""
        if self.values and measure_json(self.values) > _MAX_BYTES:
            return ProtocolError(f"the unknown keys of the stream exceed {_MAX_BYTES:,} bytes")
        return None

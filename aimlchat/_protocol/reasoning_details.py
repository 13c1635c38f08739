"""`ReasoningDetails`, which some upstreams send with their reasoning, and some require back."""

from __future__ import annotations

from typing import Any

from .kept_size import TextPieces, measure_json

__all__ = ["ReasoningDetails"]

_TEXTS = ("text", "summary")
_IDENTITY = ("type", "index", "id")


class ReasoningDetails:
    """The ``reasoning_details`` of a choice, whose texts arrive in pieces.

    The form is that of OpenRouter: a detail has a ``type``, perhaps an ``index``; an encrypted one
    arrives whole.
    """

    def __init__(self) -> None:
        self._details: list[dict[str, Any]] = []
        self._texts: list[dict[str, TextPieces]] = []
        self._size = 0

    def add(self, details: list[Any], *, is_whole: bool) -> None:
        """Add the details of a chunk; ``is_whole`` is whether none of them continues another."""
        for detail in details:
            if not isinstance(detail, dict):
                continue
            rest = {key: value for key, value in detail.items() if key not in _TEXTS}
            self._size += measure_json(rest)  # the texts count as reasoning
            if is_whole or not self._continues(detail):
                self._details.append({})
                self._texts.append({})
            self._merge(detail)

    def _continues(self, detail: dict[str, Any]) -> bool:
        """Return whether a detail is the next piece of the last one."""
        if not self._details or not any(isinstance(detail.get(key), str) for key in _TEXTS):
            # A signature of its own belongs to the text before it.
            return bool(self._details) and "signature" in detail and self._is_last(detail)
        return self._is_last(detail)

    def _is_last(self, detail: dict[str, Any]) -> bool:
        last = self._details[-1]
        return all(detail.get(key) in (None, last.get(key)) for key in _IDENTITY)

    def _merge(self, detail: dict[str, Any]) -> None:
        for key, value in detail.items():
            if key in _TEXTS and isinstance(value, str):
                self._texts[-1].setdefault(key, TextPieces()).append(value)
                self._details[-1].setdefault(key, "")
            elif value is not None or key not in self._details[-1]:
                self._details[-1][key] = value

    def measure(self) -> int:
        """Return the size of all that is kept, in bytes."""
        for texts in self._texts:
            for pieces in texts.values():
                pieces.measure()
        return self._size

    def build(self) -> list[dict[str, Any]]:
        """Return the details so far."""
        return [
            detail | {key: "".join(pieces) for key, pieces in texts.items()}
            for detail, texts in zip(self._details, self._texts, strict=True)
        ]

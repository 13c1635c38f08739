"""The parser of a stream whose answer has a type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aimlchat._protocol.output_calls import OutputTranslator

if TYPE_CHECKING:
    from collections.abc import Callable

    from aimlchat._protocol.parser import StreamParser
    from aimlchat.completions import Completion, Delta
    from aimlchat.errors import AIMLChatError

    from .typed_answers import TypedAnswer

__all__ = ["TypedParser"]


class TypedParser:
    """A `StreamParser` whose deltas and completions have the answer as their text.

    Args:
        parser: parses the stream.
        answer: the answer of the stream.
        note_hidden_token: called when deltas have arrived, but none is to be yielded.
    """

    __slots__ = ("_answer", "_note_hidden_token", "_parser", "_translator")

    def __init__(
        self, parser: StreamParser, answer: TypedAnswer, note_hidden_token: Callable[[], None]
    ) -> None:
        self._parser = parser
        self._answer = answer
        self._note_hidden_token = note_hidden_token
        name = answer.tool_name
        self._translator = None if name is None else OutputTranslator(name)

    @property
    def finished_choices(self) -> int:
        """How many choices have a finish reason."""
        return self._parser.finished_choices

    @property
    def done(self) -> bool:
        """Whether nothing more is to be read."""
        return self._parser.done

    @property
    def fault(self) -> AIMLChatError | None:
        """What is wrong with the stream."""
        return self._parser.fault

    def feed(self, data: bytes) -> list[Delta]:
        """Parse bytes; return the deltas to yield."""
        return self._translate(self._parser.feed(data))

    def end(self, *, cut: bool = False) -> list[Delta]:
        """Do what `StreamParser.end` does, and return what was held back of a complete stream."""
        deltas = self._translate(self._parser.end(cut=cut))
        if self._translator is not None and self._parser.fault is None:
            deltas += self._translator.close()
        return deltas

    def partial_with(self, **fields: Any) -> Completion[Any]:
        """Return what `StreamParser.partial_with` returns, with the answer as its text."""
        return self._answer.read(self._parser.partial_with(**fields))

    def _translate(self, deltas: list[Delta]) -> list[Delta]:
        if self._translator is None:
            return deltas
        translated = self._translator.translate(deltas)
        if deltas and not translated:
            self._note_hidden_token()
        return translated

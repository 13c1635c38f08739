"""`Accumulator`, which turns chunks into deltas and into a completion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aimlchat.completions import (
    AnswerDelta,
    Completion,
    ReasoningDelta,
    RefusalDelta,
    Usage,
)

from .choice_builder import ChoiceBuilder
from .chunks import ChunkMessage, ToolCallFragment
from .kept_size import check_parts
from .lenient import AMOUNT_BITS, read_reasoning
from .message_chunks import has_content
from .metadata import has_tokens, merge_usage, parse_cost, parse_usage
from .surrogates import SurrogateMender
from .think_tags import ThinkTagSplitter, may_use_tags

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aimlchat.completions import Cost, Delta

    from .chunks import Chunk, ChunkChoice, FunctionFragment, PlainChunk
    from .tool_call_builder import ToolCallIds

__all__ = ["Accumulator"]

_MENDED_FIELDS = ("content", "reasoning_content", "refusal")


class Accumulator:
    """Turns chunks into deltas, and builds a completion from all of them.

    Args:
        model: the requested model, which decides whether ``<think>`` tags are reasoning; by
            default the first model that a chunk names.
        n: the requested number of choices, None if it is not known.
    """

    end = "[DONE] or its last finish reason"

    def __init__(self, model: str = "", n: int | None = None) -> None:
        self._requested_model = model
        self._n = n
        self._choices: dict[int, ChoiceBuilder] = {}
        self._only: ChoiceBuilder | None = None  # the only choice, if one was requested
        self._begun_alone = 0  # how many choices began in a chunk without another choice
        self._last_index = -1  # the index of the choice that began last, as the server sent it
        self._unfinished = 0
        self._mender = SurrogateMender()
        self._call_ids: ToolCallIds | None = None  # most streams have no tool call
        self._id = ""
        self._model = ""
        self._created: int | None = None
        self._has_identity = False  # whether id, model and created are all known
        self._usage: dict[str, Any] | None = None  # the last one with a count above zero
        self._choice_usage: dict[str, Any] | None = None  # from a choice
        self._cost: Cost | None = None
        self._envelope_input = 0  # tokens, from the envelope of Claude's older streams
        self._envelope_output = 0
        self.finished_choices = 0
        """How many choices have a finish reason; 0 while one that began lacks it."""
        self.has_chunk = False
        """Whether a chunk has arrived: an object with ``choices``, even if that list is empty."""
        self.has_whole_calls = False
        """Whether each entry of ``tool_calls`` is a call of its own, as in a whole completion."""
        self.mixes_choices = False
        """Whether the server sent several choices in turn although one was requested."""

    def add(self, chunk: Chunk, deltas: list[Delta], *, lenient: bool = False) -> None:
        """Add a chunk, and append its deltas to the list.

        ``lenient`` is True for chunks of the lenient path. Only these can contain lone surrogates,
        which the fast decoder rejects.
        """
        if chunk.event is not None:
            chunk = self._open_envelope(chunk, chunk.event)
        if not self._has_identity:
            self._keep_identity(chunk)
        if chunk.usage is not None:
            self._keep_usage(chunk.usage)
        if chunk.meta is not None:
            self._cost = parse_cost(chunk.meta) or self._cost
        choices = chunk.choices
        if choices is None:
            return
        self.has_chunk = True
        self._add_choices(choices, deltas, mends=lenient or self._mender.pending)

    def _add_choices(
        self, choices: list[ChunkChoice], deltas: list[Delta], *, mends: object
    ) -> None:
        position = 0
        for choice in choices:
            index = position if choice.index is None else choice.index
            position += 1  # noqa: SIM113 - cheaper than enumerate() for the usual single choice
            builder = self._choices.get(index) or self._begin_choice(index, choices)
            if choice.message is not None or choice.text is not None:
                builder.take_message(choice)
            if choice.delta is not None:
                if mends:
                    self._mend(choice.delta, builder)
                self._add_message(choice.delta, builder, deltas)
            if choice.logprobs is not None:
                builder.add_logprobs(choice.logprobs)
            if choice.usage is not None:
                self.keep_choice_usage(choices)
            if choice.finish_reason and builder.finish(choice.finish_reason):
                self._unfinished -= 1
                self.finished_choices = 0 if self._unfinished else len(self._choices)

    @property
    def is_settled(self) -> bool:
        """Whether a plain chunk can only change the text, and perhaps ``created``."""
        return bool(self._id and self._model) and not self._mender.pending

    def add_plain(self, chunk: PlainChunk, deltas: list[Delta]) -> bool:
        """Add a plain chunk; return False, and add nothing, if its choice has not begun yet.

        Does what `add` does, at a third of the cost. Requires `is_settled`.
        """
        (choice,) = chunk.choices
        builder = self._choices.get(choice.index)
        if builder is None:
            return False
        if not self._created and chunk.created is not None:
            self._created = chunk.created
        message = choice.delta
        if text := message.reasoning_content:
            builder.reasoning.append(text)
            deltas.append(ReasoningDelta(text, builder.index))
        if text := message.content:
            if builder.tags is None:
                builder.answer.append(text)
                deltas.append(AnswerDelta(text, builder.index))
            else:
                self._add_split(builder, builder.tags.feed(text), deltas)
        return True

    def add_error(self, chunk: Chunk, deltas: list[Delta]) -> None:
        """Add the rest of a chunk with an error: usage and cost, perhaps text."""
        inner = chunk.event or chunk
        if self.is_whole:
            self.keep_choice_usage(inner.choices or ())
            inner.choices = None
        for choice in inner.choices or ():
            choice.finish_reason = None
        self.add(chunk, deltas, lenient=True)

    def close(self, deltas: list[Delta]) -> None:
        """Add the deltas of the text that is still buffered; no chunk may follow."""
        if self._mender.pending:
            builders = {builder.index: builder for builder in self._choices.values()}
            for (index, field), text in self._mender.close().items():
                message = ChunkMessage()
                if field in _MENDED_FIELDS:
                    setattr(message, field, text)
                self._add_message(message, builders[index], deltas)
        for builder in self._choices.values():
            if builder.tags is not None:
                self._add_split(builder, builder.tags.close(), deltas)
            if builder.tool_calls is not None:
                deltas += builder.tool_calls.close(builder.index)

    def build(self, *, complete: bool, raw: Any, **fields: Any) -> Completion:
        """Build the completion so far.

        Args:
            complete: whether the completion has reached its end; only then can the arguments of
                tool calls be read.
            raw: the value of `Completion.raw`, as a dictionary or as JSON text.
            **fields: the fields of `Completion` that are not in the body. The cost is read from
                ``headers`` if no chunk has it.
        """
        ids = None if self._call_ids is None else self._call_ids.copy()
        return Completion(
            choices=tuple(
                self._choices[index].build(ids, complete=complete)
                for index in sorted(self._choices)
            ),
            usage=self._build_usage(),
            cost=self._cost or parse_cost(None, fields.get("headers")),
            id=self._id,
            model=self._model,
            created=self._created,
            is_complete=complete,
            raw=raw,
            **fields,
        )

    def measure(self) -> int:
        """Return the size in bytes of the text, arguments and media so far.

        Log probabilities, and all other values without text, are counted as JSON.
        """
        return sum(builder.measure() for builder in self._choices.values())

    @property
    def has_output(self) -> bool:
        """Whether any choice has text, a tool call, audio or an annotation."""
        return any(builder.has_output for builder in self._choices.values())

    @property
    def is_whole(self) -> bool:
        """Whether every choice is finished, and no text followed its finish reason.

        If a gateway sends a finish reason in each chunk, or too early, it does not mean the end.
        """
        return self.finished_choices > 0 and all(
            builder.pieces == builder.pieces_at_finish for builder in self._choices.values()
        )

    @property
    def index_may_count_chunks(self) -> bool:
        """Whether the only choice may have had another index in each chunk."""
        if self._n is not None or not 1 < len(self._choices) == self._begun_alone:
            return False
        builders = list(self._choices.values())
        others, last = builders[:-1], builders[-1]
        return (
            (last.finish_reason is not None or len(others) > 1)
            and not any(builder.finish_reason for builder in others)
            and all(builder.pieces <= 1 for builder in builders)
        )

    def _begin_choice(self, index: int, choices: list[ChunkChoice]) -> ChoiceBuilder:
        is_alone = len(choices) == 1
        is_next = index == self._last_index + 1
        self._last_index = index
        if self._only is not None and is_alone:
            # Foundry Local, and TGI before 2024-03, count the chunks with the index of the choice.
            delta = choices[0].delta
            self.mixes_choices |= not is_next and delta is not None and has_content(delta)
            self._choices = {index: self._only}
            return self._only
        model = self._requested_model or self._model
        builder = ChoiceBuilder(index, ThinkTagSplitter() if may_use_tags(model) else None)
        if self._n == 1 and is_alone and not self._choices:
            builder.index = 0
            self._only = builder
        self._choices[index] = builder
        check_parts(len(self._choices), "choices")
        self._begun_alone += is_alone
        self._unfinished += 1
        self.finished_choices = 0
        return builder

    def _add_message(
        self, message: ChunkMessage, builder: ChoiceBuilder, deltas: list[Delta]
    ) -> None:
        # Reasoning comes first if one chunk has both.
        details = message.reasoning_details
        if details or message.reasoning_content or message.reasoning or message.thinking:
            if details:
                builder.add_details(details, is_whole=self.has_whole_calls)
            if reasoning := read_reasoning(message):
                builder.reasoning.append(reasoning)
                deltas.append(ReasoningDelta(reasoning, builder.index))
        if text := message.content:
            if builder.tags is None:
                builder.answer.append(text)
                deltas.append(AnswerDelta(text, builder.index))
            else:
                self._add_split(builder, builder.tags.feed(text), deltas)
        if text := message.refusal:
            builder.refusal.append(text)
            deltas.append(RefusalDelta(text, builder.index))
        if message.tool_calls or message.function_call:
            self._add_tool_calls(message, builder, deltas)
        if message.audio or message.annotations or message.images:
            builder.add_media(message)

    def _add_split(
        self, builder: ChoiceBuilder, pieces: tuple[str, str], deltas: list[Delta]
    ) -> None:
        reasoning, answer = pieces
        if reasoning:
            builder.reasoning.append(reasoning)
            deltas.append(ReasoningDelta(reasoning, builder.index))
        if answer:
            builder.answer.append(answer)
            deltas.append(AnswerDelta(answer, builder.index))

    def _add_tool_calls(
        self, message: ChunkMessage, builder: ChoiceBuilder, deltas: list[Delta]
    ) -> None:
        if builder.tool_calls is None:
            # Loaded here, since most programs need no tool calls.
            from .tool_call_builder import ToolCallIds  # noqa: PLC0415
            from .tool_calls import ToolCallAssembler  # noqa: PLC0415

            if self._call_ids is None:
                self._call_ids = ToolCallIds()
            builder.tool_calls = ToolCallAssembler(self._call_ids)
        # A server that sends both repeats the call under its old name.
        fragments = message.tool_calls or [
            ToolCallFragment(index=0, function=message.function_call)
        ]
        for fragment in fragments:
            delta = builder.tool_calls.add(fragment, builder.index, is_whole=self.has_whole_calls)
            if delta is not None:
                builder.call_pieces += 1
                deltas.append(delta)

    def _mend(self, message: ChunkMessage, builder: ChoiceBuilder) -> None:
        index = builder.index
        if details := message.reasoning_details:
            builder.add_details(details, is_whole=self.has_whole_calls)
        # The halves of a character may arrive under different names of the reasoning.
        message.reasoning_content = read_reasoning(message)
        message.reasoning = message.thinking = message.reasoning_details = None
        for field in _MENDED_FIELDS:
            if text := getattr(message, field):
                setattr(message, field, self._mender.mend((index, field), text))
        for fragment in message.tool_calls or ():
            self._mend_arguments((index, f"arguments of {fragment.index}"), fragment.function)
            custom = fragment.custom
            if custom is not None and custom.input:
                key = (index, f"input of {fragment.index}")
                custom.input = self._mender.mend(key, custom.input)
        self._mend_arguments((index, "function_call"), message.function_call)

    def _mend_arguments(self, key: tuple[int, str], function: FunctionFragment | None) -> None:
        if function is not None and function.arguments:
            function.arguments = self._mender.mend(key, function.arguments)

    def _keep_identity(self, chunk: Chunk) -> None:
        """Keep the first id, model and ``created`` that are not empty.

        Claude's flat streams have an id only in the first chunk and ``""`` after it, and their
        ``created`` changes. Azure's first chunk has 0 as ``created``.
        """
        self._id = self._id or chunk.id or ""
        self._model = self._model or chunk.model or ""
        if not self._created and chunk.created is not None:
            self._created = chunk.created
        self._has_identity = bool(self._id and self._model and self._created)

    def _open_envelope(self, envelope: Chunk, chunk: Chunk) -> Chunk:
        """Read the fields next to a chunk in its envelope (Claude's streams before 2026-02-13)."""
        self._count_envelope(envelope.state or {})
        chunk.meta = chunk.meta or envelope.meta
        if not has_tokens(parse_usage(chunk.usage)):
            chunk.usage = None  # each chunk has zeros, which mean nothing
        return chunk

    def _keep_usage(self, usage: dict[str, Any]) -> None:
        """Keep the last usage with a count above zero; one of zeros only if there is no other.

        xAI and Perplexity send it in every chunk, so it is parsed only if it is unusual.
        """
        prompt = usage.get("prompt_tokens")
        completion = usage.get("completion_tokens")
        if (
            not (prompt and completion)
            or not (prompt.__class__ is completion.__class__ is int)
            or (prompt | completion) >> AMOUNT_BITS
        ):
            parsed = parse_usage(usage)
            if parsed is None or (self._usage is not None and not has_tokens(parsed)):
                return
            if self._usage is not None and not (parsed.prompt_tokens and parsed.completion_tokens):
                usage = merge_usage(self._usage, usage)
        self._usage = usage

    def keep_choice_usage(self, choices: Iterable[ChunkChoice]) -> None:
        """Keep the last usage inside a choice: Moonshot's streams have the usage of all there."""
        for choice in choices:
            self._choice_usage = choice.usage or self._choice_usage

    def _count_envelope(self, state: Mapping[str, Any]) -> None:
        """Read the token counts of an envelope.

        The first count above zero is that of the input, the last one that of the output.
        """
        usage = parse_usage(state.get("usage"))
        if usage is not None:
            self._envelope_input = self._envelope_input or usage.prompt_tokens or 0
            self._envelope_output = usage.completion_tokens or self._envelope_output

    def _build_usage(self) -> Usage | None:
        """Return the usage of the completion; that of the only choice if there is no other."""
        usage = parse_usage(self._usage)
        if not has_tokens(usage) and self._choice_usage and len(self._choices) == 1:
            usage = parse_usage(self._choice_usage) or usage
        return usage or self._build_envelope_usage()

    def _build_envelope_usage(self) -> Usage | None:
        prompt, completion = self._envelope_input, self._envelope_output
        if not prompt and not completion:
            return None
        total = prompt + completion
        raw = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}
        return Usage(prompt, completion, total, raw=raw)

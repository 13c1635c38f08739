"""Answers of a type: read from a response, judged, and asked for again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from aimlchat._output.judging import judge_output
from aimlchat._protocol.output_calls import OutputTranslator, take_output_call
from aimlchat._protocol.whole import parse_completion
from aimlchat.completions import Completion, Usage
from aimlchat.errors import InvalidRequestError, OutputError, detach

from .prepare import CallSpec, RequestFields, resolve_request
from .tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aimlchat._payload.output_plan import OutputPlan
    from aimlchat.completions import Cost, Delta
    from aimlchat.errors import AIMLChatError
    from aimlchat.records import CallOutcome
    from aimlchat.request import ChatRequest

    from .call import Call
    from .context import CallContext
    from .prepare import PreparedRequest
    from .response import OpenResponse

__all__ = ["Corrections", "TypedAnswer", "add_correction", "is_correctable", "parse_typed"]

# With these the model was stopped, whatever it has called.
_STOPPED = ("length", "content_filter")
# A cut answer would be cut again, and a refused one refused again.
_CORRECTABLE = ("not_json", "invalid")
_CORRECTION = (
    "Your answer cannot be used: {error}\n\nGive the whole answer again, in the same form, with"
    " that corrected."
)


class TypedAnswer:
    """The answer of a type in one response.

    Attributes:
        error: what is wrong with the answer, once it has been judged; None if nothing is.
    """

    __slots__ = ("_output", "_plan", "_translator", "error")

    def __init__(self, plan: OutputPlan) -> None:
        self._plan = plan
        self._translator = None if plan.tool_name is None else OutputTranslator(plan.tool_name)
        self._output: Any = None
        self.error: OutputError | None = None

    def translate(self, deltas: list[Delta]) -> list[Delta]:
        """Return the deltas to hand out in place of those of a stream."""
        return deltas if self._translator is None else self._translator.translate(deltas)

    def close(self) -> list[Delta]:
        """Return the deltas that were held back; call it once, at the good end of a stream."""
        return [] if self._translator is None else self._translator.close()

    def read(self, completion: Completion[Any]) -> Completion[Any]:
        """Return a completion, or a part of one, with the answer as its text.

        Once the answer has been judged, it is the output, too.
        """
        if self._plan.tool_name is not None:
            completion = take_output_call(completion, self._plan.tool_name)
        return completion if self._output is None else attrs.evolve(completion, output=self._output)

    def judge(self, completion: Completion[Any], *, is_last: bool = False) -> None:
        """Make the output of a whole completion that `read` has returned, or set the error.

        A completion with calls that wait for their results has neither. ``is_last`` is whether
        there will be no results.
        """
        if completion.tool_calls and not is_last and completion.finish_reason not in _STOPPED:
            return
        try:
            self._output = judge_output(completion, self._plan)
        except OutputError as error:
            self.error = detach(error)

    def end(self, call: Call, completion: Completion[Any]) -> CallOutcome:
        """Judge the answer of a stream that is complete; return how the call has ended."""
        self.judge(completion)
        if self.error is None:
            return "complete"
        _fail_attempt(call, self.error)
        return "error"

    def raise_error(self) -> None:
        """Raise the error, if there is one."""
        if self.error is not None:
            raise detach(self.error)


def _fail_attempt(call: Call, error: OutputError) -> None:
    call.fail_attempt(error)
    error.partial = attrs.evolve(error.partial, attempts=error.attempts)


def parse_typed(data: bytes, opened: OpenResponse) -> Completion[Any] | OutputError:
    """Return the completion in the body of a whole response, with its output.

    An `OutputError` is returned and not raised, since its frames would show the body.
    """
    answer = TypedAnswer(opened.request.output)  # type: ignore[arg-type] # it has one
    completion = answer.read(parse_completion(data, opened.request.model, **opened.metadata))
    answer.judge(completion)
    return answer.error or answer.read(completion)


def is_correctable(error: OutputError) -> bool:
    """Return whether the model may give a better answer if it is told what is wrong."""
    return error.reason in _CORRECTABLE


def add_correction(conversation: ChatRequest, error: OutputError) -> ChatRequest:
    """Return a conversation in which the model is told what is wrong with its last turn."""
    return conversation.user(_CORRECTION.format(error=error))


class Corrections:
    """Asks again in one call that is not a stream, and sums up what the bad answers have cost."""

    __slots__ = ("_context", "_conversation", "_costs", "_retries", "_spec", "_usages")

    def __init__(self, spec: CallSpec, context: CallContext) -> None:
        self._spec = spec
        self._context = context
        self._conversation: ChatRequest | None = None  # with the turns that were added
        self._retries = spec.output_retries
        self._usages: list[Usage | None] = []  # of the bad answers
        self._costs: list[Cost | None] = []

    async def complete(self, call: Call) -> Completion[Any]:
        """Return the completion of a call with its output.

        Raises an `AIMLChatError`. Cancelling closes the connection.
        """
        while True:
            result = await call.read_whole(parse_typed)
            if not isinstance(result, OutputError):
                return result
            _fail_attempt(call, result)
            request = self._build_next(call.request, result)
            if request is None:
                raise result
            call.ask_again(result, request)

    def _build_next(self, request: PreparedRequest, error: OutputError) -> PreparedRequest | None:
        """Return the request that tells the model what is wrong with its answer to ``request``.

        None if it may not be asked again; a note of the error says why, if that is not obvious.
        """
        if not self._retries or not is_correctable(error):
            return None
        completion, spending = error.completion, self._context.spending
        if spending is not None and not spending.has_left_after(completion.cost):
            error.add_note("not asked again: the budget_usd of this session is spent")
            return None
        try:
            conversation = self._conversation or self._resolve()
            if completion.text.strip() or completion.refusal:
                conversation = conversation.assistant(completion)
            conversation = add_correction(conversation, error)
            following = self._prepare(conversation, request)
        except InvalidRequestError as refusal:
            error.add_note(f"not asked again: {refusal}")
            return None
        self._retries -= 1
        self._conversation = conversation
        self._usages.append(completion.usage)
        self._costs.append(completion.cost)
        return following

    def _resolve(self) -> ChatRequest:
        spec, model = self._spec, self._context.defaults.model
        request: Any = resolve_request(spec.request, spec.options, model)
        return request.to_request() if isinstance(request, RequestFields) else request

    def _prepare(self, conversation: ChatRequest, request: PreparedRequest) -> PreparedRequest:
        """Prepare the next request, to the model that was asked and those behind it."""
        spec, model = self._spec, request.model
        names = spec.models
        following = CallSpec(
            conversation,
            {"client_request_id": request.client_request_id},
            spec.timeouts,
            spec.retry,
            models=names[names.index(model) :] if model in names else names,
            output_type=spec.output_type,
        ).prepare(self._context.defaults)
        one: PreparedRequest | None = following
        while one is not None:
            one.headers = request.headers  # those of a tracer are among them
            one = one.fallback
        return following

    def add_to(self, completion: Completion[Any]) -> Completion[Any]:
        """Return a completion with the usage and the cost of all answers of the call."""
        if not self._usages:
            return completion
        usages = [one for one in (*self._usages, completion.usage) if one is not None]
        tally = Tally()
        for cost in (costs := [one for one in (*self._costs, completion.cost) if one is not None]):
            tally.add(cost=cost)
        return attrs.evolve(
            completion,
            usage=_sum_usages(usages) if usages else None,
            cost=tally.cost if costs else None,
        )

    def add_to_report(
        self, completion: Callable[[], Completion[Any]] | None, error: AIMLChatError | None
    ) -> Callable[[], Completion[Any]]:
        """Return what a call has received in all, and put it into the error of the call."""
        received = self.add_to(Completion() if completion is None else completion())
        if error is not None:
            error.partial = received
        return lambda: received


def _sum_usages(usages: Sequence[Usage]) -> Usage:
    counts: dict[str, Any] = {}
    for name in usages[-1].as_dict():
        known = [count for usage in usages if (count := usage.as_dict()[name]) is not None]
        counts[name] = sum(known) if known else None
    return Usage(**counts, raw=usages[-1].raw)

"""Requests an answer that is not of the type again, and tells the model what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aimlchat._protocol.whole import parse_completion
from aimlchat.errors import InvalidRequestError, OutputError
from aimlchat.request import ChatRequest

from .bills import Bills
from .prepare import CallSpec, resolve_request
from .typed_answers import TypedAnswer, add_correction, fail_answer, is_correctable

if TYPE_CHECKING:
    from aimlchat.completions import Completion

    from .call import Call
    from .context import CallContext
    from .prepare import PreparedRequest
    from .response import OpenResponse

__all__ = ["Corrections"]


class Corrections:
    """Requests the typed answer of one call that does not stream, again if it is invalid.

    Args:
        spec: the call as specified by its caller.
        context: what the calls of the session share.
    """

    __slots__ = ("_bills", "_context", "_conversation", "_retries", "_spec")

    def __init__(self, spec: CallSpec, context: CallContext) -> None:
        self._spec = spec
        self._context = context
        self._conversation: ChatRequest | None = None  # with the turns that were added
        self._retries = spec.output_retries
        self._bills = Bills()

    async def complete(self, call: Call) -> Completion[Any]:
        """Return the completion of a call with its output.

        Raises an `AIMLChatError`. Cancelling closes the connection.
        """
        while True:
            result = await call.read_whole(_parse_typed)
            if not isinstance(result, OutputError):
                return result
            fail_answer(result, call.fail_attempt)
            request = self._build_next(call.request, result)
            if request is None:
                raise result
            self._bills.add(result.completion)
            call.ask_again(result, request, self._bills)

    def _build_next(self, request: PreparedRequest, error: OutputError) -> PreparedRequest | None:
        """Return the request that tells the model what is wrong with its answer to ``request``.

        None if there is no such request; a note of the error says why, if that is not obvious.
        """
        if not self._retries or not is_correctable(error):
            return None
        completion, spending = error.completion, self._context.spending
        if spending is not None and not spending.has_left_after(completion.cost):
            error.add_note("not requested again: the budget_usd of this session is spent")
            return None
        try:
            conversation = self._conversation or self._resolve()
            if completion.text.strip() or completion.refusal:
                conversation = conversation.assistant(completion)
            conversation = add_correction(conversation, error)
            following = self._prepare(conversation, request)
        except InvalidRequestError as refusal:
            error.add_note(f"not requested again: {refusal}")
            return None
        self._retries -= 1
        self._conversation = conversation
        return following

    def _resolve(self) -> ChatRequest:
        spec, model = self._spec, self._context.defaults.model
        request: Any = resolve_request(spec.request, spec.options, model)
        return request if isinstance(request, ChatRequest) else request.to_request()

    def _prepare(self, conversation: ChatRequest, request: PreparedRequest) -> PreparedRequest:
        """Prepare the next request, to the model of the last one and the models after it."""
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
            one.headers = request.headers  # including those of a tracer
            one = one.fallback
        return following


def _parse_typed(data: bytes, opened: OpenResponse) -> Completion[Any] | OutputError:
    """Return the completion in the body of a whole response, with its output.

    An `OutputError` is returned and not raised, since its frames would show the body.
    """
    answer = TypedAnswer(opened.request.output)  # type: ignore[arg-type] # it has one
    completion = answer.read(parse_completion(data, opened.request.model, **opened.metadata))
    return answer.judge(completion) or answer.read(completion)

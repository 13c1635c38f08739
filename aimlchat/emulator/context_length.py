"""The context length of a model, and the error for a request that does not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import reject_as_upstream
from .models import family_of, find_model

if TYPE_CHECKING:
    from .request import ParsedRequest

__all__ = ["check_context_length"]

_CODE = "context_length_exceeded"


def check_context_length(request: ParsedRequest) -> None:
    """Refuse a request that does not fit into the context of its model.

    The tokens of the prompt are those that the usage reports, see `request.split_into_tokens`. All
    models but Gemini count `max_tokens` as well: they reserve the room for the answer.

    Raises:
        RejectedRequestError: 400 with the code `context_length_exceeded`.
    """
    model = find_model(request.model)
    if model is None:
        return
    prompt, limit = request.prompt_tokens, model.context
    answer = 0 if family_of(request.model) == "gemini" else request.max_tokens or 0
    if prompt > limit:
        message = f"prompt is too long: {prompt} tokens, and the model takes at most {limit}"
    elif prompt + answer > limit:
        message = (
            f"prompt and max_tokens exceed the maximum context length: {prompt} + {answer} tokens,"
            f" and the model takes at most {limit}; shorten the prompt or lower max_tokens"
        )
    else:
        return
    error: dict[str, Any] = {"type": "invalid_request_error", "message": message, "code": _CODE}
    if family_of(request.model) == "claude":
        reject_as_upstream({"type": "error", "error": error})
    reject_as_upstream({"error": error | {"param": "messages"}})

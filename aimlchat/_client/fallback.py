"""Calls with ``models=``: if a model cannot respond, the next one gets the request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from aimlchat._payload.json_values import describe, refuse
from aimlchat._payload.limits import check_model
from aimlchat._protocol.api_errors import is_out_of_credits
from aimlchat.errors import (
    SERVER_ERRORS,
    AIMLChatError,
    APIError,
    AuthenticationError,
    BadRequestError,
    ConnectionFailedError,
    InsufficientCreditsError,
    InvalidRequestError,
    ProtocolError,
    RateLimitError,
    RequestTimeoutError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["check_models", "is_curable"]

# A 400 is worth another model if it names the model, as in "this model does not support images",
# or its limits, as in "the prompt is too long".
_ABOUT_MODEL = re.compile(
    r"\bmodels?\b|context.?(?:length|window)|too (?:long|many tokens|large)|maximum.{1,40}tokens",
    re.IGNORECASE,
)
# Not allowed, not found (404, 410), too large (413), the server's own timeout, or a conflict.
_CURABLE_STATUSES = (403, 404, 408, 409, 410, 413, 425)


def check_models(models: Any, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names in ``models=`` of a call.

    Raises `InvalidRequestError` unless they are one or more different names, and the call has no
    ``model=`` as well.
    """
    if options.get("model") is not None:
        refuse("give either model= or models=, not both", "models")
    if isinstance(models, str | bytes) or not isinstance(models, list | tuple):
        refuse(f"{describe(models)} is not a list of names; give models=['a', 'b']", "models")
    if not models:
        refuse("the list is empty; name at least one model, or leave it out", "models")
    for index, model in enumerate(models):
        try:
            check_model(model)
        except InvalidRequestError as error:
            error.field = f"models[{index}]"
            raise
        if model in models[:index]:
            refuse(f"{model} is named twice; name each model once", f"models[{index}]")
    return tuple(models)


def is_curable(error: AIMLChatError, *, is_stream: bool) -> bool:  # noqa: PLR0911 - a table
    """Return whether another model may respond where one has failed.

    ``is_stream`` is whether the error ended a stream before its first delta. A whole response that
    was cut off, or that came too late, was generated and charged, so no other model gets the
    request.
    """
    match error:
        case AuthenticationError() | InsufficientCreditsError():
            return False
        case RateLimitError():
            return not is_out_of_credits(error)
        case BadRequestError():
            return _ABOUT_MODEL.search(error.message) is not None
        case APIError(status=status):
            return status in _CURABLE_STATUSES or status in SERVER_ERRORS
        case RequestTimeoutError(phase=phase):
            # The others are the caller's own limits, or say that the server cannot be reached.
            return phase == "first_token" or (is_stream and phase == "idle")
        case ConnectionFailedError(sent=sent):
            return sent
    return is_stream and isinstance(error, ProtocolError)

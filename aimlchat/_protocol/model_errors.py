"""Whether a refusal means that its model does not exist, or no longer exists."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Literal

from .error_messages import find_message, iterate_objects

if TYPE_CHECKING:
    from aimlchat.errors import APIError

__all__ = ["says_no_such_model"]

_GONE = (404, 410)
_FORBIDDEN = 403
_STATUSES = (400, _FORBIDDEN, *_GONE, 422)
# Codes are compared without case and punctuation: model_not_found of OpenAI, model_decommissioned
# of Groq, ModelDeprecated of Azure, invalid_model of Perplexity.
_CODES = re.compile(
    r"(?:invalid|unknown|unsupported|nosuch)model(?:id|name)?$"
    r"|^model(?:id|name)?(?:isnot|isno|doesnot|not|no)(?:found|exist|available|supported|longer)"
    r"|^model(?:is|hasbeen)?(?:deprecated|decommissioned|retired|gone|removed|discontinued|invalid)"
)
_CODE_KEYS = ("code", "type", "reason", "errorcode")
_QUOTED = re.compile(r"[`'\"“‘][^`'\"“‘”’\s]+[`'\"”’]")  # noqa: RUF001 - servers quote so, too
_PUNCTUATION = ".,:;!?()=*"
_NAME = "n/a"  # stands for any name of a model
_MAX_LENGTH = 2000  # of the words that are searched
# A word that looks like the name of a model.
_OTHER = r"(?=\S*[\d/-])\S+"
_IS = r"(?:(?:is|was|has|have|been|now|you|requested|specified|provided) )*"
_GONE_WORDS = (
    r"(?:do(?:es)? ?n[o']t exist|not exists?\b|not found|no longer (?:\w+ )?(?:available|support"
    r"|exist|offer|serv)|decommissioned|deprecated|retired|discontinued|removed|sunset"
    r"|shut down|reached (?:the |its )?end|not a valid model)"
)
# A text about a parameter that is deprecated or unknown "for this model" must not match.
_WORDS = re.compile(
    rf"\bmodels?(?: (?:id|name|identifier|code|version))?(?: {_OTHER})? {_IS}{_GONE_WORDS}"
    rf"|\bmodel (?:id|name|identifier|code)(?: {_OTHER})? is (?:invalid|unknown|not valid)"
    rf"|\bmodel(?: {_OTHER})? is not (?:supported|available|recognized|valid) ?(?:[.;!]|$)"
    r"|\b(?:invalid|unknown|unsupported|unrecognized|no such) model"
    rf"(?= (?:id|name|identifier|code|passed)\b| ?[.;!(]|$| {_OTHER})"
    r"|\bnot a valid model\b|\bnot found the model\b|\bno model (?:named|called|with)\b"
    r"|\b(?:cannot|could not|unable to) (?:find|access|locate) (?:the )?(?:\w+ )?model\b"
    rf"|\bno endpoints found for (?:this model|{_OTHER}?)[.]?$"
    r"|模型不存在"
)
# How validators name the field at fault, in a message and in JSON, which may be quoted in a text.
_MODEL_FIELD = re.compile(r"(?:^|; )(?:body\.)?model: ")
_MODEL_PATH = re.compile(
    r'\\*"(?:path|loc|param|field)\\*": ?(?:\[(?:\\*"body\\*", ?)?\\*"model\\*"\]|\\*"model\\*")'
)
_MAX_BODY_LENGTH = 100_000  # of the JSON that is searched


def says_no_such_model(error: APIError, model: str) -> Literal["yes", "maybe", "no"]:
    """Return whether a refusal means that the requested model does not exist, or no longer exists.

    A code or the message of the body says so. Without them a 404 may mean it, but also a wrong base
    URL: the vendor documents no message for it.
    """
    if error.status not in _STATUSES:
        return "no"
    # Not the message of the error, which is cut: a validator lists all valid models before it says
    # what it received.
    message = find_message(error.body)
    if (
        _has_code(error.body)
        or (
            error.status != _FORBIDDEN  # its message is about permissions
            and (
                _MODEL_FIELD.search(message)
                or f"received '{model}'" in message
                or _WORDS.search(_replace_names(message[:_MAX_LENGTH].lower(), model.lower()))
            )
        )
    ):
        return "yes"
    return "maybe" if error.status in _GONE else "no"


def _has_code(body: Any) -> bool:
    """Return whether a code of the body says so, or the model is the field at fault."""
    text = body if isinstance(body, str) else json.dumps(body)
    if _MODEL_PATH.search(text[:_MAX_BODY_LENGTH]):
        return True
    codes = (fields.get(key) for fields in iterate_objects(body) for key in _CODE_KEYS)
    return any(
        isinstance(code, str) and _CODES.search(re.sub("[^a-z]", "", code.lower()))
        for code in codes
    )


def _replace_names(words: str, model: str) -> str:
    """Return a message with one stand-in for each name of a model, and no quotation marks.

    The server may call the model by another name than the caller, such as one with a date.
    """
    names = (model, model.rpartition("/")[2])
    words = _QUOTED.sub(f" {_NAME} ", words.replace("n't", " not").replace("=", " "))
    replaced = []
    for word in words.split():
        core = word.removeprefix("models/").strip(_PUNCTUATION)
        replaced.append(word.replace(core, _NAME, 1) if core in names else word)
    text = " ".join(replaced).replace("models/", "models ")
    return re.sub(r" +([.,;:!])", r"\1", re.sub(r"[:*\"`]", " ", text)).replace("  ", " ")

"""The models that the chat page offers, and what each of them accepts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aimlchat._payload.models import find_model_row
from aimlchat._protocol.model_list import is_chat_model
from aimlchat.content import Audio, Document, Image
from aimlchat.emulator.models import find_model
from aimlchat.errors import InvalidRequestError
from aimlchat.request import ChatRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aimlchat.model_types import Model

__all__ = ["SAMPLE_FILES", "describe_model", "list_model_choices"]

# Any budget within the limits will do for the tests below.
_VALID_BUDGET = 2048
_EFFORTS = ("low", "medium", "high")
_TEMPERATURE_LIMITS = (2, 1)

SAMPLE_FILES: dict[str, Image | Document | Audio] = {
    "image": Image.from_bytes(b"\x89PNG\r\n\x1a\n"),
    "pdf": Document.from_bytes(b"%PDF-"),
    "audio": Audio.from_bytes(b"ID3"),
}
"""A file of each kind that not every model accepts."""


def list_model_choices(models: Iterable[Model]) -> list[dict[str, Any]]:
    """Return the chat models sorted by id, as `describe_model` describes them."""
    return [
        describe_model(model)
        for model in sorted(models, key=lambda model: model.id)
        if is_chat_model(model)
    ]


def describe_model(model: Model) -> dict[str, Any]:
    """Return what the page shows of a model, and which options and files it accepts.

    - ``thinking``: the values of the field ``thinking`` that it accepts: ``budget`` (a number of
      tokens), ``adaptive``, ``off``.
    - ``efforts``: the values of ``reasoning_effort``; none if the model is known not to reason.
    - ``max_temperature``: None if it accepts no temperature.
    - ``files``: the kinds of files besides text: ``image``, ``pdf``, ``audio``.
    """
    options = _find_options(model.id)
    return {
        "id": model.id,
        "name": model.name,
        "developer": model.developer,
        "aliases": model.aliases,
        "input_price": model.input_price,
        "output_price": model.output_price,
        "context_length": model.context_length,
        "max_output": model.max_output,
        "has_vision": _has_vision(model),
        **options,
        "files": [kind for kind in options["files"] if _takes_modality(model, kind)],
    }


def _has_vision(model: Model) -> bool:
    return "vision" in model.capabilities or "image" in model.input_modalities


def _takes_modality(model: Model, kind: str) -> bool:
    """Return whether the list of models says that a model accepts images, or audio.

    A server that lists no modalities says nothing, and then the model may be tried. A PDF is not a
    modality: the API turns it into text and images.
    """
    if kind == "pdf" or not (model.capabilities or model.input_modalities):
        return True
    return _has_vision(model) if kind == "image" else kind in model.input_modalities


def _find_options(model: str) -> dict[str, Any]:
    # Building requests gives the answers, so the page never offers what a request would refuse.
    request = ChatRequest(model).user("?")
    thinking = {
        "off": "thinking" in (_build(request.options(thinking=False)) or {}),
        "adaptive": _build(request.options(thinking="adaptive")),
        "budget": _build(request.options(thinking=_VALID_BUDGET)),
    }
    efforts = () if _never_reasons(model) else _EFFORTS
    limits = (limit for limit in _TEMPERATURE_LIMITS if _build(request.options(temperature=limit)))
    return {
        "thinking": [value for value, is_valid in thinking.items() if is_valid],
        "efforts": [
            effort for effort in efforts if _build(request.options(reasoning_effort=effort))
        ],
        "max_temperature": next(limits, None),
        "files": [kind for kind, sample in SAMPLE_FILES.items() if _build(request.user(sample))],
    }


def _never_reasons(model: str) -> bool:
    """Return whether the vendor's documents say so, as far as the tables have read them.

    The vendor's list of models does not say it, and a request is not refused for an effort.
    """
    row = find_model_row(model)
    if row.is_claude:
        return not row.thinking_modes
    listed = find_model(model)
    return listed is not None and listed.reasoning == "never"


def _build(request: ChatRequest) -> dict[str, Any] | None:
    """Return the payload of a request, or None if it is refused."""
    try:
        return request.payload()
    except InvalidRequestError:
        return None

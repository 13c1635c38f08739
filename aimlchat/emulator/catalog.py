"""The models of one emulator: those of the table, those that a test adds, without the retired."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .errors import RejectedRequestError
from .models import find_model, load_models

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .models import ListedModel

__all__ = ["Catalog"]


class Catalog:
    """The models that one emulator serves; `Emulator` documents the parameters."""

    def __init__(self, models: Iterable[str] = (), retire: Iterable[str] = ()) -> None:
        added = {_canonical_id(name): None for name in _check_names("models", models)}
        retired = {_canonical_id(name) for name in _check_names("retire", retire)}
        if contradicted := added.keys() & retired:
            msg = f"{', '.join(sorted(contradicted))} is in both models and retire; choose one"
            raise ValueError(msg)
        available = {model.id: None for model in load_models() if not model.is_retired}
        self._served = {name: None for name in available | added if name not in retired}
        self._retired = retired

    def check(self, name: str) -> None:
        """Refuse a model that is not served.

        Raises:
            RejectedRequestError: 404 for an unknown or a retired model.
        """
        model_id = _canonical_id(name)
        if model_id in self._served:
            return
        if model_id in self._retired or find_model(name) is not None:
            raise RejectedRequestError(404, f"The model '{name}' has been retired")
        raise RejectedRequestError(404, f"The model '{name}' was not found")

    def build_listing(self) -> dict[str, Any]:
        """Build the body of `GET /v1/models`."""
        items = [_build_item(name) for name in self._served]
        return {"object": "list", "data": items}


def _check_names(field: str, names: Iterable[str]) -> list[str]:
    # A string is iterable too, and its letters would pass as names.
    is_collection = isinstance(names, Iterable) and not isinstance(names, str)
    checked = list(names) if is_collection else []
    if not is_collection or not all(isinstance(name, str) and name.strip() for name in checked):
        msg = f'{field} takes the ids of models in a list or tuple, as in {field}=["vendor/model"]'
        raise TypeError(msg)
    return checked


def _canonical_id(name: str) -> str:
    model = find_model(name)
    return name if model is None else model.id


def _build_item(name: str) -> dict[str, Any]:
    model = find_model(name)
    if model is None:
        return _build_unlisted_item(name)
    has_vision = bool(model.image)
    info = {
        "releasedAt": model.released or None,
        "name": model.name,
        "developer": model.developer,
        "description": "",
        "contextLength": model.context,
        "outputMax": model.max_output,
        "url": "",
        "docsUrl": "",
    }
    item = {
        "id": model.id,
        "info": _drop_none(info),
        "type": "openai/chat-completions",
        "aliases": list(model.all_aliases),
        "tags": ["playground:chat", "tier:tier_2"],
        "modalities": {"input": ["image", "text"] if has_vision else ["text"], "output": ["text"]},
        "capabilities": ["streaming", "tools", *(["vision"] if has_vision else [])],
    }
    return item | _build_pricing(model)


def _build_unlisted_item(name: str) -> dict[str, Any]:
    vendor, _, short = name.rpartition("/")
    return {
        "id": name,
        "info": {"name": short, "developer": vendor, "description": "", "url": "", "docsUrl": ""},
        "type": "openai/chat-completions",
        "aliases": [],
        "tags": ["playground:chat"],
        "modalities": {"input": ["text"], "output": ["text"]},
        "capabilities": ["streaming", "tools"],
    }


def _build_pricing(model: ListedModel) -> dict[str, Any]:
    prices = {"input": model.input_price, "output": model.output_price}
    units = [
        {"name": "token", "measure": measure, "price": price, "per": 1_000_000}
        for measure, price in prices.items()
        if price is not None
    ]
    return {"pricing": {"kind": "fixed", "currency": "USD", "units": units}} if units else {}


def _drop_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}

"""The query parameters of `GET /v1/models`: which models, and which sections of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from multidict import MultiMapping

__all__ = ["select_models"]

_SECTIONS = frozenset({"pricing", "modalities", "capabilities"})


def _inputs(model: dict[str, Any]) -> list[str]:
    return list(model["modalities"]["input"])


def _outputs(model: dict[str, Any]) -> list[str]:
    return list(model["modalities"]["output"])


_FILTERS: dict[str, Callable[[dict[str, Any]], Iterable[str]]] = {
    "id": lambda model: [model["id"], *model["aliases"]],
    "type": lambda model: [model["type"]],
    "tags": lambda model: model["tags"],
    "modalities": lambda model: [*_inputs(model), *_outputs(model)],
    "input_modalities": _inputs,
    "output_modalities": _outputs,
    "capabilities": lambda model: model["capabilities"],
}


def select_models(body: dict[str, Any], query: MultiMapping[str]) -> dict[str, Any]:
    """Return the list of models for a query.

    The values of one parameter are alternatives, in any case, separated by commas or repeated; all
    parameters have to match. Sections are left out unless `include` names them.
    """
    wanted = {name: _values(query, name) for name in _FILTERS if name in query}
    included = set(_values(query, "include"))
    if "all" in included or query.get("details") == "true":
        included = set(_SECTIONS)
    models = [
        {name: value for name, value in model.items() if name not in _SECTIONS - included}
        for model in body["data"]
        if all(
            not values.isdisjoint(text.lower() for text in _FILTERS[name](model))
            for name, values in wanted.items()
        )
    ]
    return {**body, "data": models}


def _values(query: MultiMapping[str], name: str) -> set[str]:
    return {value.strip().lower() for text in query.getall(name, []) for value in text.split(",")}

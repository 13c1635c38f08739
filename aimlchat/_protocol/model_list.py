"""The list of models: what each is called, what it can do, and what it costs."""

from __future__ import annotations

from typing import Any

from aimlchat._printable import excerpt
from aimlchat.errors import ProtocolError
from aimlchat.model_types import Model

from .lenient import read_amount, read_count, read_dict, read_list, read_text

__all__ = ["is_chat_model", "parse_models"]

_MILLION = 1_000_000


def parse_models(body: Any) -> list[Model]:
    """Read the body of ``GET /v1/models``; entries without an id are left out.

    Raises `ProtocolError` if the body is neither a list nor an object with a list in ``data``.
    """
    entries = body.get("data") if isinstance(body, dict) else body
    if not isinstance(entries, list):
        msg = f"the response body holds no list of models: {excerpt(str(body))}"
        raise ProtocolError(msg)
    return [_parse_model(entry) for entry in entries if read_text(read_dict(entry).get("id"))]


def is_chat_model(model: Model) -> bool:
    """Return whether a model is for chat, with a type such as "openai/chat-completions".

    Other servers than the vendor's give no type at all.
    """
    return not model.type or model.type.endswith("chat-completions")


def _parse_model(entry: dict[str, Any]) -> Model:
    info, modalities = read_dict(entry.get("info")), read_dict(entry.get("modalities"))
    return Model(
        id=read_text(entry.get("id")) or "",
        aliases=_read_texts(entry.get("aliases")),
        type=read_text(entry.get("type")) or "",
        name=read_text(info.get("name")) or "",
        developer=read_text(info.get("developer")) or "",
        description=read_text(info.get("description")) or "",
        context_length=read_count(info.get("contextLength")),
        max_output=read_count(info.get("outputMax")),
        tags=_read_texts(entry.get("tags")),
        capabilities=_read_texts(entry.get("capabilities")),
        input_modalities=_read_texts(modalities.get("input")),
        output_modalities=_read_texts(modalities.get("output")),
        input_price=_find_price(entry, "input"),
        output_price=_find_price(entry, "output"),
        raw=entry,
    )


def _read_texts(values: Any) -> tuple[str, ...]:
    return tuple(value for value in read_list(values) if isinstance(value, str))


def _find_price(entry: dict[str, Any], measure: str) -> float | None:
    """Return US dollars for a million tokens of text, None unless such a rate is quoted.

    The vendor's documents call the direction ``measure`` on one page and ``origin`` on another.
    ``per`` differs between models.
    """
    pricing = read_dict(entry.get("pricing"))
    if pricing.get("currency") not in (None, "USD"):
        return None
    for unit in map(read_dict, read_list(pricing.get("units"))):
        direction = unit.get("measure") or unit.get("origin")
        if (unit.get("name"), direction) != ("token", measure):
            continue
        if unit.get("content") not in (None, "text"):
            continue
        price, per = read_amount(unit.get("price")), read_amount(unit.get("per"))
        if price is not None and per:
            return round(price * _MILLION / per, 9)
    return None

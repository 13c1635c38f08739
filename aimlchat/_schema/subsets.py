"""The subsets of JSON schema that vendors enforce, and the words for what is outside them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import attrs

from .errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["GEMINI", "OPENAI", "Subset", "check_limits", "describe_keywords"]


@attrs.frozen(eq=False)
class Subset:
    """Which keywords, besides those of structure, a vendor accepts.

    Attributes:
        keywords: the keywords by the type of the value.
        formats: the values of ``format``.
    """

    keywords: Mapping[str, frozenset[str]]
    formats: frozenset[str]

    def takes(self, kind: str, keyword: str, value: Any) -> bool:
        """Return whether a keyword, with its value, is sent for a type."""
        if keyword not in self.keywords.get(kind, ()):
            return False
        if keyword == "format":
            return value in self.formats
        return keyword != "pattern" or not _SPECIAL_PATTERN.search(str(value))


# What the engines of the vendors lack: look-arounds, named groups, back-references.
_SPECIAL_PATTERN = re.compile(r"\(\?(?!:)|\\[1-9AZbBpP]")

_LIMITS = frozenset(("minimum", "maximum"))
_MORE_LIMITS = _LIMITS | {"exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
_ITEMS = frozenset(("minItems", "maxItems"))

# Source: OpenAI, "Structured model outputs", "Supported schemas"
OPENAI = Subset(
    {
        "string": frozenset(("pattern", "format")),
        "integer": _MORE_LIMITS,
        "number": _MORE_LIMITS,
        "array": _ITEMS,
    },
    frozenset(
        ("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid")
    ),
)
# Source: Google, "Structured outputs", "JSON schema support"
GEMINI = Subset(
    {"string": frozenset(("format",)), "integer": _LIMITS, "number": _LIMITS, "array": _ITEMS},
    frozenset(("date-time", "date", "time")),
)

_PHRASES = {
    "default": "Default: {}.",
    "examples": "Examples: {}.",
    "format": "Format: {}.",
    "pattern": "It matches the regular expression {}.",
    "minLength": "At least {} characters.",
    "maxLength": "At most {} characters.",
    "minimum": "At least {}.",
    "maximum": "At most {}.",
    "exclusiveMinimum": "More than {}.",
    "exclusiveMaximum": "Less than {}.",
    "multipleOf": "A multiple of {}.",
    "minItems": "At least {} items.",
    "maxItems": "At most {} items.",
    "minProperties": "At least {} entries.",
    "maxProperties": "At most {} entries.",
    "uniqueItems": "No two items are equal.",
    "contentEncoding": "It is encoded in {}.",
}
# Keywords that say nothing about the value to a model.
_SILENT = frozenset(
    ("$schema", "$id", "$comment", "$anchor", "deprecated", "discriminator", "readOnly")
)


def describe_keywords(description: str | None, keywords: Mapping[str, Any]) -> str | None:
    """Return a description that includes the keywords that cannot be sent; None for no text."""
    sentences = [] if not description else [description]
    for keyword, value in keywords.items():
        if keyword in _SILENT or (value is False and keyword != "default"):
            continue
        is_text = isinstance(value, str) and keyword != "default"
        text = value if is_text else json.dumps(value, ensure_ascii=False)
        if keyword == "examples" and isinstance(value, list):
            text = ", ".join(json.dumps(item, ensure_ascii=False) for item in value)
        phrase = _PHRASES.get(keyword, f"{keyword}: {{}}.")
        sentences.append(phrase.replace("{}", text))
    if len(sentences) > 1 and description and description.rstrip()[-1:] not in ".!?:;":
        sentences[0] = f"{description.rstrip()}."
    return " ".join(sentences) or None


# Source: OpenAI, "Structured model outputs"
_MAX_PROPERTIES, _MAX_DEPTH, _MAX_NAMES, _MAX_CHOICES = 5000, 10, 120_000, 1000
_MANY_CHOICES, _MAX_MANY_CHOICES = 250, 15_000


def check_limits(schema: dict[str, Any]) -> None:
    """Raise `SchemaError` for a rewritten schema that is larger than strict schemas may be."""
    definitions: dict[str, dict[str, Any]] = schema.get("$defs", {})
    properties, choices = 0, 0
    names = sum(map(len, definitions))
    for node in (
        *_walk(schema),
        *(inner for item in definitions.values() for inner in _walk(item)),
    ):
        properties += len(node.get("properties", ()))
        names += sum(map(len, node.get("properties", ())))
        texts = [item for item in node.get("enum", ()) if isinstance(item, str)]
        choices += len(node.get("enum", ()))
        names += sum(map(len, texts))
        if len(texts) > _MANY_CHOICES and sum(map(len, texts)) > _MAX_MANY_CHOICES:
            msg = f"it has {len(texts)} choices of more than {_MAX_MANY_CHOICES} characters"
            raise SchemaError(msg)
    for count, limit, what in (
        (properties, _MAX_PROPERTIES, "keys"),
        (choices, _MAX_CHOICES, "choices"),
        (names, _MAX_NAMES, "characters in its names and choices"),
        (_measure_depth(schema, definitions, frozenset()), _MAX_DEPTH, "levels of objects"),
    ):
        if count > limit:
            msg = f"it has {count} {what}; a strict schema has at most {limit}"
            raise SchemaError(msg)


def _children(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from node.get("properties", {}).values()
    yield from node.get("anyOf", ())
    if "items" in node:
        yield node["items"]


def _walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in _children(node):
        yield from _walk(child)


def _measure_depth(
    node: dict[str, Any], definitions: dict[str, dict[str, Any]], inside: frozenset[str]
) -> int:
    """Return how deep objects are nested; a type within itself is not counted again."""
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        if name in inside:
            return 0
        return _measure_depth(definitions[name], definitions, inside | {name})
    depths = [_measure_depth(child, definitions, inside) for child in _children(node)]
    return max(depths, default=0) + ("properties" in node)

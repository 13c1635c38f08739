"""The message of an error body of any shape: the innermost informative one."""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING, Any

from .lenient import read_fields

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["find_message", "iterate_objects"]

# A body may be wrapped in these, as JSend's is in ``data``. They come last, since ``data`` next to
# an informative message may contain anything.
_WRAPPER_KEYS = ("data", "result")
# The keys under which a message was seen, in any case, with or without underscores. The first of
# them that has an informative message is used, so those of inner bodies come first: ``errors`` of
# validators, ``fault`` of Apigee, ``base_resp`` of MiniMax, and before them ``raw`` in the
# ``metadata`` of OpenRouter, the upstream's body. ``msg`` is FastAPI's; ``detail`` and ``title``
# are those of RFC 9457. A text in ``error`` is only a code or phrase beside ``error_description``
# (RFC 6749) and beside NestJS's ``message``.
_INNER_KEYS = ("error", "errors", "fault", "response", "cause", "baseresp")
_MESSAGE_KEYS = (
    "message",
    "errormessage",
    "msg",
    "errormsg",
    "errmsg",
    "err",
    "statusmsg",
    "detail",
    "details",
    "errordescription",
    "description",
    "faultstring",
    "issues",
    "fieldviolations",
    "constraints",
    "error",
    "title",
    "reason",
    "code",
    "type",
    *_WRAPPER_KEYS,
)
# The keys whose object may be a map from fields to their messages.
_FIELD_MAPS = frozenset(("error", "errors", "message", "detail", "details", "constraints"))
# The keys whose lists and objects `_find_in_fields` reads: reading them again would take time that
# doubles with each level of a hostile body.
_SEARCHED_KEYS = frozenset((*_INNER_KEYS, *_MESSAGE_KEYS))
# The keys that lead from a body to another one inside it. Not every key: validators also send back
# the invalid input, whose text is the user's own.
_NESTED_KEYS = (
    *_INNER_KEYS,
    *("message", "metadata", "raw", "detail", "details", "parameters"),
    *_WRAPPER_KEYS,
)
# A text with only these words says no more than the status does.
_GENERIC_WORDS = frozenset(
    """
    a access again allowed an and api are argument arguments as at bad been body by code conflict
    contains content data denied entity error errors event exceeded exception failed failure for
    forbidden found from gateway had has have html http https implemented in input internal invalid
    is it large later many method more not occurred of on one or our out page parameter parameters
    payload please provider request requests response returned server service something status
    stream that the this time timed timeout too try unauthorized unavailable unexpected unknown
    unprocessable upstream validation wait was went with wrong you your
    """.split()  # noqa: SIM905 - a list literal would have a line for each word
)
_MARKUP = r"<[a-zA-Z!?]"
_MARKUP_MESSAGE = r"<(?:title|message)\b[^>]*>(.*?)</"
# A message in JSON that was cut, or in Python's notation, as LiteLLM quotes its upstreams.
_QUOTED_MESSAGE = r"""["'](?:message|msg|detail)["']: ?(["'])(.+?)(?:\1 ?[,}]|$)"""
_MAX_MARKUP_LENGTH = 10_000  # of the text that is searched
_begins_with_word = re.compile(r"\w").match
_MAX_DEPTH = 16  # of nested bodies; limits the recursion for hostile ones
_MAX_ITEMS = 5  # of a list of messages
_MAX_FIELDS = 50  # of an object whose fields may have messages


def find_message(body: Any) -> str:
    """Return the message of a decoded body, ``""`` if it has none.

    Bodies contain upstream bodies, as objects and as JSON text. The innermost message is returned,
    except that a message that only repeats the status ("Bad Request") counts only if there is no
    other.
    """
    return _find(body, 0)


def iterate_objects(body: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """Yield the objects of a body from the outside in, with the keys as `read_fields` returns."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(body, dict):
        fields = read_fields(body)
        yield fields
        for key in _NESTED_KEYS:
            yield from iterate_objects(fields.get(key), depth + 1)
    elif isinstance(body, list):
        for item in body[:_MAX_ITEMS]:
            yield from iterate_objects(item, depth + 1)
    elif isinstance(body, str) and (embedded := _split_embedded_json(body)):
        yield from iterate_objects(embedded[1], depth + 1)


def _find(body: Any, depth: int, *, is_field_map: bool = False) -> str:
    if depth > _MAX_DEPTH:
        return ""
    if isinstance(body, str):
        return _find_in_text(body.strip(), depth)
    if isinstance(body, list):
        found = [_find(item, depth + 1) for item in body[:_MAX_ITEMS]]
        helpful = [message for message in found if message and not _is_generic(message)]
        return "; ".join(helpful) or next(filter(None, found), "")
    if not isinstance(body, dict):
        return ""
    message = _first_helpful(_find_in_fields(read_fields(body), depth))
    if not message:
        return _find_in_field_map(body, depth, with_texts=is_field_map)
    return _name_location(_read_location(body), message)


def _find_in_fields(fields: dict[str, Any], depth: int) -> Iterator[str]:
    if isinstance(metadata := fields.get("metadata"), dict):
        yield _find(metadata.get("raw"), depth + 1)
    for key in _INNER_KEYS:
        if isinstance(value := fields.get(key), dict | list):
            yield _find(value, depth + 1, is_field_map=key in _FIELD_MAPS)
    for key in _MESSAGE_KEYS:
        value = fields.get(key)
        if key == "constraints" and isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, str) or (value and key not in _INNER_KEYS):
            yield _find(value, depth + 1, is_field_map=key in _FIELD_MAPS)


def _find_in_field_map(body: dict[str, Any], depth: int, *, with_texts: bool) -> str:
    """Return the messages of a map from fields to lists of messages, each with its field.

    Django's is the whole body; those of Laravel, ASP.NET and Mongoose are in ``errors``. Only in
    such a key are plain sentences, and the messages of objects, messages as well.
    """
    messages: list[str] = []
    for field, value in list(body.items())[:_MAX_FIELDS]:
        if _SEARCHED_KEYS.isdisjoint(read_fields({field: value})) and (
            isinstance(value, list) or (with_texts and isinstance(value, str | dict))
        ):
            message = _find(value, depth + 1)
            if message and (isinstance(value, list) or not _is_generic(message)):
                messages.append(_name_location(field, message))
    return "; ".join(messages[:_MAX_ITEMS])


def _first_helpful(messages: Iterator[str]) -> str:
    generic = ""
    for message in messages:
        if message and not _is_generic(message):
            return message
        generic = generic or message
    return generic


def _is_generic(message: str) -> bool:
    """Return whether a message says no more than a status, or is a code such as ``E_LIMIT``."""
    if not message.isascii():
        return False
    return len(message.split()) == 1 or _GENERIC_WORDS.issuperset(
        re.findall(r"[a-z]+", message.lower())
    )


def _read_location(body: dict[str, Any]) -> str:
    """Return which field a validator's message is about, ``""`` if it does not say so.

    FastAPI has a list in ``loc``, zod has one in ``path``; a ``path`` that is text is that of the
    endpoint.
    """
    for key in ("loc", "path"):
        if isinstance(steps := body.get(key), list):
            return ".".join(str(step) for step in steps if isinstance(step, str | int))
    field = body.get("field")
    return field if isinstance(field, str) else ""


def _find_in_text(text: str, depth: int) -> str:
    """Return the message of a text: that of a page, or of JSON in it, or the text itself."""
    if re.match(_MARKUP, text):
        # The proxy in front of the API returns HTML with 502, 520 and 524; object stores send XML.
        found = re.search(_MARKUP_MESSAGE, text[:_MAX_MARKUP_LENGTH], re.IGNORECASE | re.DOTALL)
        words = " ".join(found[1].split()) if found else ""
        return f"a page of HTML: {words}" if words else "a page of HTML"
    if embedded := _split_embedded_json(text):
        prefix, body = embedded
        message = _find(body, depth + 1)
        if message and (_is_generic(prefix) or not _is_generic(message)):
            return message
    elif "{" in text and (quoted := re.search(_QUOTED_MESSAGE, text, re.DOTALL)):
        return quoted[2]
    return text


def _name_location(location: str, message: str) -> str:
    # No regular expression: `re` would keep it, with the server's text, for the next calls.
    parts = message.split(location) if location else []
    for before, after in itertools.pairwise(parts):
        if not (_begins_with_word(before[-1:]) or _begins_with_word(after)):
            return message
    return f"{location}: {message}" if location else message


def _split_embedded_json(text: str) -> tuple[str, Any] | None:
    """Return the text before the first JSON with an object in it, and its value; None without."""
    for start in sorted(start for mark in "[{" if (start := text.find(mark)) >= 0):
        try:
            value, _ = json.JSONDecoder(strict=False).raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) or any(isinstance(item, dict) for item in value):
            return text[:start], value
    return None

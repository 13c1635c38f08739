"""Takes secrets out of errors, which may quote a response that echoes them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import attrs

from aimlchat._json import decode_json
from aimlchat._printable import CUT_MARK, escape_controls
from aimlchat.completions import Completion, raw_body
from aimlchat.errors import AIMLChatError

from .masking import MASK, MaskedStr

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MIN_REDACTABLE_LENGTH", "RedactedError", "redact", "secrets_of_headers"]

MIN_REDACTABLE_LENGTH = 4
"""A shorter secret is not redacted: it would occur in ordinary words by chance."""

# A value of a header is often a word, and seldom a secret.
_MIN_HEADER_VALUE_LENGTH = 8
# A secret of this length does not occur in what a model writes by chance.
_MIN_LENGTH_IN_CONTENT = 16
_PUBLIC_HEADERS = frozenset(
    """
    accept accept-charset accept-encoding accept-language cache-control connection content-length
    content-type host http-referer origin referer traceparent user-agent x-client-request-id x-title
    """.split()  # noqa: SIM905 - a list literal would have a line for each name
)
_CUT = re.compile(rf"""['"]?(?:{re.escape(CUT_MARK)}|…)""")
_MAX_DEPTH = 64
_MAX_ATTRIBUTE_DEPTH = 6  # of what an error of another library refers to


class RedactedError(Exception):
    """Replaces an error of another library that contained a secret or unprintable characters.

    Its text is the type of that error, and the part of its text that may be shown.
    """


def redact(
    error: AIMLChatError, secrets: Iterable[str], headers: Mapping[str, str] | None = None
) -> None:
    """Replace secrets with ``***`` in an error, in what it carries, and in its causes.

    A cause of another library that holds a secret is replaced by a `RedactedError`.

    Args:
        error: the error; it is changed.
        secrets: the secrets of the session, the API key first.
        headers: the headers of the request; each masked value is a secret as well.
    """
    secrets = [secret for secret in secrets if len(secret) >= MIN_REDACTABLE_LENGTH]
    content = [secret for secret in secrets if len(secret) >= _MIN_LENGTH_IN_CONTENT]
    cleaner = _Cleaner([*secrets, *secrets_of_headers(headers or {})])
    _redact(error, cleaner, _Cleaner(content), set())


def secrets_of_headers(headers: Mapping[str, str]) -> list[str]:
    """Return the masked values of headers, and the credentials after a scheme such as Bearer."""
    secrets: list[str] = []
    for name, value in headers.items():
        if not isinstance(value, MaskedStr) or name.lower() in _PUBLIC_HEADERS:
            continue
        _, _, credentials = value.partition(" ")
        secrets += [
            text
            for text in (str(value), credentials.strip())
            if len(text) >= _MIN_HEADER_VALUE_LENGTH
        ]
    return secrets


class _Cleaner:
    """Removes secrets from values."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._forms = _list_forms(secrets)

    def clean(self, value: Any, depth: int = 0) -> Any:
        """Return a copy of a value without secrets, including in the names of its fields."""
        if isinstance(value, str):
            return self._clean_text(value)
        if depth > _MAX_DEPTH:
            return None  # nested so deeply only to exhaust the stack; no message is that deep
        if isinstance(value, Mapping):
            pairs = [
                (self.clean(name), self.clean(item, depth + 1)) for name, item in value.items()
            ]
            kind: Any = type(value)
            return kind(pairs)
        if type(value) in (list, tuple):
            return type(value)([self.clean(item, depth + 1) for item in value])
        if attrs.has(type(value)):
            fields = attrs.asdict(value, recurse=False)
            changes = {name: self.clean(item, depth + 1) for name, item in fields.items()}
            return attrs.evolve(value, **changes)
        return value

    def clean_body(self, body: bytes | dict[str, Any]) -> Any:
        """Return a body without secrets, which is JSON text or a JSON value.

        Text is decoded only if it may hold a secret: hostile text takes thirty times its size then.
        """
        if isinstance(body, dict):
            return self.clean(body)
        text = body.decode("utf-8", "replace")
        if "\\" not in text and self._clean_text(text) == text:  # no escape hides a secret
            return body
        return self.clean(decode_json(body))

    def holds_secret(self, value: Any, depth: int = 0) -> bool:
        """Return whether a secret can be reached from an object of another library."""
        if isinstance(value, bytes | bytearray):
            value = value.decode("latin-1")
        if isinstance(value, str):
            return any(form in value for form in self._forms)
        if value is None or isinstance(value, int | float) or depth > _MAX_ATTRIBUTE_DEPTH:
            return False
        parts: list[Any] = [*getattr(value, "__dict__", {}).values()]
        if isinstance(value, Mapping):
            parts += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple | set | frozenset):
            parts += value
        elif isinstance(value, BaseException):
            parts += value.args
        else:
            parts.append(repr(value))
        return any(self.holds_secret(part, depth + 1) for part in parts)

    def _clean_text(self, text: str) -> str:
        for form in self._forms:
            text = text.replace(form, MASK)
        if CUT_MARK in text or "…" in text:
            for form in self._forms:
                text = _mask_cut_secret(text, form)
        return text


def _redact(error: AIMLChatError, cleaner: _Cleaner, content: _Cleaner, seen: set[int]) -> None:
    """Redact an error; ``content`` is for what a model has written."""
    seen.add(id(error))
    error.args = cleaner.clean(error.args)
    for name, value in [*vars(error).items()]:
        is_partial = isinstance(value, Completion)
        cleaned = _clean_completion(value, cleaner, content) if is_partial else cleaner.clean(value)
        setattr(error, name, cleaned)
    link: BaseException = error
    while (cause := _take_cause(link)) is not None and id(cause) not in seen:
        if isinstance(cause, AIMLChatError):
            _redact(cause, cleaner, content, seen)
            return
        seen.add(id(cause))
        cleaned = _clean_cause(cause, cleaner)
        if link.__cause__ is cause:
            link.__cause__ = cleaned
        else:
            link.__context__ = cleaned
        link = cleaned


def _take_cause(error: BaseException) -> BaseException | None:
    """Return the cause or context that a traceback shows; drop a context that it does not show."""
    if error.__cause__ is not None or error.__suppress_context__:
        error.__context__ = None
    return error.__cause__ or error.__context__


def _clean_cause(error: BaseException, cleaner: _Cleaner) -> BaseException:
    """Return an error of another library, or its replacement if it must not be shown."""
    # aiohttp quotes what it could not parse in a paragraph of its own. It begins and ends where a
    # read from the socket did, which may be in the middle of a secret.
    text = str(error)
    shown = escape_controls(cleaner.clean(text.partition("\n\n")[0]))
    if shown == text and not cleaner.holds_secret(error):
        return error
    kind = type(error).__name__
    stand_in = RedactedError(f"{kind}: {shown}" if shown else kind)
    stand_in.__context__, stand_in.__cause__ = error.__context__, error.__cause__
    stand_in.__suppress_context__ = error.__suppress_context__
    return stand_in


def _clean_completion(completion: Completion, cleaner: _Cleaner, content: _Cleaner) -> Completion:
    fields = attrs.asdict(completion, recurse=False)
    for name in ("choices", "_raw", "output"):
        del fields[name]
    return attrs.evolve(
        completion,
        **cleaner.clean(fields),
        choices=content.clean(completion.choices),
        raw=cleaner.clean_body(raw_body(completion)),
        output=None,  # a failed call has none, and a user's object cannot be cleaned
    )


def _list_forms(secrets: Iterable[str]) -> list[str]:
    """Return each secret in the forms in which a response may echo it, the longest first."""
    forms = {
        form
        for secret in secrets
        for text in [str.__str__(secret)]
        for form in (text, quote(text, safe=""), json.dumps(text)[1:-1], repr(text)[1:-1])
    }
    return sorted(forms, key=lambda form: (-len(form), form))


def _mask_cut_secret(text: str, secret: str) -> str:
    """Replace the beginning of a secret where the text was cut, at its end or before the mark."""
    start, kept, end, position = secret[:MIN_REDACTABLE_LENGTH], [], 0, 0
    while (position := text.find(start, position)) >= 0:
        length = len(start)
        while length < len(secret) and text.startswith(secret[length], position + length):
            length += 1
        if _CUT.match(text, position + length):
            kept += [text[end:position], MASK]
            end = position + length
        position += length
    return "".join([*kept, text[end:]]) if kept else text

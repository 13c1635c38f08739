"""The API key and the headers of a request: found, checked, masked, and redacted in errors."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from multidict import istr

from aimlchat.errors import APIError, ConfigurationError, TransportError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aimlchat.errors import AIMLChatError

__all__ = [
    "API_KEY_VARIABLES",
    "HEADER_NAMES",
    "MIN_REDACTABLE_LENGTH",
    "MaskedStr",
    "check_headers",
    "find_api_key",
    "mask_headers",
    "override_headers",
    "redact",
    "require_api_key",
]

API_KEY_VARIABLES = ("AIMLAPI_API_KEY", "AIML_API_KEY")
"""The environment variables that may hold the key; the first one that is set is used."""
MIN_REDACTABLE_LENGTH = 4
"""A shorter key is not redacted: it would occur in ordinary words by chance."""

HEADER_NAMES = {
    name: istr(name)
    for name in (
        "Authorization",
        "Content-Type",
        "X-Client-Request-Id",
        "Accept",
        "Accept-Encoding",
        "User-Agent",
    )
}
"""Header names that a multidict does not have to case-fold and copy for each request."""

_MASK = "***"
_MAX_DEPTH = 64
_CONTROL_CHARACTER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token, RFC 9110 section 5.6.2


class MaskedStr(str):
    """A string whose ``repr`` hides it, since tracebacks with locals print the ``repr``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"'{_MASK}'"


def find_api_key(api_key: str | None) -> MaskedStr | None:
    """Return the key: the argument, else the first of `API_KEY_VARIABLES` that is set, else None.

    The key is masked at once, since a traceback may show the values of locals.
    """
    if api_key is not None:
        return MaskedStr(api_key)
    for variable in API_KEY_VARIABLES:
        if variable in os.environ:
            return MaskedStr(os.environ[variable])
    return None


def require_api_key(api_key: str | None) -> MaskedStr:
    """Return the key as `find_api_key` does.

    Raises `ConfigurationError`, without showing the key, if there is none, or if a header cannot
    carry it.
    """
    key = find_api_key(api_key)
    names = " or ".join(API_KEY_VARIABLES)
    if key is None or not key.strip():
        msg = f"no API key: pass api_key=, or set {names} (get one at https://aimlapi.com/app/keys)"
        raise ConfigurationError(msg)
    if not (key.isascii() and key.isprintable()):
        msg = (
            "the API key holds control or non-ASCII characters, which no header can carry;"
            f" look for a stray line break where it was pasted (api_key=, {names})"
        )
        raise ConfigurationError(msg)
    return key


def mask_headers(headers: Mapping[str, str] | None) -> Mapping[str, str] | None:
    """Mask the values of a caller's headers, each of which may be a secret."""
    if not headers:
        return None
    return {
        name: MaskedStr(value) if isinstance(value, str) else value
        for name, value in headers.items()
    }


def check_headers(headers: Mapping[str, str] | None) -> Mapping[str, str]:
    """Return the headers, an empty dict for None.

    Raises `ConfigurationError` for a name or a value that HTTP cannot carry.
    """
    for name, value in (headers or {}).items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            msg = f"{name!r} cannot be the name of a header"
            raise ConfigurationError(msg)
        if not isinstance(value, str) or _CONTROL_CHARACTER.search(value):
            msg = f"the value of the header {name!r} is not text, or holds control characters"
            raise ConfigurationError(msg)
    return headers or {}


def override_headers(headers: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Return the headers with a caller's own put over those of the same name, in any case."""
    names = {name.lower() for name in own}
    return {name: value for name, value in headers.items() if name.lower() not in names} | dict(own)


def redact(error: AIMLChatError, api_key: str) -> None:
    """Replace the key with ``***`` in an error and its causes, which may quote a response."""
    if isinstance(error, TransportError) or len(api_key) < MIN_REDACTABLE_LENGTH:
        return  # the text of a transport error is ours and quotes no response
    link: BaseException | None = error
    while link is not None:
        link.args = _without_key(api_key, link.args)
        if isinstance(link, APIError):
            for name in ("message", "body", "request_id", "inference_id", "path"):
                setattr(link, name, _without_key(api_key, getattr(link, name)))
        elif isinstance(getattr(link, "message", None), str):
            # Such an aiohttp error quotes the response that it could not parse.
            link.message = _without_key(api_key, link.message)  # type: ignore[attr-defined]
        link = link.__cause__


def _without_key(api_key: str, value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return value.replace(api_key, _MASK)
    if depth > _MAX_DEPTH:
        return None  # nested so deeply only to exhaust the stack; no message is that deep
    if isinstance(value, dict):
        return {
            _without_key(api_key, name): _without_key(api_key, item, depth + 1)
            for name, item in value.items()
        }
    if type(value) in (list, tuple):
        return type(value)([_without_key(api_key, item, depth + 1) for item in value])
    return value

"""The API key and the headers of a request: found, checked and masked."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from multidict import istr

from aimlchat.errors import ConfigurationError

from .masking import MaskedStr, mask

__all__ = [
    "API_KEY_VARIABLES",
    "HEADER_NAMES",
    "check_headers",
    "find_api_key",
    "mask_headers",
    "override_headers",
    "require_api_key",
]

API_KEY_VARIABLES = ("AIMLAPI_API_KEY", "AIML_API_KEY")
"""The environment variables that may hold the key; the first one that is set is used."""

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

# How to get the text of a secret of another type.
_ADVICE_BY_TYPE: tuple[tuple[Any, str], ...] = (
    (bytes, "its .decode()"),
    (os.PathLike, "what the file holds, .read_text().strip()"),
    (Awaitable, "what awaiting it returns"),
    (Callable, "what calling it returns"),
)
_NOT_IN_A_HEADER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_NOT_IN_A_KEY = re.compile(r"[\s\"']")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token, RFC 9110 section 5.6.2


def _describe_type(kind: type) -> str:
    """Describe a secret that is not a str, and how to get its text."""
    if hasattr(kind, "get_secret_value"):
        advice = "its .get_secret_value()"
    else:
        found = (text for base, text in _ADVICE_BY_TYPE if issubclass(kind, base))
        advice = next(found, "the text itself")
    return f"is an object of type {kind.__name__}, not a str; give {advice}"


def find_api_key(api_key: Any) -> Any:
    """Return the key: the argument, else the first of `API_KEY_VARIABLES` that is set, else None.

    It is masked at once, since a traceback may show the values of locals: see `mask`.
    """
    if api_key is not None:
        return api_key if isinstance(api_key, type) else mask(api_key)
    for variable in API_KEY_VARIABLES:
        if variable in os.environ:
            return MaskedStr(os.environ[variable])
    return None


def require_api_key(api_key: Any) -> MaskedStr:
    """Return the key as `find_api_key` does.

    Raises `ConfigurationError`, without showing the key, if there is none, if it is not a str, or
    if a header cannot carry it.
    """
    key = find_api_key(api_key)
    names = " or ".join(API_KEY_VARIABLES)
    if isinstance(key, type):
        msg = f"the API key {_describe_type(key)}"
        raise ConfigurationError(msg)
    if key is None or not key.strip():
        msg = f"no API key: pass api_key=, or set {names} (get one at https://aimlapi.com/app/keys)"
        raise ConfigurationError(msg)
    if not (key.isascii() and key.isprintable()):
        msg = (
            "the API key holds control or non-ASCII characters, which no header can carry;"
            f" look for a stray line break where it was pasted (api_key=, {names})"
        )
        raise ConfigurationError(msg)
    if _NOT_IN_A_KEY.search(key):
        msg = (
            "the API key holds white space or quotation marks, which are not part of a key; give it"
            f" without them, and without 'Bearer' (api_key=, {names})"
        )
        raise ConfigurationError(msg)
    return MaskedStr(key)


def mask_headers(headers: Any) -> Any:
    """Mask the values of a caller's headers, each of which may be a secret; None for no headers.

    An invalid name may be a whole header by mistake, so it is masked, too. Of an object that is not
    a mapping only its type remains, as with `mask`.
    """
    if not headers:
        return None
    if not isinstance(headers, Mapping):
        return type(headers)
    return {
        name if _is_header_name(name) else mask(name): mask(value)
        for name, value in headers.items()
    }


def check_headers(headers: Any) -> Mapping[str, str]:
    """Return the headers, which `mask_headers` has masked; an empty dict for None.

    Raises `ConfigurationError` for a name or a value that HTTP cannot carry.
    """
    if headers is not None and not isinstance(headers, Mapping):
        kind = headers if isinstance(headers, type) else type(headers)
        msg = f"headers= is an object of type {kind.__name__}; give a dict of str to str"
        raise ConfigurationError(msg)
    for name, value in (headers or {}).items():
        if not _is_header_name(name):
            # The rest may be a value that was put into the name by mistake.
            found = _HEADER_NAME.match(name) if isinstance(name, str) else None
            shown = f"what begins with {found[0]!r}" if found else _describe_name(name)
            msg = f"{shown} cannot be the name of a header"
            raise ConfigurationError(msg)
        if value is None:
            msg = f"the value of the header {name!r} is None; leave the header out"
            raise ConfigurationError(msg)
        if not isinstance(value, str):
            kind = value if isinstance(value, type) else type(value)
            msg = f"the value of the header {name!r} {_describe_type(kind)}"
            raise ConfigurationError(msg)
        if _NOT_IN_A_HEADER.search(value):
            msg = f"the value of the header {name!r} holds control characters, as line breaks are"
            raise ConfigurationError(msg)
    return headers or {}


def _is_header_name(name: Any) -> bool:
    return isinstance(name, str) and _HEADER_NAME.fullmatch(name) is not None


def _describe_name(name: Any) -> str:
    if isinstance(name, str):
        return "what is empty or begins with an invalid character"
    kind = name if isinstance(name, type) else type(name)
    return f"an object of type {kind.__name__}"


def override_headers(headers: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Return the headers, overridden by a caller's headers of the same name, in any case."""
    names = {name.lower() for name in own}
    return {name: value for name, value in headers.items() if name.lower() not in names} | dict(own)

"""Secrets in a form that tracebacks with the values of locals do not show."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["MASK", "MaskedStr", "MaskedURL", "hide_credentials", "mask", "mask_url"]

MASK = "***"
# A typo may be anywhere, so everything before the last "@" counts as user name and password.
_USER_INFO = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*:/+)?.*(?:@|%40)", re.DOTALL)
# Text that is not a port may be a password whose host is missing.
_PORT = re.compile(r"(//[^/:\[\]]*:)(?![0-9]*(?:/|$))[^/]*")
_QUERY = re.compile(r"[?#].*", re.DOTALL)


class MaskedStr(str):
    """A string whose ``repr`` hides it, since tracebacks with locals print the ``repr``.

    The ``repr`` of its slices, and of texts that it is joined to, hides it as well: tools that show
    locals shorten long strings first.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"'{MASK}'"

    def __getitem__(self, key: Any) -> MaskedStr:
        return MaskedStr(super().__getitem__(key))

    def __add__(self, other: Any) -> Any:
        return MaskedStr(super().__add__(other))

    def __radd__(self, other: Any) -> Any:
        return MaskedStr(other + str(self)) if isinstance(other, str) else NotImplemented


class MaskedURL(MaskedStr):
    """A URL whose ``repr`` hides what may be a user name, a password or a token in it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(hide_credentials(str(self)))


def mask(secret: Any) -> Any:
    """Return a secret in a form whose ``repr`` does not show it; None stays None.

    A text is masked. Of any other object only its type remains, since its ``str`` and its ``repr``
    may be the secret itself, as those of bytes are, or a placeholder, as those of pydantic's
    ``SecretStr`` are. The code that later uses the secret refuses such a type.
    """
    return _mask(secret, MaskedStr)


def mask_url(url: Any) -> Any:
    """Return a URL in a form whose ``repr`` hides its credentials; otherwise like `mask`."""
    return _mask(url, MaskedURL)


def hide_credentials(url: str) -> str:
    """Return a URL, or a mistyped one, with ``***`` for user name, password and query."""
    url = str.__str__(url)
    shown = _QUERY.sub(f"?{MASK}", _USER_INFO.sub(rf"\g<1>{MASK}@", url))
    return shown if f"{MASK}@" in shown else _PORT.sub(rf"\g<1>{MASK}", shown)


def _mask(secret: Any, kind: type[MaskedStr]) -> Any:
    if isinstance(secret, str):
        return kind(str.__str__(secret))  # A subclass may have a ``__str__`` of its own.
    return None if secret is None else type(secret)

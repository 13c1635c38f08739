"""The URL and the credentials of the proxy, from the caller or from the environment."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies, proxy_bypass

import msgspec
from yarl import URL

from aimlchat.errors import ConfigurationError

from .masking import MASK, MaskedStr, hide_credentials, mask_url

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Proxy", "parse_proxy", "proxy_from_environment"]

_SCHEMES = ("http", "https")
_DEFAULT_SCHEME = "http"  # as in curl


class Proxy(msgspec.Struct, frozen=True, eq=False):
    """A proxy: its URL without credentials, and the header that carries these.

    aiohttp takes credentials in the URL, too, but then tracebacks and errors show them.
    """

    url: str
    headers: Mapping[str, MaskedStr]
    secrets: tuple[MaskedStr, ...]
    """What an error must not show: the password, and the credentials as they are in the header."""


def parse_proxy(proxy: str) -> Proxy:
    """Parse the URL of a proxy; the default scheme is http.

    Raises `ConfigurationError` for other schemes, since aiohttp does not support SOCKS, and for
    what is not a URL. The error shows no password: neither its message nor the locals of its
    frames.
    """
    if fault := _find_fault(proxy):
        msg = f"a proxy has to be an http: or https: URL with a host, not {fault}"
        raise ConfigurationError(msg)
    return _split(_parse(proxy))


def proxy_from_environment(url: URL) -> Any:
    """Return the proxy that the environment names for a URL, masked, or None.

    Read once for each session: aiohttp's own ``trust_env`` costs two thread hops a call.
    """
    if proxy_bypass(f"{url.raw_host}:{url.port}"):
        return None
    return mask_url(getproxies().get(url.scheme))


def _parse(proxy: str) -> URL:
    text = str(proxy)
    return URL(text if "://" in text else f"{_DEFAULT_SCHEME}://{text}")


def _find_fault(proxy: str) -> str:
    """Return how to describe a proxy that cannot be used, ``""`` for one that can."""
    shown = repr(hide_credentials(proxy))
    try:
        url = _parse(proxy)
    except ValueError:
        advice = "; percent-encode characters such as / and # in a password"
        return shown + (advice if MASK in shown else "")
    # Such a host is a scheme that lacks its slashes.
    if not url.host or url.host in _SCHEMES:
        return shown
    return "" if url.scheme in _SCHEMES else f"one with {url.scheme!r}"


def _split(url: URL) -> Proxy:
    """Separate the credentials of a proxy from its URL."""
    user, password = url.user or "", url.password or ""
    shown_url = str(url.origin())
    if not (user or password):
        return Proxy(shown_url, {}, ())
    credentials = f"{user}:{password}"
    try:
        data = credentials.encode("latin-1")  # as aiohttp and requests do
    except UnicodeEncodeError:
        data = credentials.encode("utf-8", "surrogatepass")
    token = base64.b64encode(data).decode()
    # A name alone is a token that some proxies take instead of name and password.
    raw = (url.raw_password, password) if password else (url.raw_user, user)
    return Proxy(
        shown_url,
        {"Proxy-Authorization": MaskedStr(f"Basic {token}")},
        tuple(MaskedStr(text) for text in (*raw, token) if text),
    )

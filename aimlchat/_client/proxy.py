"""The URL of the proxy, from the caller or from the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.request import getproxies, proxy_bypass

from aimlchat.errors import ConfigurationError

if TYPE_CHECKING:
    from yarl import URL

__all__ = ["parse_proxy", "proxy_from_environment"]


def parse_proxy(proxy: str) -> str:
    """Return the URL of a proxy; the default scheme is http, as in curl.

    Raises `ConfigurationError` for other schemes: aiohttp does not support SOCKS.
    """
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    scheme, _, rest = proxy.partition("://")
    if scheme.lower() not in ("http", "https") or not rest.strip("/"):
        msg = f"a proxy has to be an http: or https: URL, not one with {scheme!r}"
        raise ConfigurationError(msg)
    return proxy


def proxy_from_environment(url: URL) -> str | None:
    """Return the proxy that the environment names for a URL, or None.

    Read once for each session: aiohttp's own ``trust_env`` costs two thread hops a call.
    """
    if proxy_bypass(f"{url.raw_host}:{url.port}"):
        return None
    return getproxies().get(url.scheme)

"""The base URL of the API, and the URLs of its endpoints."""

from __future__ import annotations

import re

from yarl import URL

from aimlchat.errors import ConfigurationError

__all__ = ["join_url", "parse_base_url"]


def parse_base_url(base_url: str) -> URL:
    """Parse and check the URL that the paths of endpoints are appended to.

    Raises `ConfigurationError` if it is not http(s), or has a query, a fragment or a user name.
    """
    shown = re.sub(r"//[^/@]*@", "//***@", base_url)  # without a password
    if re.search(r"\s", base_url.strip()):
        msg = f"base_url {shown!r} holds white space; remove it"
        raise ConfigurationError(msg)
    try:
        url = URL(base_url.strip().rstrip("/"))
    except ValueError as error:
        msg = f"base_url {shown!r} is not a URL: {error}"
        raise ConfigurationError(msg) from error
    if url.scheme not in ("http", "https") or not url.host:
        msg = f"base_url {shown!r} has to be an http: or https: URL with a host"
        raise ConfigurationError(msg)
    if url.query_string or url.fragment or url.user:
        msg = "base_url takes no query, fragment or user name; give headers= for credentials"
        raise ConfigurationError(msg)
    return url


def join_url(base_url: URL, path: str) -> URL:
    """Append an endpoint's path, which may have a query, to the base URL."""
    name, _, query = path.partition("?")
    return (base_url / name).with_query(query) if query else base_url / name

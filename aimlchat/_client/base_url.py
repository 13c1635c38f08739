"""The base URL of the API, and the URLs of its endpoints."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from yarl import URL

from aimlchat.errors import ConfigurationError

from .masking import hide_credentials

__all__ = ["join_url", "parse_base_url"]


def parse_base_url(base_url: str) -> URL:
    """Parse and check the URL that the paths of endpoints are appended to.

    Raises `ConfigurationError` if it is not http(s), or has a query, a fragment or a user name. The
    error shows no password: neither its message nor the locals of its frames.
    """
    if fault := _find_fault(base_url):
        msg = f"base_url {fault}"
        raise ConfigurationError(msg)
    return _parse(base_url)


def join_url(base_url: URL, path: str) -> URL:
    """Append an endpoint's path, which may have an encoded query, to the base URL."""
    name, _, query = path.partition("?")
    return (base_url / name).with_query(parse_qsl(query)) if query else base_url / name


def _parse(base_url: str) -> URL:
    return URL(str(base_url).strip().rstrip("/"))


def _find_fault(base_url: str) -> str:
    """Return what is wrong with a base URL, ``""`` if nothing is."""
    shown = repr(hide_credentials(base_url))
    if re.search(r"\s", str(base_url).strip()):
        return f"{shown} holds white space; remove it"
    try:
        url = _parse(base_url)
    except ValueError as error:
        # The reason may quote the whole authority, so it is shown only if there is no password.
        reason = "" if "***" in shown else f": {error}"
        return f"{shown} is not a URL{reason}"
    if url.scheme not in ("http", "https") or not url.host:
        return f"{shown} has to be an http: or https: URL with a host"
    if url.query_string or url.fragment or url.user or url.password:
        return "takes no query, fragment or user name; give headers= for credentials"
    return ""

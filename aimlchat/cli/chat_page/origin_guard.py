"""Keeps other web sites away from the server of the chat page.

Any page that a browser shows can send requests to loopback. The ``Origin`` header identifies a page
of another site. Where another site's own name resolves to loopback (DNS rebinding), ``Origin`` and
``Host`` agree, but the ``Host`` is not a name of loopback.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

__all__ = ["add_security_headers", "is_own_page", "reject_other_sites"]

# With any port, because the page may be reached through a tunnel from another port.
_LOOPBACK_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?", re.IGNORECASE)

_SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def is_own_page(hosts: Sequence[str], origins: Sequence[str], *, is_websocket: bool) -> bool:
    """Return whether a request with these ``Host`` and ``Origin`` headers is from the chat page.

    A browser may leave out the origin when it opens a page or reads from the page's own server. It
    always sends one when it opens a web socket, and no same-origin rule of the browser protects
    web sockets: there the origin is required.
    """
    if len(hosts) != 1 or not _LOOPBACK_HOST.fullmatch(hosts[0]):
        return False
    if not origins:
        return not is_websocket
    return len(origins) == 1 and origins[0].lower() == f"http://{hosts[0].lower()}"


@web.middleware
async def reject_other_sites(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer requests of the chat page; respond with 403 to all others."""
    headers = request.headers
    hosts, origins = headers.getall("Host", []), headers.getall("Origin", [])
    if not is_own_page(hosts, origins, is_websocket="Upgrade" in headers):
        raise web.HTTPForbidden(text="This server only serves its own page on this machine.\n")
    return await handler(request)


async def add_security_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Add the headers that keep other pages out, where the response has not set them itself."""
    for name, value in _SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)

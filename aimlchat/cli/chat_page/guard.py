"""Who is answered: this machine's browser, and of the pages in it only our own.

Anything that a browser shows can send requests to loopback. A page of another site gives itself
away by its ``Origin``; one that had its own name resolve to loopback (DNS rebinding) looks like
ours but for the name in ``Host``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

__all__ = ["guard", "harden", "is_ours"]

# With any port: the page may come through a tunnel that begins at another one.
_LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?", re.IGNORECASE)

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def is_ours(hosts: Sequence[str], origins: Sequence[str], *, is_socket: bool) -> bool:
    """Return whether to answer a request with these headers ``Host`` and ``Origin``.

    A browser names no origin where a page is opened or reads from its own server, but always
    where it opens a web socket, which no other rule of it keeps from foreign pages.
    """
    if len(hosts) != 1 or not _LOOPBACK.fullmatch(hosts[0]):
        return False
    if not origins:
        return not is_socket
    return len(origins) == 1 and origins[0].lower() == f"http://{hosts[0].lower()}"


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer our own page only; everyone else gets a 403."""
    headers = request.headers
    hosts, origins = headers.getall("Host", []), headers.getall("Origin", [])
    if not is_ours(hosts, origins, is_socket="Upgrade" in headers):
        raise web.HTTPForbidden(text="This server answers its own page on this machine only.\n")
    return await handler(request)


async def harden(_: web.Request, response: web.StreamResponse) -> None:
    """Add to a response the headers that keep other pages out; its own win."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)

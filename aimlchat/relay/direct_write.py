"""Write bytes that are the same for many pages straight to the transport of each.

The writers of aiohttp frame each message again for each page, which takes half as long as the
system call that sends it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

__all__ = ["write_directly"]

# Longer messages are left to aiohttp, which waits until a page has taken them.
_MAX_BYTES = 16 * 1024


def write_directly(transport: asyncio.WriteTransport, data: bytes) -> bool:
    """Write data if the transport has sent all earlier data; return whether it was written.

    The server's own writer handles all other cases: it waits for a page that reads slowly, and
    raises the error of a page that has gone.
    """
    if transport.get_write_buffer_size() or transport.is_closing() or len(data) > _MAX_BYTES:
        return False
    transport.write(data)
    return True

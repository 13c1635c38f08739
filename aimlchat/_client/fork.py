"""What a forked process must not share with its parent: request ids, pools and sockets.

Preloading web servers and `multiprocessing` fork a process that may hold sessions, even used ones.
"""

from __future__ import annotations

import os
import socket
import weakref
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["keep_from_children", "renew_in_child"]

_T = TypeVar("_T")
_renewals: weakref.WeakKeyDictionary[Any, Callable[[Any], None]] = weakref.WeakKeyDictionary()
_sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()


def renew_in_child(owner: _T, renew: Callable[[_T], None]) -> None:
    """Call ``renew(owner)`` in each forked process, as long as the owner lives."""
    _renewals[owner] = renew


def keep_from_children(sock: socket.socket) -> None:
    """Disconnect a socket in each forked process, without sending a byte to the server.

    The parent's connection stays as it is. In the child the file descriptor refers to a connection
    whose other end is closed. So nothing there can write to the parent's connection, not even the
    alert with which TLS ends one, or take its file descriptor out of the parent's selector, which a
    forked process shares where it is an epoll.
    """
    _sockets.add(sock)


def _after_fork_in_child() -> None:
    if open_sockets := [sock for sock in _sockets if sock.fileno() != -1]:
        closed, other_end = socket.socketpair()
        other_end.close()
        for sock in open_sockets:
            os.dup2(closed.fileno(), sock.fileno(), inheritable=False)
        closed.close()
    for owner, renew in tuple(_renewals.items()):
        renew(owner)


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork_in_child)

"""Waiting until bytes have arrived, and ending connections; client and server share the loop."""

import array
import asyncio
import socket
import struct
import sys

HANG = 60.0  # seconds after which a test is taken to hang, however slow the machine


async def run_pending(passes=5):
    """Let the loop run what is ready now, and what becomes ready as a result."""
    for _ in range(passes):
        await asyncio.sleep(0)


def count_unsent(writer):
    """Return how many bytes have not reached the peer's kernel; only Linux knows all of them."""
    buffered = writer.transport.get_write_buffer_size()
    if buffered or sys.platform != "linux":
        return buffered
    import fcntl  # noqa: PLC0415 - not on Windows
    import termios  # noqa: PLC0415

    count = array.array("i", [0])
    fcntl.ioctl(writer.transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, count)
    return count[0]


async def wait_until_sent(writer):
    """Return when everything that was written is in the peer's kernel."""
    while count_unsent(writer):  # noqa: ASYNC110 - the kernel has no event for it
        await asyncio.sleep(0)


async def wait_until_read(writer):
    """Return when the peer, which runs in the same loop, has read what was written."""
    await wait_until_sent(writer)
    # The loop reads the peer's socket in its next pass, which runs after this task.
    await run_pending(2)


def reset(writer):
    """End a connection with RST instead of FIN."""
    sock = writer.transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()

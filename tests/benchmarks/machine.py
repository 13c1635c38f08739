"""Services of the operating system; each does nothing on a system that lacks it."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

STATUS = Path("/proc/self/status")
RESET_PEAK = "5"  # see clear_refs in proc(5)


def pin_to_core(*, last: bool) -> None:
    """Keep this process on the first core that it may use, or on the last."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[-1 if last else 0]})


def allow_many_sockets() -> None:
    """Raise the limit of open files to its maximum."""
    with suppress(ImportError, OSError, ValueError):
        import resource  # noqa: PLC0415 - not on Windows

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def memory() -> int:
    """Return the resident memory of this process in bytes; 0 on systems other than Linux."""
    return _from_status("VmRSS:")


def peak_memory() -> int:
    """Return the peak resident memory since `reset_peak_memory`; outside Linux since the start."""
    if STATUS.exists():
        return _from_status("VmHWM:")
    with suppress(ImportError):
        import resource  # noqa: PLC0415

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return 0


def reset_peak_memory() -> None:
    """Restart the measurement of the peak."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text(RESET_PEAK, encoding="ascii")


def _from_status(name: str) -> int:
    with suppress(OSError):
        for line in STATUS.read_text(encoding="ascii").splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    return 0

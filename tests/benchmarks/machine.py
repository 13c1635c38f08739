"""What the operating system has to be asked for; each does nothing where there is no such thing."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

STATUS = Path("/proc/self/status")
FORGET_PEAK = "5"  # what makes Linux measure the peak anew


def pin(*, last: bool) -> None:
    """Keep this process on the first core that it may use, or on the last."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[-1 if last else 0]})


def allow_many_sockets() -> None:
    """Raise the limit of open files as far as it goes."""
    with suppress(ImportError, OSError, ValueError):
        import resource  # noqa: PLC0415 - not on Windows

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def memory() -> int:
    """Return the bytes that this process holds now; on other systems than Linux 0."""
    return _from_status("VmRSS:")


def peak_memory() -> int:
    """Return the most that it has held since `forget_peak`; on other systems since its start."""
    if STATUS.exists():
        return _from_status("VmHWM:")
    with suppress(ImportError):
        import resource  # noqa: PLC0415

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return 0


def forget_peak() -> None:
    """Measure the peak from here."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text(FORGET_PEAK, encoding="ascii")


def _from_status(name: str) -> int:
    with suppress(OSError):
        for line in STATUS.read_text(encoding="ascii").splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    return 0

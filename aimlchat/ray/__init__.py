"""Answer each row of a Ray Dataset, on one machine or on many.

`answer` needs the package ray, which the extra ``ray`` installs; it is imported when `answer` is
called.
"""

from __future__ import annotations

from .dataset import answer

__all__ = ["answer"]

"""A file of requests into a file of results, which is also the journal that a run resumes from.

`run` sends the requests from here, many at once; `run_on_server` hands them to the vendor's own
batch endpoint. Both read the same input and write the same output, and either can go on with what
the other has begun.
"""

from __future__ import annotations

from .errors import BatchError, BusyError, InputError, OutputFileError
from .input_file import spooled
from .run import run
from .server_side import run_on_server
from .summary import Summary

__all__ = [
    "BatchError",
    "BusyError",
    "InputError",
    "OutputFileError",
    "Summary",
    "run",
    "run_on_server",
    "spooled",
]

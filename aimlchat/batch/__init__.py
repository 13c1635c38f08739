"""Answer a file of requests: one line of input, one line of results.

`run` sends the requests from this machine, many at once; `run_on_server` hands them to the vendor's
batch endpoint. Both read the same input and write the same output, which is also the journal that
the next run resumes from: either function can continue what the other has begun.
"""

from __future__ import annotations

from .errors import BatchError, BusyError, InputError, OutputFileError, UnconfirmedBatchError
from .input_file import make_seekable
from .parquet import write_parquet
from .results_summary import ResultsSummary, summarize
from .run import run
from .server_side import run_on_server
from .summary import Summary

__all__ = [
    "BatchError",
    "BusyError",
    "InputError",
    "OutputFileError",
    "ResultsSummary",
    "Summary",
    "UnconfirmedBatchError",
    "make_seekable",
    "run",
    "run_on_server",
    "summarize",
    "write_parquet",
]

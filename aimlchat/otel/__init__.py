"""OpenTelemetry for a session: a span for each call and each tool, and metrics, by the GenAI rules.

The names are those of the OpenTelemetry semantic conventions 1.41.1, the last release that contains
the chapters on generative AI before they moved to a repository of their own. All of these names are
"in development" there and may change; they change here only with a new version of this package.
Names that the conventions lack begin with ``aimlchat.``.
"""

from __future__ import annotations

try:
    from .instrumentation import instrument, uninstrument
except ImportError as error:
    msg = (
        "aimlchat.otel needs the package opentelemetry-api; install it, or aimlchat with the extra"
        ' "otel", as in: pip install ".[otel]"'
    )
    raise ImportError(msg) from error

__all__ = ["instrument", "uninstrument"]

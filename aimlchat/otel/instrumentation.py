"""The spans and the metrics of a session's calls."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
from opentelemetry import context, metrics, trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from aimlchat._client.traced_content import describe_input, describe_output
from aimlchat._version import __version__
from aimlchat.errors import APIError, RequestTimeoutError

from .tool_spans import ToolTraces

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span, TracerProvider

    from aimlchat._client.prepare import PreparedRequest
    from aimlchat.completions import Completion, Usage
    from aimlchat.errors import AIMLChatError
    from aimlchat.records import CallRecord, RetryRecord
    from aimlchat.session import ChatSession

__all__ = ["instrument", "uninstrument"]

_SCHEMA_URL = "https://opentelemetry.io/schemas/1.41.0"
# The vendor, not the maker of the model: the conventions name the API that the client calls.
_PROVIDER = "aimlapi"
# The boundaries that the conventions recommend.
_SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
_TOKENS = [4**power for power in range(14)]
_USAGE = {
    "gen_ai.usage.input_tokens": "prompt_tokens",
    "gen_ai.usage.output_tokens": "completion_tokens",
    "gen_ai.usage.cache_read.input_tokens": "cached_tokens",
    "gen_ai.usage.cache_creation.input_tokens": "cache_write_tokens",
    "gen_ai.usage.reasoning.output_tokens": "reasoning_tokens",
}
_INT_BITS = 64  # an attribute is a signed integer of this many bits
_DEFAULT_PORTS = {"http": 80, "https": 443}

_FAILURE = "tracing a call failed"
_logger = logging.getLogger("aimlchat")
_propagator = TraceContextTextMapPropagator()


def instrument(
    session: ChatSession,
    *,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    capture_content: bool = False,
) -> None:
    """Trace every call of a session that begins from now on, and record its metrics.

    A call has exactly one ``CLIENT`` span ``chat {model}``, from its start to its end, over the
    queue and all attempts, however it ends. It starts, with the span that is current then as its
    parent, when `ChatSession.complete` is awaited, when a stream is entered or first read, and in a
    run of many when the request is taken. Nothing is attached to the context while your code runs.
    The W3C headers ``traceparent`` and ``tracestate`` are sent with each request, unless you give
    them yourself; baggage is not, since it would leave your system.

    A failure of the tracer is logged and never breaks a call. A request that is refused before
    anything is sent has no span. Copies of the session are not instrumented.

    Args:
        session: the session; instrumenting it again replaces the earlier settings.
        tracer_provider: by default the global one.
        meter_provider: by default the global one.
        capture_content: whether spans contain the system prompt, the messages, the reasoning, the
            answer and tool calls, and the server's own message of an error. They are often personal
            data, and can be large.
    """
    url = urlsplit(str(session._settings.base_url))  # noqa: SLF001 - not public on a session
    server: dict[str, Any] = {"server.address": url.hostname or ""}
    if port := url.port or _DEFAULT_PORTS.get(url.scheme):
        server["server.port"] = port
    session._context.tracing = _Tracing(  # noqa: SLF001 - as above
        trace.get_tracer("aimlchat", __version__, tracer_provider, _SCHEMA_URL),
        _Instruments(metrics.get_meter("aimlchat", __version__, meter_provider, _SCHEMA_URL)),
        server,
        capture_content=capture_content,
    )


def uninstrument(session: ChatSession) -> None:
    """Trace no further calls of a session; the spans of running calls still end.

    Args:
        session: the session; one that is not traced stays as it is.
    """
    session._context.tracing = None  # noqa: SLF001 - as in `instrument`


class _Parameters(msgspec.Struct):
    """The fields of a payload that spans name; all others are skipped."""

    max_tokens: Any = None
    temperature: Any = None
    top_p: Any = None
    top_k: Any = None
    n: Any = None
    seed: Any = None
    frequency_penalty: Any = None
    presence_penalty: Any = None
    stop: Any = None
    stop_sequences: Any = None
    response_format: Any = None


class _Instruments:
    """The three histograms."""

    def __init__(self, meter: metrics.Meter) -> None:
        self.duration = meter.create_histogram(
            "gen_ai.client.operation.duration",
            unit="s",
            description="GenAI operation duration.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self.first_chunk = meter.create_histogram(
            "gen_ai.client.operation.time_to_first_chunk",
            unit="s",
            description="Time to receive the first chunk of a stream.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self.tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            unit="{token}",
            description="Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )


class _Tracing:
    """Starts the traces of a session's calls."""

    def __init__(
        self,
        tracer: trace.Tracer,
        instruments: _Instruments,
        server: Mapping[str, Any],
        *,
        capture_content: bool,
    ) -> None:
        self._tracer = tracer
        self._instruments = instruments
        self._server = server
        self._capture_content = capture_content

    def start_run(self) -> ToolTraces:
        """Return what starts the spans of a run's tools, below the span that is current now."""
        return ToolTraces(
            self._tracer, context.get_current(), capture_content=self._capture_content
        )

    def start(self, request: PreparedRequest) -> _CallTrace | None:
        """Start the span of a call, and add its headers to the call's requests."""
        try:
            return self._start(request)
        except Exception:
            _logger.exception(_FAILURE)
            return None

    def _start(self, request: PreparedRequest) -> _CallTrace:
        common = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": _PROVIDER,
            "gen_ai.request.model": request.model,
            **self._server,
        }
        span = self._tracer.start_span(
            f"chat {request.model}",
            kind=trace.SpanKind.CLIENT,
            attributes=common,
        )
        if span.is_recording():  # otherwise the request is not parsed
            with _logging_failures():
                span.set_attributes(_describe_request(request))
                if self._capture_content:
                    span.set_attributes(describe_input(_text_of(request)))
        carrier: dict[str, str] = {}
        _propagator.inject(carrier, trace.set_span_in_context(span))
        one: PreparedRequest | None = request
        while one is not None:
            # A tracestate belongs to the traceparent beside it, so both are the caller's or ours.
            if not any(name.lower() == "traceparent" for name in one.headers):
                others = {n: v for n, v in one.headers.items() if n.lower() != "tracestate"}
                one.headers = {**others, **carrier}
            one = one.fallback
        return _CallTrace(span, self._instruments, common, capture_content=self._capture_content)


class _CallTrace:
    """The span of one call, and what it adds to the metrics."""

    def __init__(
        self,
        span: Span,
        instruments: _Instruments,
        common: dict[str, Any],
        *,
        capture_content: bool,
    ) -> None:
        self._span = span
        self._instruments = instruments
        self._common = common
        self._capture_content = capture_content
        self._first_delta: float | None = None
        self._attempts = 0  # how many attempts have an event

    def retry(self, record: RetryRecord) -> None:
        """Add an event for an attempt that has failed and is followed by another one."""
        with _logging_failures():
            if not record.is_put_back:
                self._attempts = record.attempt
            self._span.add_event(
                "aimlchat.attempt",
                {
                    "aimlchat.attempt.number": record.attempt,
                    "aimlchat.attempt.delay": record.delay,
                    "aimlchat.attempt.is_put_back": record.is_put_back,
                    "gen_ai.request.model": record.model,
                    "error.type": _type_of(record.error),
                },
            )

    def first_delta(self, seconds: float) -> None:
        """Note when the first delta of a stream arrived."""
        self._first_delta = seconds

    def end(self, record: CallRecord, received: Completion | None) -> None:
        """Add the last attempt and the result, end the span, and record the metrics."""
        with _logging_failures():
            try:
                self._end_span(record, received)
            finally:
                self._span.end()
            self._record_metrics(record, received)

    def _end_span(self, record: CallRecord, received: Completion | None) -> None:
        span = self._span
        if len(record.attempts) > self._attempts:
            attributes: dict[str, Any] = {
                "aimlchat.attempt.number": len(record.attempts),
                "gen_ai.request.model": record.model,
            }
            if record.outcome == "error":
                attributes["error.type"] = _type_of(record.error)
            span.add_event("aimlchat.attempt", attributes)
        span.set_attributes(_describe_result(record, received, self._first_delta))
        if record.outcome == "error":
            span.set_status(trace.Status(trace.StatusCode.ERROR, self._describe(record.error)))
        if self._capture_content and received is not None:
            span.set_attributes(describe_output(received))

    def _describe(self, error: AIMLChatError | None) -> str:
        """Describe an error, whose own message may quote the conversation."""
        if error is None:
            return "the call was ended by an exception from outside"
        return str(error) if self._capture_content else f"{type(error).__name__} {_type_of(error)}"

    def _record_metrics(self, record: CallRecord, received: Completion | None) -> None:
        attributes = self._common
        if received is not None and received.model:
            attributes = {**attributes, "gen_ai.response.model": received.model}
        if self._first_delta is not None:
            self._instruments.first_chunk.record(self._first_delta, attributes)
        if record.usage is not None:
            counts = {
                "input": record.usage.prompt_tokens,
                "output": record.usage.completion_tokens,
            }
            for kind, count in counts.items():
                if count is not None:
                    self._instruments.tokens.record(
                        count, {**attributes, "gen_ai.token.type": kind}
                    )
        if record.outcome == "error":
            attributes = {**attributes, "error.type": _type_of(record.error)}
        self._instruments.duration.record(record.duration, attributes)


@contextmanager
def _logging_failures() -> Iterator[None]:
    try:
        yield
    except Exception:
        _logger.exception(_FAILURE)


def _text_of(request: PreparedRequest) -> bytes:
    """Return the JSON of a request without its large files."""
    return b"".join(request.body.texts) if request.body is not None else b"{}"


def _describe_request(request: PreparedRequest) -> dict[str, Any]:
    parameters = msgspec.json.decode(_text_of(request), type=_Parameters)
    stop = parameters.stop if parameters.stop_sequences is None else parameters.stop_sequences
    kind = parameters.response_format
    is_json = request.output is not None or (
        isinstance(kind, dict) and str(kind.get("type", "")).startswith("json")
    )
    attributes = {
        "gen_ai.request.stream": True if request.is_stream else None,
        "gen_ai.request.max_tokens": _read_int(parameters.max_tokens),
        "gen_ai.request.temperature": _read_float(parameters.temperature),
        "gen_ai.request.top_p": _read_float(parameters.top_p),
        "gen_ai.request.top_k": _read_float(parameters.top_k),
        "gen_ai.request.choice.count": None if request.n == 1 else _read_int(request.n),
        "gen_ai.request.seed": _read_int(parameters.seed),
        "gen_ai.request.frequency_penalty": _read_float(parameters.frequency_penalty),
        "gen_ai.request.presence_penalty": _read_float(parameters.presence_penalty),
        "gen_ai.request.stop_sequences": _read_texts(stop),
        "gen_ai.output.type": "json" if is_json else None,
        "aimlchat.client_request_id": request.client_request_id,
    }
    return {name: value for name, value in attributes.items() if value is not None}


# A value of another type than that of its attribute, from a caller's `extra`, is left out: it could
# make the exporter, or what stores the spans, refuse all spans of a batch.


def _read_float(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _read_int(value: Any) -> int | None:
    return value if type(value) is int and value.bit_length() < _INT_BITS else None


def _read_texts(value: Any) -> list[str] | None:
    values = [value] if isinstance(value, str) else value
    is_texts = isinstance(values, list) and all(isinstance(text, str) for text in values)
    return values if is_texts and values else None


def _describe_result(
    record: CallRecord, received: Completion | None, first_delta: float | None
) -> dict[str, Any]:
    choices = received.choices if received is not None else ()
    attributes = {
        "gen_ai.response.model": received.model or None if received is not None else None,
        "gen_ai.response.id": received.id or None if received is not None else None,
        "gen_ai.response.finish_reasons": [c.finish_reason for c in choices if c.finish_reason]
        or None,
        "gen_ai.response.time_to_first_chunk": first_delta,
        **_describe_usage(record.usage),
        "error.type": _type_of(record.error) if record.outcome == "error" else None,
        "aimlchat.outcome": record.outcome,
        "aimlchat.inference_id": record.inference_id,
        "aimlchat.cost.usd": record.cost.usd if record.cost is not None else None,
    }
    return {name: value for name, value in attributes.items() if value is not None}


def _describe_usage(usage: Usage | None) -> dict[str, int | None]:
    return {name: getattr(usage, field, None) for name, field in _USAGE.items()}


def _type_of(error: AIMLChatError | None) -> str:
    """Return a value for ``error.type``, of low cardinality, as the conventions require."""
    if isinstance(error, APIError) and error.status:
        return str(error.status)
    if isinstance(error, RequestTimeoutError):
        return "timeout"
    return "_OTHER" if error is None else type(error).__name__

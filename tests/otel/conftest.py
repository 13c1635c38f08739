"""A session that is instrumented with the real SDK."""

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from aimlchat import ChatSession, RetryPolicy
from aimlchat.otel import instrument


@pytest.fixture
def exporter():
    return InMemorySpanExporter()


@pytest.fixture
def tracer_provider(exporter):
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


@pytest.fixture
def reader():
    return InMemoryMetricReader()


@pytest.fixture
async def session(emulator, tracer_provider, reader):
    quick = RetryPolicy(base_delay=0.001, max_delay=0.001)
    async with ChatSession("k", base_url=emulator.base_url, retry=quick) as opened:
        instrument(opened, tracer_provider=tracer_provider, meter_provider=MeterProvider([reader]))
        yield opened

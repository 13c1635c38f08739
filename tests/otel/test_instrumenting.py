"""Instrumenting a session, a tracer that fails, and OpenTelemetry that is not there."""

import logging
import subprocess
import sys

from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

from aimlchat import (
    ChatSession,
)
from aimlchat.otel import instrument, uninstrument


async def test_instrumenting_twice_gives_one_span(session, exporter, tracer_provider):
    instrument(session, tracer_provider=tracer_provider)
    await session.complete("Why?")
    assert len(exporter.get_finished_spans()) == 1


async def test_uninstrumenting_ends_it(emulator, session, exporter):
    uninstrument(session)
    await session.complete("Why?")
    assert exporter.get_finished_spans() == ()
    assert "traceparent" not in emulator.requests[0].headers


class Failing(SpanProcessor):
    def on_start(self, span, parent_context=None):  # noqa: ARG002 - the name is the SDK's
        raise OSError(span.name)

    def on_end(self, span):
        raise OSError(span.name)


async def test_a_tracer_that_fails_breaks_no_call(emulator, session, caplog):
    provider = TracerProvider()
    provider.add_span_processor(Failing())
    instrument(session, tracer_provider=provider)
    with caplog.at_level(logging.ERROR, "aimlchat"):
        assert (await session.complete("Why?")).text
        assert (await session.stream("Why?").collect()).text
    assert "tracing a call failed" in caplog.text


async def test_without_an_sdk_nothing_is_recorded(emulator):
    async with ChatSession("k", base_url=emulator.base_url) as session:
        instrument(session)
        assert (await session.complete("Why?")).text
    assert "traceparent" not in emulator.requests[0].headers


def test_the_package_and_a_session_load_nothing_of_opentelemetry():
    code = (
        "import sys, aimlchat; aimlchat.ChatSession('k');"
        "print([name for name in sys.modules if 'opentelemetry' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_missing_opentelemetry_is_told_with_the_install_line():
    code = "import sys; sys.modules['opentelemetry'] = None; import aimlchat.otel"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert 'pip install ".[otel]"' in done.stderr

"""Fixtures for all tests, and the selection of tests for an ordinary run and for a soak."""

import base64
import gc
import signal

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings
from raw_server import CHUNKED, content, http_chunk, serving
from soak import IS_SOAK

from aimlchat import ChatSession, RetryPolicy
from aimlchat.emulator import Emulator
from aimlchat.errors import InvalidRequestError

collect_ignore = ["ray_data"]  # needs Ray: only `nox -s ray` runs it, by its name

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 16
PDF = b"%PDF-1.7 " + b"x" * 16
WAV = b"RIFF\0\0\0\0WAVEfmt "
MP3 = b"ID3\x04" + b"\0" * 16

# Neither a deadline nor a health check may fail a test because the machine is slow.
settings.register_profile(
    "quick",
    max_examples=20,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "soak", max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("soak" if IS_SOAK else "quick")


def pytest_collection_modifyitems(config, items):
    """Deselect the tests that do not belong to this run."""
    dropped = [item for item in items if not belongs_to_this_run(item)]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if belongs_to_this_run(item)]


def belongs_to_this_run(item):
    """Return whether this run, an ordinary one or a soak, includes a test."""
    if not IS_SOAK:
        return item.get_closest_marker("soak") is None
    marked = any(item.get_closest_marker(name) for name in ("soak", "sampled"))
    return marked or is_hypothesis_test(getattr(item, "obj", None))


def pytest_terminal_summary(terminalreporter):
    """Show the notes that tests have recorded with ``record_property("note", ...)``."""
    notes = [
        f"{report.nodeid}: {value}"
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if name == "note"
    ]
    if notes:
        terminalreporter.section("notes")
        for note in notes:
            terminalreporter.line(note)


@pytest.fixture(scope="session", autouse=True)
def _interrupts_are_heeded():
    """Undo an inherited "ignore SIGINT", which programs that the tests start would inherit too.

    A shell without job control starts its background jobs that way.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _without_settings_of_this_machine(monkeypatch):
    for name in ("API_KEY", "BASE_URL", "MODEL"):
        monkeypatch.delenv(f"AIMLAPI_{name}", raising=False)
    for name in ("AIML_API_KEY", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def driver():
    """The browser, which is started once for all tests."""
    from chromium import start_chromium  # noqa: PLC0415 - not installed for tests/session

    driver = start_chromium()
    yield driver
    driver.quit()


@pytest.fixture
def gc_disabled():
    """Disable the garbage collector, so that only reference counts free objects."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
async def emulator():
    async with Emulator() as running:
        yield running


@pytest.fixture
async def session(emulator):
    """A session that makes one attempt; tests/client/test_retry.py covers further ones."""
    once = RetryPolicy(attempts=1)
    async with ChatSession("test-key", base_url=emulator.base_url, retry=once) as opened:
        yield opened


@pytest.fixture
def emulator_url(aimlchat_emulator):
    """The address of an emulator for tests that run event loops of their own."""
    return aimlchat_emulator.base_url


@pytest.fixture
async def stalling_server():
    """A server that sends one delta, "One", and then nothing until the client leaves."""

    async def think(reader, writer):
        writer.write(CHUNKED + http_chunk(content("One")))
        await reader.read()
        raise ConnectionResetError

    async with serving(think) as server:
        yield server


@pytest.fixture
async def stalling_session(stalling_server):
    """A session that talks to `stalling_server`."""
    async with ChatSession("test-key", base_url=stalling_server.base_url) as opened:
        yield opened


@pytest.fixture
async def pinging_server():
    """A server that sends the response headers and a ping, and then nothing."""

    async def ping(reader, writer):
        writer.write(CHUNKED + http_chunk(b": ping\n\n"))
        await reader.read()
        raise ConnectionResetError

    async with serving(ping) as server:
        yield server


@pytest.fixture
async def silent_server():
    """A server that reads a request and never responds."""

    async def listen(reader, _):
        await reader.read()
        raise ConnectionResetError

    async with serving(listen) as server:
        yield server


@pytest.fixture
def refusal():
    """Return a function that returns the error with which a request is refused."""

    def refusal(request):
        with pytest.raises(InvalidRequestError) as caught:
            request.payload()
        return caught.value

    return refusal


@pytest.fixture
def png():
    return PNG


@pytest.fixture
def pdf():
    return PDF


@pytest.fixture
def wav():
    return WAV


@pytest.fixture
def mp3():
    return MP3


@pytest.fixture
def encoded():
    return lambda data: base64.b64encode(data).decode()

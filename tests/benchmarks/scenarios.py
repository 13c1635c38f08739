"""What is asked of the contestants, in their turns, and which figures are shown of it."""

from __future__ import annotations

import attrs

OURS, CAREFUL = "aimlchat", "careful"
OURS_ON_UVLOOP = f"{OURS}+uvloop"
# One round of it takes as long as five of the others.
SLOWEST = ("litellm",)
# Seconds to microseconds, to milliseconds; bytes to kilobytes.
MICRO, MILLI, KILO = 1e6, 1e3, 1e-3


@attrs.frozen
class View:
    """One figure of the answers: what it is called, where it comes from, and its limit.

    ``figure`` is a key of an answer, times ``scale``. The ratio is over the same figure of the
    ``yardstick``, or over another one of the same answer (``over``), or there is none. The limit is
    one of the ratio, or, if there is none, of the figure itself.
    """

    title: str
    figure: str
    scale: float
    limit: float | None = None
    yardstick: str | None = attrs.field(default=CAREFUL, kw_only=True)
    over: str | None = attrs.field(default=None, kw_only=True)


@attrs.frozen
class Scenario:
    """What each contestant is asked. ``fresh`` is a new process for each of their turns.

    ``once`` are those who take part in the first round only: they would take too long.
    """

    orders: dict[str, dict[str, object]]
    views: tuple[View, ...]
    fresh: bool = False
    once: tuple[str, ...] = ()


def all_of(peers: list[str]) -> list[Scenario]:
    """Return the scenarios; ``peers`` are the other SDKs that are there."""
    return [fast(peers), slow(peers), whole(peers), crowd(peers), picture(peers)]


def fast(peers: list[str]) -> Scenario:
    """One stream, as fast as it goes."""
    count = 20_000
    order = {"task": "streams", "path": f"stream/{count}/0", "calls": 1, "chunks": count}
    view = View("fast stream, 20,000 chunks: us a chunk", "cpu", MICRO / count, 1.5)
    return Scenario(dict.fromkeys([*_hosts(), *peers], order), (view,), once=SLOWEST)


def slow(peers: list[str]) -> Scenario:
    """Streams at the pace of a model."""
    order = {"task": "streams", "path": "stream/100/20", "calls": 100, "chunks": 100}
    view = View("100 streams of 100 chunks, 20 a second: us a chunk", "cpu", MICRO / 10_000, 1.25)
    return Scenario(dict.fromkeys([*_hosts(), *_on_aiohttp(peers)], order), (view,))


def whole(peers: list[str]) -> Scenario:
    """Whole answers, many at once."""
    count = 2_000
    order = {"task": "whole", "calls": count, "width": 100}
    view = View("2,000 completions, 100 at once: us a completion", "cpu", MICRO / count, 1.3)
    return Scenario(dict.fromkeys([*_hosts(), *peers], order), (view,), once=SLOWEST)


def crowd(peers: list[str]) -> Scenario:
    """More streams than a process should have: are they on time, and what does each hold?"""
    streams, count, rate = 5_000, 40, 5
    path = f"crowd/{streams}/{count}/{rate}"
    order = {"task": "streams", "path": path, "calls": streams, "chunks": count, "seconds": 20}
    percent = 100 / (count / rate)
    views = (
        View("5,000 streams, 5 chunks a second each: % late", "late", percent, 5, yardstick=None),
        View("the same: % late when it was sent", "sent_late", percent, yardstick=None),
        View("the same: us a chunk, opening included", "cpu", MICRO / streams / count),
        View("the same: KB of memory a stream", "grown", KILO / streams, 1.3),
    )
    slowest = _on_aiohttp(peers)
    orders = {
        name: {**order, "path": f"{path}/{name}"}  # a crowd of its own, should one be left behind
        for name in (OURS, CAREFUL, OURS_ON_UVLOOP, *slowest)
    }
    return Scenario(orders, views, fresh=True, once=(OURS_ON_UVLOOP, *slowest))


def picture(peers: list[str]) -> Scenario:
    """A request of megabytes, beside which the event loop has to go on; nobody sends none."""
    order = {"task": "picture"}
    orders = {OURS: order, "nobody": {"task": "idle"}, CAREFUL: order}
    orders |= dict.fromkeys(peers, order)
    title = "a 10 MB image: longest block of the event loop, ms"
    return Scenario(orders, (View(title, "block", MILLI, 10, yardstick=None),))


def _hosts() -> tuple[str, ...]:
    """Return who lives in the environment of aimlchat."""
    return OURS, CAREFUL, "naive", OURS_ON_UVLOOP


def _on_aiohttp(peers: list[str]) -> list[str]:
    """Return the quickest of the peers, which alone keeps up with many streams."""
    return [peer for peer in peers if peer == "openai-aiohttp"]

"""The tasks of the contestants, and the figures that are shown for them."""

from __future__ import annotations

import attrs

OURS, CAREFUL = "aimlchat", "careful"
OURS_ON_UVLOOP = f"{OURS}+uvloop"
PAGE_KINDS = {"ws": "over web sockets", "sse": "as server-sent events"}
# One round of these takes as long as five of the others.
SLOWEST = ("litellm",)
# Not an SDK, but a layer above one.
ONLY_FILES = ("langchain",)
# Seconds to microseconds, to milliseconds; bytes to kilobytes.
MICRO, MILLI, KILO = 1e6, 1e3, 1e-3


@attrs.frozen
class View:
    """One figure of the results.

    Attributes:
        title: the name of the figure in the table.
        figure: its key in a result; the value is multiplied by ``scale``.
        limit: the highest acceptable ratio, or, without a ratio, the highest acceptable figure.
        baseline: the ratio is to the same figure of this contestant.
        over: the ratio is to this other figure of the same result instead.
    """

    title: str
    figure: str
    scale: float
    limit: float | None = None
    baseline: str | None = attrs.field(default=CAREFUL, kw_only=True)
    over: str | None = attrs.field(default=None, kw_only=True)


@attrs.frozen
class Scenario:
    """The task of each contestant.

    Attributes:
        tasks: by contestant, the task to run.
        views: the figures to show.
        fresh: whether each contestant has a new process in each round.
        once: the contestants that run in the first round only, because they are slow.
    """

    tasks: dict[str, dict[str, object]]
    views: tuple[View, ...]
    fresh: bool = False
    once: tuple[str, ...] = ()


def build_scenarios(peers: list[str]) -> list[Scenario]:
    """Return the scenarios; ``peers`` are the other SDKs that are installed."""
    sdks = [peer for peer in peers if peer not in ONLY_FILES]
    return [
        fast(sdks),
        slow(sdks),
        whole(sdks),
        file(peers),
        crowd(sdks),
        picture(sdks),
        own_pages(sdks),
        *(shared_pages(kind) for kind in PAGE_KINDS),
        crowd_of_pages(),
    ]


def fast(peers: list[str]) -> Scenario:
    """One stream, as fast as possible."""
    count = 20_000
    task = {"name": "streams", "path": f"stream/{count}/0", "calls": 1, "chunks": count}
    view = View("fast stream, 20,000 chunks: us a chunk", "cpu", MICRO / count, 1.5)
    return Scenario(dict.fromkeys([*_hosts(), *peers], task), (view,), once=SLOWEST)


def slow(peers: list[str]) -> Scenario:
    """Streams at the pace of a model."""
    task = {"name": "streams", "path": "stream/100/20", "calls": 100, "chunks": 100}
    view = View("100 streams of 100 chunks, 20 a second: us a chunk", "cpu", MICRO / 10_000, 1.25)
    return Scenario(dict.fromkeys([*_hosts(), *_on_aiohttp(peers)], task), (view,))


def whole(peers: list[str]) -> Scenario:
    """Completions, many at once."""
    count = 2_000
    task = {"name": "whole", "calls": count, "width": 100}
    view = View("2,000 completions, 100 at once: us a completion", "cpu", MICRO / count, 1.3)
    return Scenario(dict.fromkeys([*_hosts(), *peers], task), (view,), once=SLOWEST)


def file(peers: list[str]) -> Scenario:
    """A file of requests into a file of results."""
    rows = 20_000
    task = {"name": "file", "rows": rows, "width": 100}
    title = "a file of 20,000 rows, 100 at once: us a row"
    views = (
        View(title, "cpu", MICRO / rows, 1.3),
        View("the same: s by the clock", "wall", 1, 1.3),
    )
    contestants = [OURS, CAREFUL, OURS_ON_UVLOOP, *peers]
    return Scenario(dict.fromkeys(contestants, task), views, once=tuple(peers))


def crowd(peers: list[str]) -> Scenario:
    """More streams than a process should have: their delay, and their memory."""
    streams, count, rate = 5_000, 40, 5
    path = f"crowd/{streams}/{count}/{rate}"
    task = {"name": "streams", "path": path, "calls": streams, "chunks": count, "seconds": 20}
    percent = 100 / (count / rate)
    views = (
        View("5,000 streams, 5 chunks a second each: % late", "late", percent, 5, baseline=None),
        View("the same: % late when it was sent", "sent_late", percent, baseline=None),
        View("the same: us a chunk, opening included", "cpu", MICRO / streams / count),
        View("the same: KB of memory a stream", "grown", KILO / streams, 1.3),
    )
    slowest = _on_aiohttp(peers)
    tasks = {
        name: {
            **task,
            "path": f"{path}/{name}",
        }  # a crowd of its own, in case streams of another remain
        for name in (OURS, CAREFUL, OURS_ON_UVLOOP, *slowest)
    }
    return Scenario(tasks, views, fresh=True, once=(OURS_ON_UVLOOP, *slowest))


def picture(peers: list[str]) -> Scenario:
    """A request of megabytes, during which the event loop must not block; "idle" sends none."""
    task = {"name": "picture"}
    tasks = {OURS: task, "idle": {"name": "idle"}, CAREFUL: task}
    tasks |= dict.fromkeys(peers, task)
    title = "a 10 MB image: longest block of the event loop, ms"
    return Scenario(tasks, (View(title, "block", MILLI, 10, baseline=None),))


def own_pages(peers: list[str]) -> Scenario:
    """Pages with a stream of their own, at the pace of a model."""
    pages, frames = 100, 100
    task = _page_task(f"stream/{frames}/20", pages, frames, kind="ws", shared=False)
    title = "100 pages, each with a stream of 100 chunks, 20 a second: us a frame"
    view = View(title, "cpu", MICRO / pages / frames, 1.15)
    return Scenario(dict.fromkeys([OURS, CAREFUL, *_on_aiohttp(peers)], task), (view,))


def shared_pages(kind: str) -> Scenario:
    """Pages that follow one stream, at the pace of a model."""
    pages, frames = 300, 100
    task = _page_task(f"stream/{frames}/20", pages, frames, kind=kind, shared=True)
    title = f"300 pages follow one stream, {PAGE_KINDS[kind]}: us a frame and page"
    view = View(title, "cpu", MICRO / pages / frames, 1)
    return Scenario(dict.fromkeys([OURS, CAREFUL], task), (view,))


def crowd_of_pages() -> Scenario:
    """More pages than a process should have follow one stream, and a tenth of them are stuck."""
    pages, frames, rate = 2_000, 40, 5
    task = _page_task(f"crowd/1/{frames}/{rate}", pages, frames, kind="ws", shared=True)
    task["stuck"] = pages // 10
    views = (
        View("2,000 pages follow one stream: ms late", "late", MILLI, 200, baseline=None),
        View("the same: KB of memory a page", "grown", KILO / pages, 1.3),
    )
    return Scenario(dict.fromkeys([OURS, CAREFUL], task), views, fresh=True)


def _page_task(path: str, pages: int, frames: int, *, kind: str, shared: bool) -> dict[str, object]:
    return {
        "name": "pages",
        "path": path,
        "pages": pages,
        "frames": frames,
        "kind": kind,
        "shared": shared,
    }


def _hosts() -> tuple[str, ...]:
    """Return the contestants in the environment of aimlchat."""
    return OURS, CAREFUL, "naive", OURS_ON_UVLOOP


def _on_aiohttp(peers: list[str]) -> list[str]:
    """Return the fastest of the peers, the only one that is fast enough for many streams."""
    return [peer for peer in peers if peer == "openai-aiohttp"]

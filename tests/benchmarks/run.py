"""Measure what a chunk, a completion and an import cost: aimlchat, plain loops, other SDKs.

    python tests/benchmarks/run.py [--rounds N] [--quick] [--peer NAME=PYTHON]...

The contestants take turns in every round, each in a process of its own, and ratios are computed
round by round, so that noise and changes of the clock rate affect both sides. CPU time is that of
the process of a contestant; the server runs in another process, on another core if there is one.

A peer is ``openai``, ``openai-aiohttp`` or ``litellm``, with the Python of the environment in which
it is installed; ``nox -s bench`` creates these.
"""

from __future__ import annotations

import argparse
import contextlib
from typing import TYPE_CHECKING

import drafts
import linearity
import scenarios
import startup
import table
from processes import Contestant, run_server

if TYPE_CHECKING:
    from scenarios import Scenario, View

ROUNDS, QUICK_ROUNDS = 5, 2


def run_scenario(
    scenario: Scenario, rounds: int, pythons: dict[str, str], port: int
) -> table.Rounds:
    """Return the results of all contestants, round by round."""
    contestants = {name: Contestant(name, pythons, port) for name in scenario.tasks}
    results: table.Rounds = []
    with contextlib.ExitStack() as stack:
        if not scenario.fresh:
            for contestant in contestants.values():
                stack.enter_context(contestant)
            for contestant in contestants.values():
                contestant.wait_until_ready()
        for number in range(rounds):
            results.append({})
            for name, task in scenario.tasks.items():
                if number == 0 or name not in scenario.once:
                    run = run_in_new_process if scenario.fresh else Contestant.run
                    results[-1][name] = run(contestants[name], task)
    return results


def run_in_new_process(contestant: Contestant, task: dict[str, object]) -> dict[str, float]:
    """Run a task in a new process."""
    with contestant:
        contestant.wait_until_ready()
        return contestant.run(task)


def show(view: View, rounds: table.Rounds) -> None:
    """Print one figure for all contestants."""
    print(*table.lines(view, rounds), sep="\n", flush=True)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--quick", action="store_true", help="two rounds, and no crowd")
    parser.add_argument(
        "--only", default="", metavar="WORD", help="only figures with this in their title"
    )
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    return parser.parse_args()


def main() -> None:
    """Run the scenarios and print the table."""
    options = parse_arguments()
    pythons = dict(peer.split("=", 1) for peer in options.peer)
    rounds = QUICK_ROUNDS if options.quick else options.rounds
    print(table.header())
    with run_server() as port:
        for scenario in scenarios.build_scenarios(list(pythons)):
            is_selected = any(options.only in view.title for view in scenario.views)
            if is_selected and not (options.quick and scenario.fresh):
                results = run_scenario(scenario, rounds, pythons, port)
                for view in scenario.views:
                    show(view, results)
    if options.only in startup.VIEW.title:
        show(startup.VIEW, [startup.measure(pythons) for _ in range(rounds)])
    if options.only in linearity.VIEW.title:
        show(linearity.VIEW, [linearity.measure() for _ in range(rounds)])
    if options.only in drafts.VIEW.title:
        show(drafts.VIEW, [drafts.measure() for _ in range(rounds)])


if __name__ == "__main__":
    main()

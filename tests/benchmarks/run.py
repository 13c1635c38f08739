"""What a chunk, a completion and an import cost: aimlchat, hand-written loops, and other SDKs.

    python tests/benchmarks/run.py [--rounds N] [--quick] [--peer NAME=PYTHON]...

The contestants take turns in every round, each in a process of its own, and ratios are taken round
by round, so that a machine that is noisy, or changes its clock, does not decide. CPU time is that
of a contestant's process alone; the server runs in another one, on another core where there is one.

A peer is ``openai``, ``openai-aiohttp`` or ``litellm``, with the Python of the environment that it
is installed in; ``nox -s bench`` makes those.
"""

from __future__ import annotations

import argparse
import contextlib
from typing import TYPE_CHECKING

import linearity
import scenarios
import startup
import table
from processes import Contestant, server

if TYPE_CHECKING:
    from scenarios import Scenario, View

ROUNDS, QUICK_ROUNDS = 5, 2


def play(scenario: Scenario, rounds: int, pythons: dict[str, str], port: int) -> table.Rounds:
    """Return the answers of all contestants, round by round."""
    contestants = {name: Contestant(name, pythons, port) for name in scenario.orders}
    answers: table.Rounds = []
    with contextlib.ExitStack() as stack:
        if not scenario.fresh:
            for contestant in contestants.values():
                stack.enter_context(contestant)
            for contestant in contestants.values():
                contestant.wait()
        for number in range(rounds):
            answers.append({})
            for name, order in scenario.orders.items():
                if number == 0 or name not in scenario.once:
                    ask = alone if scenario.fresh else Contestant.ask
                    answers[-1][name] = ask(contestants[name], order)
    return answers


def alone(contestant: Contestant, order: dict[str, object]) -> dict[str, float]:
    """Have an order carried out in a new process."""
    with contestant:
        contestant.wait()
        return contestant.ask(order)


def show(view: View, rounds: table.Rounds) -> None:
    """Print what one figure came to."""
    print(*table.lines(view, rounds), sep="\n", flush=True)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--quick", action="store_true", help="two rounds, and no crowd")
    parser.add_argument("--only", default="", metavar="WORD", help="what has this in its title")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    return parser.parse_args()


def main() -> None:
    """Run everything and print the table."""
    options = arguments()
    pythons = dict(peer.split("=", 1) for peer in options.peer)
    rounds = QUICK_ROUNDS if options.quick else options.rounds
    print(table.head())
    with server() as port:
        for scenario in scenarios.all_of(list(pythons)):
            wanted = any(options.only in view.title for view in scenario.views)
            if wanted and not (options.quick and scenario.fresh):
                answers = play(scenario, rounds, pythons, port)
                for view in scenario.views:
                    show(view, answers)
    if options.only in startup.VIEW.title:
        show(startup.VIEW, [startup.round_of(pythons) for _ in range(rounds)])
    if options.only in linearity.VIEW.title:
        show(linearity.VIEW, [linearity.round_of() for _ in range(rounds)])


if __name__ == "__main__":
    main()

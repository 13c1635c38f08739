"""How many cases the tests try: a small, fixed sample in an ordinary run, all of them in a soak.

``nox -s soak`` sets ``AIMLCHAT_SOAK``. It runs the tests that are marked ``soak``, those that are
marked ``sampled``, and those of Hypothesis; `tests/conftest.py` selects them.
``AIMLCHAT_SEED``, 0 by default, is the seed of the attacks that draw their cases at random.
"""

import os
import random

from hypothesis import settings

IS_SOAK = bool(os.environ.get("AIMLCHAT_SOAK"))
SEED = int(os.environ.get("AIMLCHAT_SEED", "0"))
_SHARE = 10  # an ordinary run tries one example in this many
_FEWEST = 20


def examples(count):
    """Decorate a Hypothesis test: try ``count`` examples in a soak, a tenth in an ordinary run."""
    return settings(max_examples=count if IS_SOAK else max(count // _SHARE, min(count, _FEWEST)))


def sample(cases, size):
    """Return all the cases in a soak, else ``size`` of them: the same ones in every run.

    The order is kept, and the first and the last case are always among them. A test that calls
    this is marked ``sampled``.
    """
    if IS_SOAK or len(cases) <= size:
        return list(cases)
    chance = random.Random(len(cases))  # noqa: S311 - a seed makes every run the same
    middle = chance.sample(range(1, len(cases) - 1), size - 2)
    return [cases[index] for index in (0, *sorted(middle), len(cases) - 1)]

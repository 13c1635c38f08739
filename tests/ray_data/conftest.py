"""A local Ray for the tests of this folder, which only ``nox -s ray`` runs.

It has one CPU, so that an actor that took one would starve the tasks that read.
"""

import logging

import pytest
import ray
import ray.data

from aimlchat import ChatSession, RetryPolicy
from aimlchat.ray import answer

# Ray uses what it calls deprecated itself, and leaves sockets to its workers. It also advises more
# blocks where there are fewer batches than actors, as in most of these tests.
WARNINGS = (
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
    "ignore::ResourceWarning",
    "ignore:The minimum number of concurrent actors:UserWarning",
)


def pytest_collection_modifyitems(items):
    for item in items:
        for warning in WARNINGS:
            item.add_marker(pytest.mark.filterwarnings(warning))


@pytest.fixture(scope="session", autouse=True)
def local_ray():
    """Start Ray, and stop it after the last test."""
    context = ray.init(
        num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR
    )
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield context
    ray.shutdown()


@pytest.fixture
def rows():
    """Return a function that makes a dataset of rows with an id and a question."""

    def rows(count):
        return ray.data.from_items([{"id": i, "question": f"Question {i}"} for i in range(count)])

    return rows


@pytest.fixture
def session(aimlchat_emulator):
    """A session of which the actors get copies; each call makes one attempt."""
    once = RetryPolicy(attempts=1)
    return ChatSession("test-key-0123456789", base_url=aimlchat_emulator.base_url, retry=once)


@pytest.fixture
def answered(session):
    """Return a function that answers a dataset and returns its rows, in the order of their ids."""

    def answered(dataset, *args, **arguments):
        rows = answer(dataset, *args, **{"session": session} | arguments).take_all()
        return sorted(rows, key=lambda row: row.get("id", 0))

    return answered

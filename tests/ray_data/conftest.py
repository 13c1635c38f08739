"""A local Ray for all tests of this folder, which only ``nox -s ray`` runs."""

import pytest

# Ray uses what it calls deprecated itself, and leaves sockets to its workers.
WARNINGS = ("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")


def pytest_collection_modifyitems(items):
    for item in items:
        for warning in WARNINGS:
            item.add_marker(pytest.mark.filterwarnings(warning))

"""Sessions: ``nox`` runs tests, lint, types and docs; ``nox -s tests_everywhere`` every Python."""

from __future__ import annotations

import os
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "venv"
nox.options.sessions = ["tests", "lint", "types", "docs"]
# A Python that is not installed is no failure; `tests_everywhere` says which it passed over.
nox.options.error_on_missing_interpreters = False

PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]


def group(name: str) -> list[str]:
    """Return the packages of a dependency group of pyproject.toml."""
    return nox.project.dependency_groups(PROJECT, name)


def run_tests(session: nox.Session) -> None:
    """Install what a user installs, and what the tests need; then run them."""
    session.install(".[cli]", *group("tests"))
    session.run("pytest", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests on the Python that runs nox."""
    run_tests(session)


@nox.session(python=PYTHONS)
def tests_everywhere(session: nox.Session) -> None:
    """Run the tests on every Python that is found."""
    run_tests(session)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format."""
    session.install(*group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of the package, and of its public face as a user sees it."""
    session.install(".[cli]", *group("types"), *group("tests"))
    session.run("mypy")
    session.run("mypy", "tests/typing_public.py")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a broken link fails."""
    session.install(*group("docs"))
    site = Path(session.create_tmp(), "site")
    session.run("mkdocs", "build", "--strict", "-f", ".mkdocs.yml", "--site-dir", str(site))


@nox.session(default=False)
def coverage(session: nox.Session) -> None:
    """Report which branches the tests go through."""
    session.install("-e", ".[cli]", *group("tests"))
    # Started by coverage, and not by a plugin of pytest: aimlchat's own plugin is loaded earlier.
    session.run("coverage", "run", "-m", "pytest", *session.posargs)
    session.run("coverage", "report", "--skip-covered", "--show-missing")


PEERS = {
    "openai": ("openai[aiohttp]", ("openai", "openai-aiohttp")),
    "litellm": ("litellm", ("litellm",)),  # it pins an old openai
}


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure against hand-written loops, and SDKs that get an environment of their own each."""
    session.install(".[speed]")
    options = []
    for folder, (package, names) in PEERS.items():
        place = Path(session.create_tmp(), folder).resolve()
        session.run("python", "-m", "venv", str(place))
        python = str(place / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
        session.run(python, "-m", "pip", "install", "--quiet", package, external=True)
        options += [f"--peer={name}={python}" for name in names]
    session.run("python", "tests/benchmarks/run.py", *options, *session.posargs)

"""Development commands: ``nox -l`` lists them, ``nox`` runs tests, lint, types and docs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "venv"
nox.options.sessions = ["tests", "lint", "types", "docs", "ray"]
# `tests_everywhere` skips a Python that is not installed, and says so.
nox.options.error_on_missing_interpreters = False

PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)
SESSION_TESTS = ("tests/session", "tests/client")
PEERS = {
    # msgspec is for the server of pages that uses openai's client.
    "openai": (("openai[aiohttp]", "msgspec"), ("openai", "openai-aiohttp")),
    "litellm": (("litellm",), ("litellm",)),  # it pins an old openai
    "langchain": (("langchain-openai",), ("langchain",)),
}


def group(name: str) -> list[str]:
    """Return the packages of a dependency group of pyproject.toml."""
    return nox.project.dependency_groups(PROJECT, name)


def requirements() -> list[str]:
    """Return the run-time dependencies of pyproject.toml, such as "attrs>=23.2"."""
    dependencies: list[str] = PROJECT["project"]["dependencies"]
    return dependencies


def use_pythons_of_pyenv() -> None:
    """Add to PATH each supported Python that pyenv has installed and PATH lacks.

    pyenv's own shims do not count: they fail for every version that is not the selected one.
    """
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for version in PYTHONS:
        name = f"python{version}"
        installed = [str(path) for path in sorted(root.glob(f"versions/*/bin/{name}"))]
        candidates = [shutil.which(name), *reversed(installed)]
        usable = next(filter(makes_environments, candidates), None)
        if usable is not None and usable != candidates[0]:
            os.environ["PATH"] = f"{Path(usable).parent}{os.pathsep}{os.environ['PATH']}"


def makes_environments(python: str | None) -> bool:
    """Return whether an interpreter runs and can make virtual environments."""
    if python is None:
        return False
    command = [python, "-c", "import ensurepip, venv"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def run_session_tests(session: nox.Session) -> None:
    """Run the tests that depend on the versions of aiohttp, attrs and msgspec."""
    session.run("python", "-m", "pip", "list")
    session.run("pytest", *SESSION_TESTS, "tests/test_instruction_counts.py", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests on the Python that runs nox."""
    session.install(".[cli]", *group("tests"))
    session.run("pytest", *session.posargs)


@nox.session(default=False)
def soak(session: nox.Session) -> None:
    """Run the tests that take long: crowds, chaos, attacks, kills, all cuts, many examples."""
    session.install(".[cli,speed]", *group("tests"))
    session.run("pytest", *session.posargs, env={"AIMLCHAT_SOAK": "1"})


@nox.session(python=PYTHONS, default=False)
def tests_everywhere(session: nox.Session) -> None:
    """Run the tests of the session on every supported Python that is installed."""
    session.install(".", *group("session-tests"))
    run_session_tests(session)


@nox.session(python=PYTHONS, default=False)
def oldest(session: nox.Session) -> None:
    """Run the tests of the session with the oldest dependencies allowed, on every Python found."""
    bounds = [requirement.partition(",")[0] for requirement in requirements()]
    pins = [bound.replace(">=", "==") for bound in bounds]
    wheels = ["--only-binary=" + ",".join(bound.partition(">=")[0] for bound in bounds)]
    pip = ("python", "-m", "pip", "install", "--quiet")
    found = session.run(*pip, "--dry-run", *wheels, *pins, silent=True, success_codes=[0, 1])
    if "No matching distribution" in str(found):
        session.skip("one of the oldest dependencies has no wheel for this Python")
    session.install(*wheels, ".", *pins, *group("session-tests"))
    run_session_tests(session)


@nox.session(default=False)
def prereleases(session: nox.Session) -> None:
    """Run the tests of the session with pre-releases of the dependencies, where there are any."""
    session.install(".", *group("session-tests"))
    session.install("--pre", "--upgrade", *requirements())
    run_session_tests(session)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format."""
    session.install(*group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of the package, of its public API, and of the examples in the docs."""
    session.install(".[cli]", *group("types"), *group("tests"))
    session.run("mypy")
    snippets = Path(session.create_tmp(), "snippets").resolve()
    shutil.rmtree(snippets, ignore_errors=True)
    session.run("python", "tests/support/snippets.py", str(snippets))
    examples = [*Path("docs/examples").rglob("*.py"), *snippets.glob("*.py")]
    examples = [path for path in examples if not path.name.startswith("ray_")]  # see `ray`
    public = ["tests/typing_public.py", *map(str, sorted(examples))]
    session.run("mypy", *public)
    session.run("pyright", *public)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation in .nox/docs/tmp/site; a broken link is an error."""
    session.install(*group("docs"))
    session.run("python", "docs/site/build.py", session.create_tmp())


@nox.session
def ray(session: nox.Session) -> None:
    """Run the tests of aimlchat.ray on a local Ray, which takes 600 MB to install."""
    session.install(".[ray]", *group("session-tests"), "mypy")
    session.run("pytest", "tests/ray_data", *session.posargs)
    session.run("mypy", "docs/examples/ray_answers.py")


@nox.session(default=False)
def coverage(session: nox.Session) -> None:
    """Report which branches the tests cover."""
    session.install("-e", ".[cli]", *group("tests"))
    # Started by coverage instead of a pytest plugin, because pytest loads aimlchat's own plugin
    # before that one.
    session.run("coverage", "run", "-m", "pytest", *session.posargs)
    session.run("coverage", "report", "--skip-covered", "--show-missing")


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure against hand-written loops and against other SDKs, each in its own environment."""
    session.install(".[speed]")
    options = []
    for folder, (packages, names) in PEERS.items():
        environment = Path(session.create_tmp(), folder).resolve()
        session.run("python", "-m", "venv", str(environment))
        python = str(environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
        session.run(python, "-m", "pip", "install", "--quiet", *packages, external=True)
        options += [f"--peer={name}={python}" for name in names]
    session.run("python", "tests/benchmarks/run.py", *options, *session.posargs)


use_pythons_of_pyenv()

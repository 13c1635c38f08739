"""Packages of npm that tests need."""

import os
import shutil
import subprocess

import pytest

_OPTIONS = ("--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error")


def install_packages(manifest, cache, name):
    """Return a folder with the packages of a package.json.

    They are installed once, into the cache of pytest.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        skip_without("Node and npm are not installed")
    folder = cache.mkdir(f"aimlchat-{name}")
    wanted = manifest.read_text(encoding="utf-8")
    installed = folder / "installed.json"
    if not installed.exists() or installed.read_text(encoding="utf-8") != wanted:
        (folder / "package.json").write_text(wanted, encoding="utf-8")
        command = [npm, "install", *_OPTIONS]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            skip_without(f"npm cannot install what the tests need: {done.stderr}")
        installed.write_text(wanted, encoding="utf-8")
    return folder


def skip_without(reason):
    """Skip on a developer's machine; fail in CI, where nothing may be missing."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)

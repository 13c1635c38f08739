"""The npm packages of the AI SDK, each version in a folder of its own."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

VERSIONS = ("6", "7")
_PACKAGES = Path(__file__).parents[1] / "relay" / "ai_sdk"
_NPM_OPTIONS = ("--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error")


def install_ai_sdk(version, cache):
    """Return a folder with the packages of package-<version>.json.

    They are installed once, into the cache of pytest.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        skip_without("Node and npm are not installed")
    folder = cache.mkdir(f"aimlchat-ai-sdk-{version}")
    wanted = (_PACKAGES / f"package-{version}.json").read_text(encoding="utf-8")
    installed = folder / "installed.json"
    if not installed.exists() or installed.read_text(encoding="utf-8") != wanted:
        (folder / "package.json").write_text(wanted, encoding="utf-8")
        command = [npm, "install", *_NPM_OPTIONS]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            skip_without(f"npm cannot install what the tests need: {done.stderr}")
        installed.write_text(wanted, encoding="utf-8")
    return folder


def bundle(folder, source, *options):
    """Bundle a file of JavaScript for the browser with esbuild, and return the script."""
    copy = Path(shutil.copy(source, folder))
    target = folder / f"{copy.stem}.js"
    esbuild = folder / "node_modules" / ".bin" / "esbuild"
    options = ("--bundle", "--jsx=automatic", "--log-level=warning", *options)
    command = [esbuild, copy.name, *options, f"--outfile={target.name}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target.read_text(encoding="utf-8")


def skip_without(reason):
    """Skip on a developer's machine; fail in CI, where nothing may be missing."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)

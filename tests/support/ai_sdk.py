"""The npm packages of the AI SDK, each version in a folder of its own."""

import shutil
import subprocess
from pathlib import Path

from npm import install_packages

VERSIONS = ("6", "7")
_PACKAGES = Path(__file__).parents[1] / "relay" / "ai_sdk"


def install_ai_sdk(version, cache):
    """Return a folder with the packages of package-<version>.json."""
    return install_packages(_PACKAGES / f"package-{version}.json", cache, f"ai-sdk-{version}")


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

"""Shell completion: the scripts, and what they complete, in the shells that are installed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCES = str(Path(__file__).parents[2])
IDS = "openai/gpt-4o anthropic/claude-3.7-sonnet"


@pytest.fixture
def environment(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    script = bin_ / "aimlchat"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m aimlchat.cli "$@"\n')
    script.chmod(0o755)
    path = f"{bin_}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PYTHONPATH": SOURCES, "PATH": path, "XDG_CACHE_HOME": str(tmp_path)}


def complete(environment, *words, current=""):
    """Return what click completes for a command line."""
    return [value for _, value in complete_items(environment, *words, current=current)]


def complete_items(environment, *words, current=""):
    """Return pairs of a type and a value, as the scripts get them."""
    line = " ".join(("aimlchat", *words, current))
    variables = {
        "_AIMLCHAT_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) + 1),
    }
    done = subprocess.run(
        [sys.executable, "-m", "aimlchat.cli"],
        env=environment | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    return [tuple(item.split(",", 1)) for item in done.stdout.split()]


def test_commands_and_options_are_completed(environment):
    assert complete(environment, current="mo") == ["models"]
    assert "--temperature" in complete(environment, "ask", current="--te")


def test_model_ids_are_those_that_were_listed_last(environment, tmp_path):
    (tmp_path / "aimlchat").mkdir()
    (tmp_path / "aimlchat" / "models").write_text(IDS.replace(" ", "\n"))
    found = complete(environment, "ask", "--model", current="open")
    assert found == ["openai/gpt-4o"]


@pytest.mark.parametrize(("typed", "count"), [("Claude-3", 1), ("anthropic/claude-", 1), ("4o", 0)])
def test_a_model_is_completed_with_and_without_its_vendor(environment, tmp_path, typed, count):
    # A shell replaces "4o" by what all ids with it have in common, which need not hold it.
    (tmp_path / "aimlchat").mkdir()
    (tmp_path / "aimlchat" / "models").write_text(IDS.replace(" ", "\n"))
    found = complete(environment, "ask", "--model", current=typed)
    assert found == ["anthropic/claude-3.7-sonnet"] * count


@pytest.mark.parametrize(
    "words", [("ask", "--attach"), ("ask", "--schema"), ("batch",), ("batch", "-o")]
)
def test_the_shell_completes_files(environment, words):
    assert complete_items(environment, *words, current="inv") == [("file", "inv")]


def test_without_a_list_the_default_model_is_completed(environment):
    found = complete(environment | {"AIMLAPI_MODEL": "my/own"}, "ask", "--model")
    assert found == ["anthropic/claude-3.7-sonnet", "my/own"]


async def test_listing_the_models_keeps_their_ids(invoke, emulator, environment, tmp_path):
    await invoke("models", "--base-url", emulator.base_url, key=None)
    assert "openai/gpt-4o" in (tmp_path / "aimlchat" / "models").read_text().split()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
async def test_the_script_of_each_shell_is_printed(invoke, shell):
    result = await invoke("completion", shell)
    assert result.exit_code == 0
    assert "_AIMLCHAT_COMPLETE" in result.stdout


def test_bash_takes_the_script(environment):
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("this machine has no bash")
    code = (
        'eval "$(aimlchat completion bash)"; COMP_WORDS=(aimlchat mod); COMP_CWORD=1;'
        " _aimlchat_completion aimlchat mod aimlchat; echo ${COMPREPLY[@]}"
    )
    done = subprocess.run(
        [bash, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["models"], done.stderr

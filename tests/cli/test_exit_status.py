"""The exit statuses of the command line as a shell sees them."""

import pytest


async def test_a_missing_key_is_status_2_and_explained_in_two_lines(start_process):
    status, out, err = await (await start_process("ask", "Why?")).wait()
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 2
    for text in ("AIMLAPI_API_KEY", "https://aimlapi.com/app/keys", "--emulator"):
        assert text in err


async def test_the_first_command_of_the_readme_is_status_0(start_process):
    without_pauses = "from aimlchat.cli import upstream; upstream._EMULATOR_PACE = 0"
    process = await start_process(
        *("ask", "--emulator", "--thinking", "2048", "Why is the sky blue?"),
        terminal="stdout",
        before=without_pauses,
    )
    status, out, err = await process.wait()
    assert status == 0
    assert out.startswith("\x1b[2m")
    assert "blue" in out
    assert "nothing was charged" in err


async def test_an_error_of_the_api_is_status_1(start_ask, emulator):
    emulator.fail(status=401)
    status, out, err = await (await start_ask("Why?")).wait()
    assert (status, out) == (1, "")
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("ask", "--nonsense"), ("ask", "--thinking", "much", "Why?")]
)
async def test_wrong_usage_is_status_2(start_process, arguments):
    status, out, err = await (await start_process(*arguments, AIMLAPI_API_KEY="k")).wait()
    assert (status, out) == (2, "")
    assert "Traceback" not in err


@pytest.mark.parametrize("missing", ["click", "markdown_it", "prompt_toolkit", "rich"])
async def test_a_missing_extra_is_status_2_and_one_line_says_what_to_install(
    start_process, missing
):
    blocker = f"""
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {missing!r}:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Blocker())
"""
    status, out, err = await (await start_process("ask", "Why?", before=blocker)).wait()
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert f"{missing} cannot be imported" in err
    assert 'pip install ".[cli]"' in err

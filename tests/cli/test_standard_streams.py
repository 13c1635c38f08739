"""Standard input and output of the command line: terminals, pipes and closed streams."""

import json
import re

import pytest

DELTAS = [("reasoning_content", "Let me think."), ("content", "The answer")]

# --- standard output -----------------------------------------------------------------------------


async def test_a_terminal_shows_the_reasoning_dimmed_and_the_answer_plain(
    start_ask, emulator, encode_chunks
):
    emulator.reply(events=[encode_chunks(*DELTAS), "[DONE]"])
    process = await start_ask("Why?", terminal="stdout")
    status, out, _ = await process.wait()
    assert status == 0
    assert out == "\x1b[2mLet me think.\x1b[0m\r\n\r\nThe answer\r\n"


async def test_on_a_terminal_a_blank_line_precedes_the_dimmed_summary(
    start_ask, emulator, encode_chunks
):
    emulator.reply(events=[encode_chunks(*DELTAS), "[DONE]"])
    process = await start_ask("Why?", terminal="all")
    _, out, _ = await process.wait()
    answer, _, summary = out.partition("The answer\r\n\r\n")
    assert answer
    assert re.fullmatch(r"\x1b\[2m.* first token after .* s\x1b\[0m\r\n", summary)


async def test_a_dumb_terminal_gets_no_escape_codes(start_ask, emulator, encode_chunks):
    emulator.reply(events=[encode_chunks(*DELTAS), "[DONE]"])
    process = await start_ask("Why?", terminal="all", TERM="dumb")
    _, out, _ = await process.wait()
    assert out.startswith("Let me think.\r\n\r\nThe answer\r\n\r\n")
    assert "\x1b" not in out


async def test_no_reasoning_hides_the_reasoning_on_a_terminal(start_ask, emulator, encode_chunks):
    emulator.reply(events=[encode_chunks(*DELTAS), "[DONE]"])
    process = await start_ask("--no-reasoning", "Why?", terminal="stdout")
    _, out, _ = await process.wait()
    assert out == "The answer\r\n"


async def test_a_pipe_gets_plain_text_even_if_the_environment_forces_colors(
    start_ask, emulator, encode_chunks
):
    emulator.reply(events=[encode_chunks(*DELTAS), "[DONE]"])
    process = await start_ask("Why?", FORCE_COLOR="1", TTY_COMPATIBLE="1")
    status, out, err = await process.wait()
    assert (status, out) == (0, "The answer\n")
    assert "\x1b" not in err


async def test_the_text_of_a_delta_is_printed_before_the_next_delta_arrives(
    start_ask, reply_and_hang
):
    reply_and_hang(("content", "The answer"))
    process = await start_ask("Why?")
    assert await process.read_until("The answer") == "The answer"


async def test_characters_that_the_output_cannot_encode_are_replaced(start_ask, emulator):
    emulator.reply("青 é ok")
    process = await start_ask("Why?", PYTHONIOENCODING="ascii")
    status, out, err = await process.wait()
    assert (status, out) == (0, "? ? ok\n")
    assert "Traceback" not in err


async def test_the_command_ends_quietly_when_the_reader_of_the_pipe_leaves(
    start_ask, emulator, encode_chunks
):
    long = encode_chunks(*[("content", "line\n" * 1000)] * 200)
    emulator.reply(events=[long, "[DONE]"])
    process = await start_ask("Why?")
    await process.read_until("line")
    process.close_stdout()
    assert await process.process.stderr.read() == b""
    assert await process.process.wait() == 1


async def test_help_into_a_closed_pipe_is_quiet(start_process):
    process = await start_process("--help")
    process.close_stdout()
    assert await process.process.stderr.read() == b""
    await process.process.wait()


# --- standard input ------------------------------------------------------------------------------


async def test_with_a_prompt_a_silent_standard_input_is_not_read(start_process, emulator):
    emulator.reply("Yes.")
    code = "import os; r, w = os.pipe(); os.dup2(r, 0)"  # stays open without data
    process = await start_process(
        "ask", "--base-url", emulator.base_url, "Why?", before=code, AIMLAPI_API_KEY="k"
    )
    assert (await process.wait())[:2] == (0, "Yes.\n")


async def test_a_pipe_is_read_as_the_prompt(start_ask, emulator):
    process = await start_ask(stdin=b"Why is the sky blue?\n")
    assert (await process.wait())[0] == 0
    assert "Why is the sky blue?" in json.dumps(emulator.requests[0].body)


async def test_on_a_terminal_a_missing_prompt_is_an_error_with_an_example(start_ask, emulator):
    process = await start_ask(terminal="all")
    status, out, _ = await process.wait()
    assert status == 2
    assert "Give a prompt" in out
    assert emulator.requests == []


@pytest.mark.parametrize("closed", [0, 1, 2])
async def test_a_closed_standard_stream_causes_no_traceback(start_process, emulator, closed):
    emulator.reply("Yes.")
    # Like `<&-` and `>&-` in a shell: the stream is closed before Python starts.
    close_and_restart = f"""
import os, sys
if "restarted" not in os.environ:
    os.environ["restarted"] = "1"
    os.close({closed})
    os.execv(sys.executable, sys.orig_argv)
"""
    process = await start_process(
        "ask",
        "--base-url",
        emulator.base_url,
        "Why?",
        before=close_and_restart,
        AIMLAPI_API_KEY="k",
    )
    status, out, err = await process.wait()
    assert status == 0
    assert out == ("" if closed == 1 else "Yes.\n")
    assert "Traceback" not in err

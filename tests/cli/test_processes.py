"""The command line as a shell meets it: terminals, pipes, signals and exit statuses."""

import asyncio
import json
import re
import socket

import pytest

GPT = "openai/gpt-4o"
STEPS = [("reasoning_content", "Let me think."), ("content", "The answer")]


@pytest.fixture
def start_ask(start, emulator):
    async def start_ask(*arguments, **how):
        to = ("--base-url", emulator.base_url, "--model", GPT)
        return await start("ask", *to, *arguments, AIMLAPI_API_KEY="k", **how)

    return start_ask


# --- where it writes -----------------------------------------------------------------------------


async def test_a_terminal_sees_reasoning_dimmed_and_the_answer_plain(start_ask, emulator, chunks):
    emulator.reply(events=[chunks(*STEPS), "[DONE]"])
    process = await start_ask("Why?", terminal="stdout")
    status, out, _ = await process.end()
    assert status == 0
    assert out == "\x1b[2mLet me think.\x1b[0m\r\n\r\nThe answer\r\n"


async def test_on_a_terminal_the_summary_stands_apart_and_dimmed(start_ask, emulator, chunks):
    emulator.reply(events=[chunks(*STEPS), "[DONE]"])
    process = await start_ask("Why?", terminal="all")
    _, out, _ = await process.end()
    answer, _, summary = out.partition("The answer\r\n\r\n")
    assert answer
    assert re.fullmatch(r"\x1b\[2m.* first token after .* s\x1b\[0m\r\n", summary)


async def test_a_dumb_terminal_gets_no_escape_codes(start_ask, emulator, chunks):
    emulator.reply(events=[chunks(*STEPS), "[DONE]"])
    process = await start_ask("Why?", terminal="all", TERM="dumb")
    _, out, _ = await process.end()
    assert out.startswith("Let me think.\r\n\r\nThe answer\r\n\r\n")
    assert "\x1b" not in out


async def test_no_reasoning_hides_it_on_a_terminal(start_ask, emulator, chunks):
    emulator.reply(events=[chunks(*STEPS), "[DONE]"])
    process = await start_ask("--no-reasoning", "Why?", terminal="stdout")
    assert (await process.end())[1] == "The answer\r\n"


async def test_a_pipe_gets_plain_text_even_where_colors_are_forced(start_ask, emulator, chunks):
    emulator.reply(events=[chunks(*STEPS), "[DONE]"])
    process = await start_ask("Why?", FORCE_COLOR="1", TTY_COMPATIBLE="1")
    status, out, err = await process.end()
    assert (status, out) == (0, "The answer\n")
    assert "\x1b" not in err


async def test_each_piece_arrives_before_the_next_is_sent(start_ask, stuck):
    stuck(("content", "The answer"))
    process = await start_ask("Why?")
    assert await process.read_until("The answer") == b"The answer"


async def test_output_that_knows_no_unicode_is_no_reason_to_fail(start_ask, emulator):
    emulator.reply("青 é ok")
    process = await start_ask("Why?", PYTHONIOENCODING="ascii")
    status, out, err = await process.end()
    assert (status, out) == (0, "? ? ok\n")
    assert "Traceback" not in err


async def test_a_reader_that_leaves_ends_it_quietly(start_ask, emulator, chunks):
    long = chunks(*[("content", "line\n" * 1000)] * 200)
    emulator.reply(events=[long, "[DONE]"])
    process = await start_ask("Why?")
    await process.read_until("line")
    process.process._transport.get_pipe_transport(1).close()
    assert await process.process.stderr.read() == b""
    assert await process.process.wait() == 1


async def test_help_and_version_into_a_closed_pipe_are_quiet(start):
    process = await start("--help")
    process.process._transport.get_pipe_transport(1).close()
    assert await process.process.stderr.read() == b""
    await process.process.wait()


# --- what it reads -------------------------------------------------------------------------------


async def test_with_a_prompt_a_silent_standard_input_is_not_waited_for(start, emulator):
    emulator.reply("Yes.")
    code = "import os; r, w = os.pipe(); os.dup2(r, 0)"  # open for ever, and nobody writes
    process = await start(
        "ask", "--base-url", emulator.base_url, "Why?", before=code, AIMLAPI_API_KEY="k"
    )
    assert (await process.end())[:2] == (0, "Yes.\n")


async def test_a_pipe_is_the_prompt(start_ask, emulator):
    process = await start_ask(stdin=b"Why is the sky blue?\n")
    assert (await process.end())[0] == 0
    assert "Why is the sky blue?" in json.dumps(emulator.requests[0].body)


async def test_without_a_prompt_a_terminal_is_told_how_to_give_one(start_ask, emulator):
    process = await start_ask(terminal="all")
    status, out, _ = await process.end()
    assert status == 2
    assert "Give a prompt" in out
    assert emulator.requests == []


@pytest.mark.parametrize("closed", [0, 1, 2])
async def test_a_closed_standard_stream_is_no_reason_for_a_traceback(start, emulator, closed):
    emulator.reply("Yes.")
    # As the shell's `<&-` and `>&-` do it: before Python starts.
    close_and_start_again = f"""
import os, sys
if "again" not in os.environ:
    os.environ["again"] = "1"
    os.close({closed})
    os.execv(sys.executable, sys.orig_argv)
"""
    process = await start(
        "ask",
        "--base-url",
        emulator.base_url,
        "Why?",
        before=close_and_start_again,
        AIMLAPI_API_KEY="k",
    )
    status, out, err = await process.end()
    assert status == 0
    assert out == ("" if closed == 1 else "Yes.\n")
    assert "Traceback" not in err


# --- Ctrl-C --------------------------------------------------------------------------------------


async def test_ctrl_c_in_the_middle_of_an_answer(start_ask, emulator, stuck):
    stuck(*STEPS)
    process = await start_ask("Why?")
    await process.read_until("The answer")
    process.interrupt()
    assert await process.end() == (130, "The answer\n", "")
    await emulator.requests[0].finished()
    assert emulator.requests[0].outcome == "left"


@pytest.mark.parametrize("steps", [STEPS[:1], STEPS])
async def test_ctrl_c_typed_on_a_terminal_leaves_a_clean_line(start_ask, stuck, steps):
    stuck(*steps)
    process = await start_ask("Why?", terminal="all")
    await process.read_until(steps[-1][1])
    process.type(b"\x03")
    status, out, _ = await process.end()
    assert status == 130
    # ^C is the terminal's echo; the style was switched off before it.
    assert out.endswith("^C\r\n")
    assert out.count("\x1b[2m") == out.count("\x1b[0m") == 1
    assert not out.endswith("\r\n\r\n")


async def test_ctrl_c_before_the_first_token(start_ask, emulator):
    emulator.reply(events=[b": ping\n\n", "never sent"], pace=3600)
    process = await start_ask("Why?", terminal="all", before=SAY_WHEN_SENT)
    await process.read_until("sent\n")
    process.type(b"\x03")
    status, out, _ = await process.end()
    assert status == 130
    assert out.endswith("^C\r\n")
    assert "Traceback" not in out


# Prints "sent" when the head of the answer has come.
SAY_WHEN_SENT = """
from aimlchat.iterators import DeltaStream
enter = DeltaStream.__aenter__
async def __aenter__(self):
    await enter(self)
    print("sent\\n", end="", flush=True)
    return self
DeltaStream.__aenter__ = __aenter__
"""

# The look-up of a host's name that never ends, in the thread in which asyncio does it.
NO_NAME_SERVER = """
import socket, threading
def getaddrinfo(*args, **options):
    print("looking up\\n", end="", flush=True)
    threading.Event().wait()
socket.getaddrinfo = getaddrinfo
"""


async def test_ctrl_c_while_a_name_is_looked_up(start):
    process = await start(
        "ask", "--base-url", "http://example.org/v1", "Why?",
        before=NO_NAME_SERVER, AIMLAPI_API_KEY="k",
    )  # fmt: skip
    await process.read_until("looking up\n")
    process.interrupt()
    assert await process.end() == (130, "looking up\n", "")


async def test_ctrl_c_while_nobody_answers_the_connection(start):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        process = await start("ask", "--base-url", address, "Why?", AIMLAPI_API_KEY="k")
        connection, _ = await _accepted(silent)
        with connection:
            process.interrupt()
            assert await process.end() == (130, "", "")


async def _accepted(server):
    server.setblocking(False)  # noqa: FBT003
    return await asyncio.get_running_loop().sock_accept(server)


SAY_WHEN_READING = """
from aimlchat.cli import question
read = question._standard_input
def _standard_input():
    print("reading\\n", end="", flush=True)
    return read()
question._standard_input = _standard_input
"""


async def test_ctrl_c_while_the_prompt_is_typed(start_ask, emulator):
    process = await start_ask("-", terminal="all", before=SAY_WHEN_READING)
    await process.read_until("reading\n")
    process.type(b"Why is")
    await process.read_until("Why is")
    process.type(b"\x03")
    status, out, _ = await process.end()
    assert status == 130
    assert out.endswith("^C\r\n")
    assert "Traceback" not in out
    assert emulator.requests == []


async def test_ctrl_c_with_json_prints_no_half_document(start_ask, stuck, emulator):
    stuck(*STEPS)
    process = await start_ask("--json", "Why?", before=SAY_WHEN_SENT)
    await process.read_until("sent\n")
    process.interrupt()
    assert await process.end() == (130, "sent\n", "")


# --- statuses ------------------------------------------------------------------------------------


async def test_without_a_key_it_says_so_in_two_lines(start):
    status, out, err = await (await start("ask", "Why?")).end()
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 2
    for needed in ("AIMLAPI_API_KEY", "https://aimlapi.com/app/keys", "--emulator"):
        assert needed in err


async def test_the_first_command_of_the_readme(start):
    at_once = "from aimlchat.cli import connection; connection._EMULATOR_PACE = 0"
    process = await start(
        "ask", "--emulator", "Why is the sky blue?", terminal="stdout", before=at_once
    )
    status, out, err = await process.end()
    assert status == 0
    assert out.startswith("\x1b[2m")
    assert "blue" in out
    assert "nothing was charged" in err


async def test_a_failure_has_status_1(start_ask, emulator):
    emulator.fail(status=401)
    status, out, err = await (await start_ask("Why?")).end()
    assert (status, out) == (1, "")
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("ask", "--nonsense"), ("ask", "--thinking", "much", "Why?")]
)
async def test_a_wrong_command_has_status_2(start, arguments):
    status, out, err = await (await start(*arguments, AIMLAPI_API_KEY="k")).end()
    assert (status, out) == (2, "")
    assert "Traceback" not in err


@pytest.mark.parametrize("missing", ["click", "rich"])
async def test_without_the_extra_one_line_says_what_to_install(start, missing):
    blocker = f"""
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {missing!r}:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Blocker())
"""
    status, out, err = await (await start("ask", "Why?", before=blocker)).end()
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert 'pip install "aimlchat[cli]"' in err

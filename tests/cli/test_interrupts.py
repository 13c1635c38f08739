"""Ctrl-C at every stage of a command."""

import asyncio
import socket
import termios

import pytest

DELTAS = [("reasoning_content", "Let me think."), ("content", "The answer")]


async def test_ctrl_c_during_an_answer_closes_the_connection(start_ask, emulator, reply_and_hang):
    reply_and_hang(*DELTAS)
    process = await start_ask("Why?")
    await process.read_until("The answer")
    process.interrupt()
    assert await process.wait() == (130, "The answer\n", "")
    await emulator.requests[0].finished()
    assert emulator.requests[0].outcome == "left"


@pytest.mark.parametrize("deltas", [DELTAS[:1], DELTAS])
async def test_ctrl_c_on_a_terminal_resets_the_style_and_ends_the_line(
    start_ask, reply_and_hang, deltas
):
    reply_and_hang(*deltas)
    process = await start_ask("Why?", terminal="all")
    await process.read_until(deltas[-1][1])
    process.type(b"typed\x03")
    status, out, _ = await process.wait()
    assert status == 130
    assert out.endswith("\r\n")
    assert out.count("\x1b[2m") == out.count("\x1b[0m") == 1
    assert not out.endswith("\r\n\r\n")
    assert "typed" not in out  # it would move the cursor, so it is not echoed
    assert termios.tcgetattr(process.terminal)[3] & termios.ECHO


async def test_ctrl_c_before_the_first_token_ends_the_command(start_ask, emulator):
    emulator.reply(events=[b": ping\n\n", "never sent"], pace=3600)
    process = await start_ask("Why?", terminal="all", before=PRINT_WHEN_SENT)
    await process.read_until("sent\n")
    process.type(b"\x03")
    status, out, _ = await process.wait()
    assert status == 130
    assert out.endswith("^C\r\n")
    assert "Traceback" not in out


# Prints "sent" once the response headers have arrived.
PRINT_WHEN_SENT = """
from aimlchat.stream import DeltaStream
enter = DeltaStream.__aenter__
async def __aenter__(self):
    await enter(self)
    print("sent\\n", end="", flush=True)
    return self
DeltaStream.__aenter__ = __aenter__
"""

# A look-up of a host name that never ends; asyncio runs it in a thread.
HANGING_LOOK_UP = """
import socket, threading
def getaddrinfo(*args, **options):
    print("looking up\\n", end="", flush=True)
    threading.Event().wait()
socket.getaddrinfo = getaddrinfo
"""


async def test_ctrl_c_during_the_look_up_of_a_host_name_ends_the_command(start_process):
    process = await start_process(
        "ask", "--base-url", "http://example.org/v1", "Why?",
        before=HANGING_LOOK_UP, AIMLAPI_API_KEY="k",
    )  # fmt: skip
    await process.read_until("looking up\n")
    process.interrupt()
    assert await process.wait() == (130, "looking up\n", "")


async def test_ctrl_c_while_the_server_does_not_respond_ends_the_command(start_process):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        process = await start_process("ask", "--base-url", address, "Why?", AIMLAPI_API_KEY="k")
        silent.setblocking(False)  # noqa: FBT003
        connection, _ = await asyncio.get_running_loop().sock_accept(silent)
        with connection:
            process.interrupt()
            assert await process.wait() == (130, "", "")


# Prints "reading" right before the prompt is read from standard input.
PRINT_WHEN_READING = """
import io, sys
class Input(io.TextIOWrapper):
    @property
    def buffer(self):
        print("reading\\n", end="", flush=True)
        return super().buffer
sys.stdin = Input(sys.stdin.detach(), encoding="utf-8")
"""


async def test_ctrl_c_while_the_user_types_the_prompt_ends_the_command(start_ask, emulator):
    process = await start_ask("-", terminal="all", before=PRINT_WHEN_READING)
    await process.read_until("reading\n")
    process.type(b"Why is")
    await process.read_until("Why is")
    process.type(b"\x03")
    status, out, _ = await process.wait()
    assert status == 130
    assert out.endswith("^C\r\n")
    assert "Traceback" not in out
    assert emulator.requests == []


async def test_ctrl_c_with_json_prints_no_document(start_ask, reply_and_hang):
    reply_and_hang(*DELTAS)
    process = await start_ask("--json", "Why?", before=PRINT_WHEN_SENT)
    await process.read_until("sent\n")
    process.interrupt()
    assert await process.wait() == (130, "sent\n", "")

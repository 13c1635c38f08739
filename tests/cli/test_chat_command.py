"""``aimlchat chat`` with questions from a pipe, and on a terminal."""

import pytest

# The line editor switches bracketed paste on when it shows its prompt.
PROMPT = "\x1b[?2004h"


@pytest.fixture
def start_chat(start_process, emulator):
    async def start_chat(*arguments, **options):
        return await start_process(
            "chat",
            "--base-url",
            emulator.base_url,
            *arguments,
            **{"AIMLAPI_API_KEY": "test-key", **options},
        )

    return start_chat


async def read_prompts(process, count):
    """Read until the prompt was shown so many times: a key that is typed earlier may be lost."""
    while process.output.decode(errors="replace").count(PROMPT) < count:
        process.output += await process._read()


def messages_of(request):
    return [(message["role"], message["content"]) for message in request.body["messages"]]


async def test_each_line_of_a_pipe_is_a_question_and_is_sent_with_the_turns_before_it(
    start_chat, emulator
):
    emulator.reply("Rayleigh.")
    emulator.reply("Red.")
    process = await start_chat(stdin=b"Why is it blue?\n\nAnd at dusk?\n")
    status, out, err = await process.wait()

    assert (status, out) == (0, "Rayleigh.\nRed.\n")
    assert err.count("tokens out") == 2
    assert messages_of(emulator.requests[1]) == [
        ("user", "Why is it blue?"),
        ("assistant", "Rayleigh."),
        ("user", "And at dusk?"),
    ]


async def test_a_turn_goes_back_with_what_the_model_needs(start_chat, emulator):
    emulator.reply("Rayleigh.", reasoning="Hm.")
    process = await start_chat("--model", "moonshot/kimi-k2-6", stdin=b"Why?\nAnd at dusk?\n")
    await process.wait()
    assert emulator.requests[1].body["messages"][1]["reasoning_content"] == "Hm."


async def test_new_starts_a_new_conversation(start_chat, emulator):
    process = await start_chat("--system", "Be brief.", stdin=b"One\n/new\nTwo\n/quit\nThree\n")
    status, _, _ = await process.wait()

    assert status == 0
    assert messages_of(emulator.requests[1]) == [("system", "Be brief."), ("user", "Two")]
    assert len(emulator.requests) == 2


async def test_with_a_pipe_the_first_failure_ends_the_command_with_status_1(start_chat, emulator):
    emulator.fail(status=400, message="No such thing.")
    process = await start_chat(stdin=b"One\nTwo\n")
    status, out, err = await process.wait()

    assert (status, out) == (1, "")
    assert "No such thing." in err
    assert len(emulator.requests) == 1


async def test_without_a_key_nothing_is_sent(start_chat, emulator):
    process = await start_chat(stdin=b"One\n", AIMLAPI_API_KEY="")
    status, _, err = await process.wait()

    assert status == 2
    assert "AIMLAPI_API_KEY" in err
    assert emulator.requests == []


async def test_an_invalid_option_is_reported_before_anything_is_sent(start_chat, emulator):
    process = await start_chat("--thinking", "5", stdin=b"One\n")
    status, _, err = await process.wait()

    assert status == 2
    assert "1024" in err
    assert emulator.requests == []


async def test_on_a_terminal_the_conversation_continues_after_a_failure(start_chat, emulator):
    emulator.fail(status=400, message="No such thing.")
    emulator.reply("Here I am.")
    process = await start_chat("--no-history", terminal="all")
    await process.read_until(PROMPT)
    process.type(b"One\n")
    await process.read_until("No such thing.")
    process.type(b"Two\n")
    await process.read_until("Here I am.")
    process.type(b"/quit\n")
    status, _, _ = await process.wait()

    assert status == 0
    assert messages_of(emulator.requests[1]) == [("user", "Two")]


async def test_ctrl_c_stops_an_answer_and_keeps_the_text_so_far(
    start_chat, emulator, reply_and_hang
):
    reply_and_hang(("content", "The answer is"))
    process = await start_chat("--no-history", terminal="all")
    await process.read_until(PROMPT)
    process.type(b"One\n")
    await process.read_until("The answer is")
    process.type(b"\x03")
    await process.read_until("Stopped.")
    emulator.reply("More.")
    process.type(b"Two\n")
    await process.read_until("More.")
    await read_prompts(process, 3)
    process.type(b"\x04")
    status, _, _ = await process.wait()

    assert status == 0
    assert messages_of(emulator.requests[1]) == [
        ("user", "One"),
        ("assistant", "The answer is"),
        ("user", "Two"),
    ]


async def test_ctrl_c_at_the_prompt_ends_the_command_with_status_130(start_chat):
    process = await start_chat("--no-history", terminal="all")
    await process.read_until(PROMPT)
    process.type(b"\x03")
    status, out, err = await process.wait()

    assert status == 130
    assert "Traceback" not in out + err


async def test_without_escape_codes_lines_are_read_by_the_terminal(start_chat, emulator):
    emulator.reply("**Here** I am.")
    process = await start_chat(terminal="all", NO_COLOR="1")
    await process.read_until("> ")
    process.type(b"One\\\n")
    await process.read_until(".. ")
    process.type(b"Two\n")
    await process.read_until("I am.")
    process.type(b"/modl\n")
    await process.read_until("did you mean /model?")
    process.type(b"\x04")
    status, out, _ = await process.wait()

    assert status == 0
    assert messages_of(emulator.requests[0]) == [("user", "One\nTwo")]
    assert "**Here** I am." in out
    assert "\x1b" not in out


async def test_a_pipe_has_no_commands_that_write_files(start_chat, emulator, tmp_path):
    path = tmp_path / "talk.md"
    process = await start_chat(stdin=f"One\n/save {path}\n//x\n".encode())
    await process.wait()

    assert not path.exists()
    assert [messages_of(request)[-1][1] for request in emulator.requests] == [
        "One",
        f"/save {path}",
        "//x",
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"\xff\n", "standard input is not UTF-8 text (byte 0)"),
        (b"x\0" + bytes(100_000), "standard input is binary, not text (byte 1 is zero)"),
        (b"x" * 200_000, "no model takes more than 100,000 of text"),
    ],
)
async def test_a_line_that_is_no_question_ends_a_conversation_from_a_pipe(
    invoke, emulator, monkeypatch, line, message
):
    monkeypatch.setattr("aimlchat.cli.prompt._MAX_PROMPT_BYTES", 100_000)
    for questions, status in ((b"", 2), (b"Why?\n", 1)):
        result = await invoke("chat", "--base-url", emulator.base_url, stdin=questions + line)
        assert result.exit_code == status
        assert message in result.stderr.splitlines()[-1]
    assert len(emulator.requests) == 1

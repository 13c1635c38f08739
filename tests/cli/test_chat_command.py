"""``aimlchat chat``: from a pipe, and on a terminal as a person uses it."""

import pytest


@pytest.fixture
def start_chat(start, emulator):
    async def start_chat(*arguments, **rest):
        return await start(
            "chat",
            "--base-url",
            emulator.base_url,
            *arguments,
            **{"AIMLAPI_API_KEY": "test-key", **rest},
        )

    return start_chat


def said(request):
    return [(message["role"], message["content"]) for message in request.body["messages"]]


async def test_each_line_of_a_pipe_is_a_question_and_the_model_knows_those_before(
    start_chat, emulator
):
    emulator.reply("Rayleigh.")
    emulator.reply("Red.")
    process = await start_chat(stdin=b"Why is it blue?\n\nAnd at dusk?\n")
    status, out, err = await process.end()

    assert (status, out) == (0, "Rayleigh.\nRed.\n")
    assert err.count("tokens out") == 2
    assert said(emulator.requests[1]) == [
        ("user", "Why is it blue?"),
        ("assistant", "Rayleigh."),
        ("user", "And at dusk?"),
    ]


async def test_new_forgets_the_conversation(start_chat, emulator):
    process = await start_chat("--system", "Be brief.", stdin=b"One\n/new\nTwo\n/quit\nThree\n")
    status, _, _ = await process.end()

    assert status == 0
    assert said(emulator.requests[1]) == [("system", "Be brief."), ("user", "Two")]
    assert len(emulator.requests) == 2


async def test_a_failure_ends_a_pipe_with_status_1(start_chat, emulator):
    emulator.fail(status=400, message="No such thing.")
    process = await start_chat(stdin=b"One\nTwo\n")
    status, out, err = await process.end()

    assert (status, out) == (1, "")
    assert "No such thing." in err
    assert len(emulator.requests) == 1


async def test_without_a_key_nothing_is_asked(start_chat, emulator):
    process = await start_chat(stdin=b"One\n", AIMLAPI_API_KEY="")
    status, _, err = await process.end()

    assert status == 2
    assert "AIMLAPI_API_KEY" in err
    assert emulator.requests == []


async def test_a_wrong_option_is_told_before_anything_is_asked(start_chat, emulator):
    process = await start_chat("--thinking", "5", stdin=b"One\n")
    status, _, err = await process.end()

    assert status == 2
    assert "1024" in err
    assert emulator.requests == []


async def test_on_a_terminal_a_failure_is_told_and_the_talk_goes_on(start_chat, emulator):
    emulator.fail(status=400, message="No such thing.")
    emulator.reply("Here I am.")
    process = await start_chat(terminal="all")
    await process.read_until("> ")
    process.type(b"One\n")
    await process.read_until("No such thing.")
    process.type(b"Two\n")
    await process.read_until("Here I am.")
    process.type(b"/quit\n")
    status, _, _ = await process.end()

    assert status == 0
    assert said(emulator.requests[1]) == [("user", "Two")]


async def test_ctrl_c_stops_an_answer_and_keeps_what_has_come(start_chat, emulator, stuck):
    stuck(("content", "The answer is"))
    process = await start_chat(terminal="all")
    await process.read_until("> ")
    process.type(b"One\n")
    await process.read_until("The answer is")
    process.type(b"\x03")
    await process.read_until("Stopped.")
    emulator.reply("More.")
    process.type(b"Two\n")
    await process.read_until("More.")
    process.type(b"\x04")
    status, _, _ = await process.end()

    assert status == 0
    assert said(emulator.requests[1]) == [
        ("user", "One"),
        ("assistant", "The answer is"),
        ("user", "Two"),
    ]


async def test_ctrl_c_at_the_prompt_leaves_with_status_130(start_chat):
    process = await start_chat(terminal="all")
    await process.read_until("> ")
    process.type(b"\x03")
    status, out, err = await process.end()

    assert status == 130
    assert "Traceback" not in out + err

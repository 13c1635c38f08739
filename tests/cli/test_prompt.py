"""The prompt of ``aimlchat ask``: arguments and standard input."""

import pytest

PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)


def sent_prompt(emulator):
    (request,) = emulator.requests
    content = request.body["messages"][-1]["content"]
    return content if isinstance(content, str) else content[-1]["text"]


@pytest.mark.parametrize("arguments", [(), ("-",)])
async def test_without_an_argument_standard_input_is_the_prompt(ask, emulator, arguments):
    await ask(*arguments, stdin="Why is\nthe sky blue?\n")
    assert sent_prompt(emulator) == "Why is\nthe sky blue?"


async def test_a_dash_after_the_prompt_appends_standard_input(ask, emulator):
    await ask("What is wrong?", "-", stdin="log 1\nlog 2\n")
    assert sent_prompt(emulator) == "What is wrong?\n\nlog 1\nlog 2"


async def test_a_prompt_without_a_dash_leaves_standard_input_unread(ask, emulator):
    await ask("What is wrong?", stdin="log")
    assert sent_prompt(emulator) == "What is wrong?"


async def test_standard_input_is_utf_8_and_a_byte_order_mark_is_removed(ask, emulator):
    await ask(stdin="\ufeffWarum? é 青".encode())
    assert sent_prompt(emulator) == "Warum? é 青"


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        ((), b"", "the prompt is empty"),
        ((" \n",), b"", "the prompt is empty"),
        ((), b"caf\xe9", "standard input is not UTF-8 text (byte 3)"),
        ((), b"ab\0" + bytes(100_000), "standard input is binary, not text (byte 2 is zero)"),
        (("\udcff",), b"", "the prompt is not valid UTF-8 text"),
    ],
)
async def test_an_empty_or_undecodable_prompt_is_an_error_in_one_line(
    ask, emulator, arguments, stdin, message
):
    result = await ask(*arguments, stdin=stdin)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert emulator.requests == []


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("command", ["ask", "chat"])
async def test_text_in_utf_16_is_named(invoke, command, encoding):
    result = await invoke(command, "--emulator", stdin="Why?\n".encode(encoding))
    assert result.exit_code == 2
    name = encoding.upper().replace("-LE", "LE").replace("-BE", "BE")
    assert f"standard input is {name}, not UTF-8 text" in result.stderr
    assert f"iconv -f {name} -t UTF-8" in result.stderr


async def test_text_in_utf_16_that_has_no_zeros_is_named(ask):
    result = await ask(stdin="\ufeff青い".encode("utf-16-be"))
    assert "standard input is UTF-16, not UTF-8 text" in result.stderr


async def test_standard_input_is_read_no_further_than_any_model_takes(ask, emulator, monkeypatch):
    monkeypatch.setattr("aimlchat.cli.prompt._MAX_PROMPT_BYTES", 1_000_000)
    assert (await ask("--max-tokens", "5", stdin=b"a" * 1_000_000)).exit_code == 0
    result = await ask(stdin=b"a" * 1_000_001)
    assert result.exit_code == 2
    assert "no model takes more than 1,000,000 of text" in result.stderr
    assert result.stderr.count("\n") == 1
    assert len(emulator.requests) == 1


async def test_a_prompt_of_several_arguments_is_a_usage_error(ask, emulator):
    result = await ask("Why", "is", "the", "sky", "blue?")
    assert result.exit_code == 2
    assert "put it in quotes" in result.stderr
    assert emulator.requests == []

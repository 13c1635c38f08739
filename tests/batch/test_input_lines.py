"""The lines of the input: what they may contain, and how lines that cannot be sent are refused."""

import pytest

from aimlchat import ChatSession
from aimlchat.batch import run

GPT = "openai/gpt-4o"
CLAUDE = "anthropic/claude-sonnet-4"


async def test_a_body_is_sent_unchanged(session, emulator, files):
    line = files.build_body_line("a", temperature=0.5, a_new_parameter={"x": [1]})
    files.write(line)
    await run(session, files.source, files.target)
    assert emulator.requests[0].body == line["body"]


async def test_a_body_in_the_anthropic_dialect_is_sent_unchanged(session, emulator, files):
    line = files.build_body_line("a", model=CLAUDE, system="Be brief.", max_tokens=50, top_k=3)
    files.write(line)
    assert (await run(session, files.source, files.target)).is_success
    assert emulator.requests[0].body == line["body"]


async def test_a_body_for_messages_goes_there(session, emulator, files):
    line = files.build_body_line("a", model="anthropic/claude-sonnet-4.5", max_tokens=99)
    files.write(line | {"url": "/v1/messages"})
    await run(session, files.source, files.target)
    assert [record.path for record in emulator.requests] == ["/v1/messages"]
    assert files.results[0]["response"]["body"]["type"] == "message"
    assert files.results[0]["usage"]["total_tokens"] > 0


async def test_a_prompt_that_needs_signatures_goes_to_messages(session, emulator, files):
    tools = [{"name": "f", "input_schema": {"type": "object"}}]
    model = "anthropic/claude-sonnet-4.5"
    files.write({"id": "a", "prompt": "A", "model": model, "thinking": 2048, "tools": tools})
    await run(session, files.source, files.target)
    assert [record.path for record in emulator.requests] == ["/v1/messages"]


async def test_a_prompt_becomes_a_user_message(session, emulator, files):
    files.write({"id": "a", "prompt": "Why?", "model": GPT, "max_tokens": 9, "system": "Be brief."})
    await run(session, files.source, files.target)
    assert emulator.requests[0].body == {
        "model": GPT,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Why?"},
        ],
        "max_tokens": 9,
    }


async def test_the_short_form_takes_messages(session, emulator, files):
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}]
    messages.append({"role": "user", "content": "Why?"})
    files.write(
        {"id": "a", "messages": messages, "model": GPT, "max_tokens": 9, "system": "Be brief."},
        {"custom_id": "b", "messages": messages, "model": GPT},
    )
    await run(session, files.source, files.target, concurrency=1)
    system = {"role": "system", "content": "Be brief."}
    assert emulator.requests[0].body == {
        "model": GPT,
        "messages": [system, *messages],
        "max_tokens": 9,
    }
    assert emulator.requests[1].body["messages"] == messages
    assert files.ids == ["a", "b"]


async def test_the_model_argument_applies_to_lines_that_name_none(session, emulator, files):
    nameless = files.build_body_line("b")
    del nameless["body"]["model"]
    files.write({"id": "a", "prompt": "Why?"}, nameless, files.build_body_line("c", model="o3"))
    await run(session, files.source, files.target, model="gpt-4o-mini", concurrency=1)
    assert [request.body["model"] for request in emulator.requests] == [
        "gpt-4o-mini",
        "gpt-4o-mini",
        "o3",
    ]


async def test_the_default_model_is_that_of_the_session(emulator, files):
    files.write({"id": "a", "prompt": "Why?"})
    async with ChatSession("k", base_url=emulator.base_url, model="gpt-4o-mini") as session:
        await run(session, files.source, files.target)
    assert emulator.requests[0].body["model"] == "gpt-4o-mini"


async def test_numeric_ids_stay_numbers_in_the_output(session, files):
    files.write({"id": 7, "prompt": "Why?"}, files.build_body_line(8))
    await run(session, files.source, files.target)
    assert sorted(files.ids) == [7, 8]
    assert (await run(session, files.source, files.target)).before == 2


async def test_a_whole_number_that_pandas_writes_as_a_float_is_an_integer(session, files):
    files.write(b'{"id":7.0,"prompt":"Why?"}\n', files.build_body_line(8.0))
    await run(session, files.source, files.target)
    assert sorted(map(repr, files.ids)) == ["7", "8"]
    rewritten = files.target.read_bytes().replace(b'"custom_id":7', b'"custom_id":7.0')
    files.target.write_bytes(rewritten)
    assert (await run(session, files.source, files.target)).before == 2


async def test_a_body_may_have_its_id_and_its_method_in_another_form(session, emulator, files):
    line = files.build_body_line("a") | {"id": "other", "method": "post"}
    files.write(line, {"id": "b", "body": line["body"]})
    await run(session, files.source, files.target, concurrency=1)
    assert files.ids == ["a", "b"]
    assert len(emulator.requests) == 2


async def test_an_id_of_any_number_of_digits_keeps_its_result(session, files):
    files.write({"id": 10**400, "prompt": "Why?"})
    assert (await run(session, files.source, files.target)).is_success
    assert files.ids == [10**400]
    assert (await run(session, files.source, files.target)).before == 1


async def test_blank_lines_byte_order_marks_and_windows_line_ends_are_ignored(session, files):
    # Two files with byte order marks, joined by `cat`.
    part = b'\xef\xbb\xbf{"id":"%b","prompt":"A"}\r\n'
    files.write(part % b"a", b"\r\n", part % b"b", b"\xef\xbb\xbf\n", b'\n{"id":"c","prompt":"C"}')
    assert (await run(session, files.source, files.target)).total == 3
    assert sorted(files.ids) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'{"id": "b", "prompt": "x"\n', "not JSON"),
        (b'{"id": "b", "prompt": "\xff"}\n', "not JSON"),
        (b'{"id": "b", "prompt": NaN}\n', "not JSON"),
        (b'{"id": "b", "prompt": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n", "nested too deeply"),
        (b'{"id": "b", "prompt": "x", "metadata": ' + b"[" * 900 + b"]" * 900 + b"}", "metadata"),
        (b'{"id": 1' + b"0" * 5_000 + b', "prompt": "x"}\n', "out of range"),
        (b'{"id": 1' + b"0" * 700 + b', "prompt": "x"}\n', "the `id` is a huge integer"),
        (b'{"id": "b", "prompt": "x", "max_tokens": 1' + b"0" * 700 + b"}\n", "max_tokens"),
        ([1], "not an object"),
        ({"id": "b"}, "neither a `body`"),
        (b'{"id": "b", "prompt": "\\ud83d"}\n', "lone surrogate \\ud83d"),
        (b'{"id": "b", "prompt": "\xed\xa0\xbd"}\n', "lone surrogate"),
        (b'{"id": "b", "prompt": "\xe9"}\n', "byte 23 (0xe9) is not UTF-8"),
        (b'{"id": "b", "prompt": NaN}\n', "NaN and Infinity"),
        (b"{'id': 'b', 'prompt': 'x'}\n", "single quotes"),
        ({"custom_id": "b", "params": {}}, "Anthropic's batches"),
        ({"id": "b", "prompt": "x", "messages": []}, "both a `prompt` and `messages`"),
        ({"id": "b", "messages": "x"}, "not a list"),
        ({"id": "b", "messages": []}, "messages"),
        ({"id": "b", "messages": ["x"]}, "messages"),
        ({"prompt": "x"}, "the `id` is None"),
        ({"id": "", "prompt": "x"}, "the `id` is ''"),
        ({"id": True, "prompt": "x"}, "the `id` is True"),
        ({"id": 1.5, "prompt": "x"}, "the `id` is 1.5"),
        ({"id": 1e300, "prompt": "x"}, "the `id` is 1e+300"),
        ({"id": ["x"], "prompt": "x"}, "the `id` is an object of type list"),
        ({"id": "b", "prompt": ""}, "prompt"),
        ({"id": "b", "prompt": ["x"]}, "prompt"),
        ({"id": "b", "prompt": "x", "colour": "red"}, "colour"),
        ({"id": "b", "prompt": "x", "temperature": 9}, "temperature"),
        ({"custom_id": "b", "body": "x"}, "not an object"),
        ({"custom_id": "b", "body": {"model": "m"}}, "no list of `messages`"),
    ],
)
async def test_a_line_that_cannot_be_sent_is_refused_before_anything_is_sent(
    get_input_error, emulator, files, line, problem
):
    files.write({"id": "a", "prompt": "A"}, line)
    error = await get_input_error()
    assert f"{files.source}, line 2: " in str(error)
    assert problem in str(error)
    assert (error.line, error.begun) == (2, False)
    assert emulator.requests == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"method": "GET"}, "GET"),
        ({"method": None}, "the `method` is None"),
        ({"url": "/v1/embeddings", "body": {"input": "x"}}, "the `url` is '/v1/embeddings'"),
        ({"url": "/v1/responses", "body": {"input": "x"}}, "the `url` is '/v1/responses'"),
        ({"custom_id": None}, "the `custom_id` is None or missing"),
        ({"url": 5}, "not text"),
        ({"body": {"messages": [], "stream": True}}, "stream"),
    ],
)
async def test_a_body_line_for_another_endpoint_is_refused(
    get_input_error, emulator, files, changes, problem
):
    files.write({"id": "a", "prompt": "A"}, files.build_body_line("b") | changes)
    error = await get_input_error()
    assert f"{files.source}, line 2: " in str(error)
    assert problem in str(error)
    assert emulator.requests == []

"""The input: what a line may be, and what is said of one that cannot be sent."""

import io
import json
import os
import tracemalloc

import pytest

from aimlchat import ChatSession
from aimlchat.batch import InputError, run
from aimlchat.batch.input_file import Source
from aimlchat.batch.known_ids import Ledger

GPT = "openai/gpt-4o"
CLAUDE = "anthropic/claude-sonnet-4"


def body_line(custom_id, text="Hi", **body):
    """A line of OpenAI's Batch API."""
    messages = [{"role": "user", "content": text}]
    return {
        "custom_id": custom_id,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": GPT, "messages": messages, **body},
    }


async def problem_of(session, files, **how):
    with pytest.raises(InputError) as caught:
        await run(session, files.source, files.target, **how)
    return caught.value


# --- what may stand there ------------------------------------------------------------------------


async def test_a_body_is_sent_as_it_stands(session, emulator, files):
    line = body_line("a", temperature=0.5, a_new_parameter={"x": [1]})
    files.write(line)
    await run(session, files.source, files.target)
    assert emulator.requests[0].body == line["body"]


async def test_a_body_in_the_anthropic_dialect_stays_in_it(session, emulator, files):
    line = body_line("a", model=CLAUDE, system="Be brief.", max_tokens=50, top_k=3)
    files.write(line)
    assert (await run(session, files.source, files.target)).is_success
    assert emulator.requests[0].body == line["body"]


async def test_a_prompt_is_a_message_of_the_user(session, emulator, files):
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


async def test_a_model_is_for_lines_that_name_none(session, emulator, files):
    nameless = body_line("b")
    del nameless["body"]["model"]
    files.write({"id": "a", "prompt": "Why?"}, nameless, body_line("c", model="o3"))
    await run(session, files.source, files.target, model="gpt-4", concurrency=1)
    assert [request.body["model"] for request in emulator.requests] == ["gpt-4", "gpt-4", "o3"]


async def test_without_one_it_is_the_sessions(emulator, files):
    files.write({"id": "a", "prompt": "Why?"})
    async with ChatSession("k", base_url=emulator.base_url, model="gpt-4") as session:
        await run(session, files.source, files.target)
    assert emulator.requests[0].body["model"] == "gpt-4"


async def test_ids_may_be_numbers_and_come_back_as_numbers(session, files):
    files.write({"id": 7, "prompt": "Why?"}, body_line(8))
    await run(session, files.source, files.target)
    assert sorted(files.ids) == [7, 8]
    assert (await run(session, files.source, files.target)).before == 2


async def test_empty_lines_a_byte_order_mark_and_windows_line_ends_do_not_matter(session, files):
    files.write(b'\xef\xbb\xbf{"id":"a","prompt":"A"}\r\n', b"\r\n", b'\n{"id":"b","prompt":"B"}')
    assert (await run(session, files.source, files.target)).total == 2
    assert sorted(files.ids) == ["a", "b"]


async def test_an_empty_input_is_done_at_once(session, files):
    files.write()
    summary = await run(session, files.source, files.target)
    assert (summary.total, summary.is_success) == (0, True)


async def test_a_stream_that_cannot_be_read_twice_is_copied_first(session, files):
    reader, writer = os.pipe()
    os.write(writer, b'{"id":"a","prompt":"A"}\n')
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        await run(session, pipe, files.target)
    assert files.ids == ["a"]


async def test_a_stream_is_read_from_where_it_stands_and_left_open(session, files):
    stream = io.BytesIO(b'no request\n{"id":"a","prompt":"A"}\n')
    stream.readline()
    await run(session, stream, files.target)
    assert files.ids == ["a"]
    assert not stream.closed


# --- what is refused, before anything is sent ----------------------------------------------------


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"id": "b", "prompt": "x"\n', "not JSON"),
        (b'{"id": "b", "prompt": "\xff"}\n', "not JSON"),
        (b'{"id": "b", "prompt": NaN}\n', "not JSON"),
        ([1], "not an object"),
        ({"id": "b"}, "neither a `body`"),
        ({"prompt": "x"}, "its id is None"),
        ({"id": "", "prompt": "x"}, "its id is ''"),
        ({"id": True, "prompt": "x"}, "its id is True"),
        ({"id": 1.5, "prompt": "x"}, "its id is 1.5"),
        ({"id": "b", "prompt": ""}, "prompt"),
        ({"id": "b", "prompt": ["x"]}, "prompt"),
        ({"id": "b", "prompt": "x", "colour": "red"}, "colour"),
        ({"id": "b", "prompt": "x", "temperature": 9}, "temperature"),
        ({"custom_id": "b", "body": "x"}, "not an object"),
        ({"custom_id": "b", "body": {"model": "m"}}, "no list of messages"),
        (body_line("b") | {"method": "GET"}, "GET"),
        (body_line("b") | {"url": "/v1/embeddings"}, "/v1/embeddings"),
        (body_line("b", stream=True), "stream"),
    ],
)
async def test_a_line_that_cannot_be_sent_is_named(session, emulator, files, line, said):
    files.write({"id": "a", "prompt": "A"}, line)
    error = await problem_of(session, files)
    assert f"{files.source}, line 2: " in str(error)
    assert said in str(error)
    assert (error.line, error.begun) == (2, False)
    assert emulator.requests == []


@pytest.mark.parametrize(("first", "second"), [("a", "a"), (7, "7")])
async def test_an_id_that_stands_twice_is_named_with_both_lines(
    session, emulator, files, first, second
):
    files.write({"id": "x", "prompt": "X"}, {"id": first, "prompt": "A"}, b"\n", body_line(second))
    error = await problem_of(session, files)
    assert f"line 4: the id {second!r} stands in line 2 already" in str(error)
    assert emulator.requests == []


async def test_an_input_that_is_not_there_is_named(session, files):
    assert str(files.source) in str(await problem_of(session, files))


async def test_the_input_is_never_taken_for_the_output(session, files):
    files.prompts(1)
    before = files.source.read_bytes()
    with pytest.raises(InputError, match="is the input"):
        await run(session, files.source, files.source)
    assert files.source.read_bytes() == before


# --- a request that was changed ------------------------------------------------------------------


async def test_a_changed_request_under_a_known_id_is_named(session, emulator, files):
    files.write({"id": "a", "prompt": "A"}, {"id": "b", "prompt": "B"})
    await run(session, files.source, files.target)
    files.write({"id": "a", "prompt": "A"}, {"id": "b", "prompt": "another"})
    error = await problem_of(session, files)
    assert "line 2: the request 'b' is another one" in str(error)
    assert len(emulator.requests) == 2


async def test_another_model_is_another_request(session, files):
    files.write({"id": "a", "prompt": "A"})
    await run(session, files.source, files.target)
    assert "another one" in str(await problem_of(session, files, model="gpt-4"))


async def test_the_same_request_written_another_way_is_no_other_one(session, emulator, files):
    files.write(body_line("a"))
    await run(session, files.source, files.target)
    turned = {"body": dict(reversed(body_line("a")["body"].items())), "custom_id": "a"}
    files.write(json.dumps(turned, indent=None, separators=(" , ", " : ")).encode())
    assert (await run(session, files.source, files.target)).before == 1
    assert len(emulator.requests) == 1


async def test_a_failure_may_be_mended_and_done_again(session, emulator, files):
    emulator.fail(status=400)
    files.write({"id": "a", "prompt": "A"})
    await run(session, files.source, files.target)
    files.write({"id": "a", "prompt": "mend_surrogates"})
    assert "another one" in str(await problem_of(session, files))
    assert (await run(session, files.source, files.target, retry_failed=True)).is_success


async def test_a_file_that_changes_under_the_run_sends_no_id_twice(session, emulator, files):
    files.prompts(300)
    changed = files.source.read_bytes().replace(b"row-250", b"row-001")

    def change(summary):
        if summary.done == 1:
            with files.source.open("r+b") as file:
                file.write(changed)

    error = await problem_of(session, files, on_progress=change, concurrency=1)
    assert "line 251: it was changed while it was read" in str(error)
    assert error.begun
    assert len(files.ids) == len(set(files.ids)) == 250


async def test_checking_takes_less_than_a_hundred_bytes_a_line(files):
    files.prompts(20_000)
    source = Source(files.source, "m")
    tracemalloc.start()
    plan = await source.check(Ledger(), server_side=False, retry_failed=False)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    source.close()
    assert plan.total == 20_000
    assert most < 100 * 20_000

"""The prompt cache: breakpoints, prefixes, and what they cost."""

import pytest

from aimlchat.emulator.prompt_cache import PromptCache, PromptSegment

LONG = ("word " * 1500).strip()
CONTROL = {"type": "ephemeral"}
HOUR = CONTROL | {"ttl": "1h"}
SONNET = "anthropic/claude-sonnet-4.5"


def text(content, control=CONTROL):
    return {"type": "text", "text": content} | ({"cache_control": control} if control else {})


def user(*parts):
    return {"role": "user", "content": list(parts)}


async def ask(client, *messages, path="/messages", **body):
    whole = {"model": SONNET, "max_tokens": 99, "messages": list(messages)} | body
    response = await client.send(whole, path=path)
    assert response.status == 200, response.text
    return response.body["usage"]


def counts(usage):
    return usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]


async def test_the_second_request_reads_what_the_first_one_wrote(client):
    question = user(text(LONG), text("Why?", None))
    first = await ask(client, question)
    second = await ask(client, question)
    assert counts(first) == (0, 1504)
    assert counts(second) == (1504, 0)
    assert first["input_tokens"] == second["input_tokens"] == 2


async def test_a_conversation_reads_its_older_part_and_writes_the_rest(client):
    opening = user(text(LONG))
    _, opened = counts(await ask(client, opening))
    answer = {"role": "assistant", "content": [text("word " * 100, None)]}
    read, written = counts(await ask(client, opening, answer, user(text("Why?"))))
    assert read == opened
    assert written > 100


@pytest.mark.parametrize("path", ["/messages", "/chat/completions"])
async def test_tools_and_system_come_before_the_messages(client, path):
    tools = [{"name": "f", "input_schema": {"type": "object"}, "description": LONG}]
    tools[0]["cache_control"] = CONTROL
    await ask(client, user(text("Why?", None)), tools=tools, path=path)
    usage = await ask(client, user(text("What?", None)), tools=tools)
    assert usage["cache_read_input_tokens"] > 1500


async def test_other_thinking_keeps_the_tools_and_not_the_messages(client):
    tools = [{"name": "f", "input_schema": {"type": "object"}, "description": LONG}]
    tools[0]["cache_control"] = CONTROL
    options = {"tools": tools, "max_tokens": 4096}
    await ask(client, user(text(LONG)), **options)
    thinking = {"type": "enabled", "budget_tokens": 1024}
    read, written = counts(await ask(client, user(text(LONG)), **options, thinking=thinking))
    assert read > 1500
    assert written > 1500


async def test_the_openai_dialect_counts_all_of_the_prompt(client):
    question = user(text(LONG), text("Why?", None))
    options = {"path": "/chat/completions", "model": "openai/gpt-4o"}
    first = await ask(client, question, **options)
    second = await ask(client, question, **options)
    assert first["cache_write_tokens"] == second["prompt_tokens_details"]["cached_tokens"] == 1504
    assert first["prompt_tokens"] == second["prompt_tokens"] == 1506


async def test_a_short_prompt_is_not_kept(client):
    question = user(text("word " * 1000))
    await ask(client, question)
    assert counts(await ask(client, question)) == (0, 0)


async def test_another_model_reads_nothing(client):
    await ask(client, user(text(LONG)))
    usage = await ask(client, user(text(LONG)), model="anthropic/claude-opus-4.1")
    assert usage["cache_read_input_tokens"] == 0


async def test_an_error_writes_nothing(client, emulator):
    emulator.fail(status=529)
    await client.send_message(messages=[user(text(LONG))])
    assert counts(await ask(client, user(text(LONG))))[0] == 0


async def test_reading_is_cheaper_and_writing_is_dearer(client):
    async def measure(control):
        body = {"messages": [user(text(LONG + str(control), control))], "max_tokens": 5}
        return (await client.send_message(**body)).body["meta"]["usage"]["usd_spent"]

    plain, written, hour = await measure(None), await measure(CONTROL), await measure(HOUR)
    read = await measure(CONTROL)
    assert read < plain < written < hour


@pytest.mark.parametrize(("ttl", "seconds"), [("5m", 300), ("1h", 3600)])
def test_a_prefix_is_kept_for_its_time_and_longer_if_it_is_read(ttl, seconds):
    cache = PromptCache()
    segments = (PromptSegment("x", 2000, ttl),)
    cache.keep(cache.look_up("m", segments, 0), 0)
    read = cache.look_up("m", segments, seconds - 1)
    assert read.read == 2000
    cache.keep(read, seconds - 1)
    assert cache.look_up("m", segments, 2 * seconds - 2).read == 2000
    assert cache.look_up("m", segments, 2 * seconds - 1).read == 0


def test_only_twenty_blocks_before_a_breakpoint_are_looked_up():
    cache = PromptCache()
    start = PromptSegment("x", 2000, "5m")
    cache.keep(cache.look_up("m", (start,), 0), 0)
    near = (PromptSegment("x", 2000), *[PromptSegment("y", 1)] * 18, PromptSegment("z", 1, "5m"))
    far = (PromptSegment("x", 2000), *[PromptSegment("y", 1)] * 19, PromptSegment("z", 1, "5m"))
    assert cache.look_up("m", near, 0).read == 2000
    assert cache.look_up("m", far, 0).read == 0


@pytest.mark.parametrize("path", ["/messages", "/chat/completions"])
@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ([text("x")] * 5, "cache_control"),
        ([text("x", CONTROL | {"ttl": "2h"})], "messages[0].content[0].cache_control.ttl"),
        ([text("x", {"type": "always"})], "messages[0].content[0].cache_control.type"),
        ([text("x"), text("y", HOUR)], "messages[0].content[1].cache_control.ttl"),
    ],
)
async def test_a_breakpoint_that_is_not_allowed_is_refused(client, path, parts, field):
    body = {"model": SONNET, "max_tokens": 9, "messages": [user(*parts)]}
    response = await client.send(body, path=path)
    assert response.status == 400
    assert f"\\n{field}: " in response.text

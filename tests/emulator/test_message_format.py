"""Claude's own message format, `POST /v1/messages`: whole, streamed, and its errors."""

import json

import pytest

from aimlchat.emulator import ErrorEvent, Pings, Reply

THINKING = {"type": "enabled", "budget_tokens": 1024}
BLOCKS = [
    {"type": "thinking", "thinking": "First."},
    {"type": "text", "text": "Let me see.", "citations": [{"type": "page", "page": 1}]},
    {"type": "redacted_thinking"},
    {"type": "thinking"},
    {"type": "tool_use", "name": "f", "input": {"a": "x"}},
    {"type": "tool_use", "name": "g"},
    {"type": "novelty", "value": 1},
]


def read_events(response):
    """Return the events of a stream, each with the name that its data has."""
    events = []
    for lines in response.text.removesuffix("\n\n").split("\n\n"):
        name, data = lines.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        events.append(event)
    return events


def rebuild(events):
    """Put the blocks of a stream together again."""
    blocks = []
    for event in events:
        match event:
            case {"type": "content_block_start", "index": index, "content_block": block}:
                assert index == len(blocks)
                blocks.append(dict(block))
                arguments = ""
            case {"type": "content_block_delta", "index": index, "delta": delta}:
                assert index == len(blocks) - 1
                match delta.pop("type"):
                    case "input_json_delta":
                        arguments += delta["partial_json"]
                    case "citations_delta":
                        blocks[-1]["citations"].append(delta["citation"])
                    case _:
                        for field, piece in delta.items():
                            blocks[-1][field] += piece
            case {"type": "content_block_stop", "index": index}:
                if arguments:
                    blocks[index]["input"] = json.loads(arguments)
    return blocks


async def test_scripted_blocks_come_in_their_order(client, emulator):
    emulator.reply(blocks=BLOCKS)
    body = (await client.send_message()).body
    assert [block["type"] for block in body["content"]] == [block["type"] for block in BLOCKS]
    assert body["content"][0]["signature"]
    assert body["content"][2]["data"]
    assert body["content"][3]["thinking"] == ""
    assert body["content"][4]["id"] != body["content"][5]["id"]
    assert body["content"][6] == BLOCKS[6]
    assert body["stop_reason"] == "tool_use"


async def test_a_stream_has_the_blocks_of_the_whole_message(client, emulator):
    ids = [block | {"id": f"toolu_{index}"} for index, block in enumerate(BLOCKS)]
    blocks = [
        named if named["type"] == "tool_use" else plain
        for named, plain in zip(ids, BLOCKS, strict=True)
    ]
    emulator.reply(blocks=blocks, times=2)
    whole = (await client.send_message()).body
    events = read_events(await client.send_message(stream=True))
    assert rebuild(events) == whole["content"]
    assert [events[0]["type"], events[1]["type"]] == ["message_start", "ping"]
    assert events[-2]["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}
    assert events[-2]["usage"] == whole["usage"]
    assert events[-1] == {"type": "message_stop", "meta": whole["meta"]}


async def test_scripted_arguments_that_are_no_json_are_streamed_unchanged(client, emulator):
    emulator.reply(tool_calls=[("f", '{"a": ')])
    events = read_events(await client.send_message(stream=True))
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert "".join(delta["partial_json"] for delta in deltas) == '{"a": '


async def test_scripted_chunks_are_the_pieces_of_the_text(client, emulator):
    emulator.reply(chunks=["Bl", "ue."])
    events = read_events(await client.send_message(stream=True))
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert [delta["text"] for delta in deltas] == ["Bl", "ue."]


async def test_scripted_blocks_reach_the_chat_endpoint_as_texts_and_calls(client, emulator):
    emulator.reply(blocks=BLOCKS)
    message = (await client.ask()).message
    assert message["reasoning_content"] == "First."
    assert message["content"] == "Let me see."
    assert [call["function"]["name"] for call in message["tool_calls"]] == ["f", "g"]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"blocks": BLOCKS, "text": "Blue."}, ValueError),
        ({"blocks": BLOCKS, "tool_calls": [("f", {})]}, ValueError),
        ({"blocks": ["text"]}, TypeError),
        ({"blocks": [{"type": "text"}]}, TypeError),
        ({"blocks": [{"type": "tool_use", "name": "f", "input": "{}"}]}, TypeError),
        ({"blocks": [{"type": "thinking", "thinking": 1}]}, TypeError),
    ],
)
def test_blocks_that_are_none_are_refused_where_they_are_scripted(arguments, error):
    with pytest.raises(error, match="blocks"):
        Reply(**arguments)


async def test_a_stop_sequence_is_named(client):
    body = (await client.send_message(stop_sequences=["emulator"])).body
    assert (body["stop_reason"], body["stop_sequence"]) == ("stop_sequence", "emulator")


async def test_omitted_thinking_leaves_a_signature(client):
    thinking = THINKING | {"display": "omitted"}
    first = (await client.send_message(thinking=thinking)).body["content"][0]
    assert (first["type"], first["thinking"]) == ("thinking", "")
    assert first["signature"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "invalid_request_error"), (429, "rate_limit_error"), (529, "overloaded_error")],
)
async def test_an_error_has_the_form_of_the_format(client, emulator, status, kind):
    emulator.fail(status=status, message="Because.")
    response = await client.send_message()
    assert response.status == status
    assert response.body["type"] == "error"
    assert response.body["error"] == {"type": kind, "message": "Because."}
    assert response.body["request_id"] == response.headers["request-id"]


async def test_an_error_in_a_stream_is_an_event(client, emulator):
    emulator.reply("Blue.", fault=ErrorEvent(after=1, status=529))
    last = read_events(await client.send_message(stream=True))[-1]
    assert last["error"]["type"] == "overloaded_error"


async def test_a_ping_is_an_event(raw, emulator):
    emulator.reply(events=[], fault=Pings(3600))
    response = await raw.ask(path="/v1/messages", model="anthropic/claude-sonnet-4.5")
    assert response.unchunked == b'event: ping\ndata: {"type":"ping"}\n\n'


async def test_the_messages_of_the_maker_are_not_wrapped(client):
    messages = [{"role": "user", "content": "word " * 200_001}]
    response = await client.send_message(messages=messages)
    assert response.status == 400
    assert response.body["error"]["message"].startswith("prompt is too long")


async def test_the_key_may_come_in_the_header_of_the_format(client):
    body = {"model": "anthropic/claude-sonnet-4.5", "max_tokens": 9, "messages": []}
    response = await client.send(body, path="/messages", key="", x_api_key="k")
    assert response.status == 400
    assert (await client.send(body, path="/messages", key="")).status == 401


CALL = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "x"}
TEXT = {"type": "text", "text": "x"}
TOOLS = [{"name": "f", "input_schema": {"type": "object"}}]


def tool_round(*results, call=CALL):
    return [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [call]},
        *([{"role": "user", "content": list(results)}] if results else []),
    ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"model": "openai/gpt-4o"}, "model"),
        ({"max_tokens": None}, "max_tokens"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"messages": [{"role": "user", "content": "x", "name": "y"}]}, "messages[0].name"),
        (
            {"messages": [{"role": "user", "content": [TEXT | {"text": " "}]}]},
            "messages[0].content[0].text",
        ),
        ({"messages": tool_round(RESULT)}, "tools"),
        ({"messages": tool_round(), "tools": TOOLS}, "messages"),
        ({"messages": tool_round(TEXT), "tools": TOOLS}, "messages[2].content"),
        ({"messages": tool_round(TEXT, RESULT), "tools": TOOLS}, "messages[2].content"),
        ({"messages": tool_round(RESULT, RESULT), "tools": TOOLS}, "messages[2].content"),
        (
            {
                "messages": [
                    {"role": "user", "content": "Hi"},
                    {"role": "assistant", "content": "Fine "},
                ]
            },
            "messages",
        ),
        ({"thinking": THINKING, "top_k": 3}, "top_k"),
        ({"thinking": THINKING, "temperature": 0.5}, "temperature"),
        ({"thinking": THINKING, "tools": TOOLS, "tool_choice": {"type": "any"}}, "tool_choice"),
        (
            {"thinking": THINKING, "tools": TOOLS, "messages": tool_round(RESULT)},
            "messages[1].content[0].type",
        ),
    ],
)
async def test_what_the_format_does_not_allow_is_refused(client, emulator, body, field):
    response = await client.send_message(**body)
    assert response.status == 400
    assert f"\n{field}: " in response.body["error"]["message"]
    assert emulator.billed == 0


@pytest.mark.parametrize(
    "body",
    [
        {"system": [TEXT | {"cache_control": {"type": "ephemeral"}}]},
        {"messages": tool_round(RESULT, TEXT), "tools": TOOLS},
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "image", "source": {"type": "url", "url": "https://x/y"}}],
                }
            ]
        },
    ],
)
async def test_what_only_the_format_allows_is_accepted(client, body):
    response = await client.send_message(**body)
    assert response.status == 200, response.text

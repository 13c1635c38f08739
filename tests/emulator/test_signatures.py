"""The thinking of Claude and the calls of Gemini have to come back as they were made."""

import copy
import json

import pytest

from aimlchat.emulator import Emulator

THINKING = {"type": "enabled", "budget_tokens": 1024}
TOOLS = [{"name": "f", "input_schema": {"type": "object"}}]
BLOCKS = [
    {"type": "thinking", "thinking": "First."},
    {"type": "redacted_thinking"},
    {"type": "text", "text": "Let me see."},
    {"type": "thinking"},
    {"type": "tool_use", "name": "f"},
]
USER = {"role": "user", "content": "Hello"}


async def make_turn(client, emulator, blocks):
    emulator.reply(blocks=blocks)
    return (await client.send_message(tools=TOOLS, thinking=THINKING)).body["content"]


async def send_back(client, turn):
    calls = [block["id"] for block in turn if block["type"] == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": call, "content": "x"} for call in calls]
    messages = [USER, {"role": "assistant", "content": turn}, {"role": "user", "content": results}]
    return await client.send_message(tools=TOOLS, thinking=THINKING, messages=messages)


async def test_a_turn_that_comes_back_as_it_was_is_accepted(client, emulator):
    turn = await make_turn(client, emulator, BLOCKS)
    assert (await send_back(client, json.loads(json.dumps(turn)))).status == 200


async def test_scripted_signatures_are_accepted(client, emulator):
    signed = [BLOCKS[0] | {"signature": "s"}, BLOCKS[1] | {"data": "d"}, *BLOCKS[2:]]
    turn = await make_turn(client, emulator, signed)
    assert (turn[0]["signature"], turn[1]["data"]) == ("s", "d")
    assert (await send_back(client, turn)).status == 200
    turn[0]["thinking"] = "Second."
    assert (await send_back(client, turn)).status == 400


async def test_another_emulator_accepts_a_stored_turn(client, emulator, http):
    turn = await make_turn(client, emulator, BLOCKS)
    async with Emulator() as other:
        response = await send_back(type(client)(other, http), turn)
    assert response.status == 200


async def test_a_text_may_be_edited(client, emulator):
    turn = await make_turn(client, emulator, BLOCKS)
    turn[2]["text"] = "Wait."
    assert (await send_back(client, turn)).status == 200


async def test_a_call_may_become_a_text(client, emulator):
    turn = await make_turn(client, emulator, BLOCKS)
    messages = [USER, {"role": "assistant", "content": [*turn[:4], turn[2]]}, USER]
    response = await client.send_message(tools=TOOLS, thinking=THINKING, messages=messages)
    assert response.status == 200


async def test_an_earlier_turn_may_come_back_without_its_thinking(client, emulator):
    emulator.reply("Fine.", reasoning="Hm.")
    turn = (await client.send_message(thinking=THINKING)).body["content"]
    messages = [USER, {"role": "assistant", "content": turn[1:]}, USER]
    response = await client.send_message(messages=messages, thinking=THINKING)
    assert response.status == 200


def alter_text(turn):
    turn[0]["thinking"] += " "


def alter_signature(turn):
    turn[0]["signature"] = turn[0]["signature"].swapcase()


def alter_lone_signature(turn):
    turn[3]["signature"] = turn[0]["signature"]


def alter_redacted_data(turn):
    turn[1]["data"] = "A" + turn[1]["data"]


def drop_signature(turn):
    del turn[0]["signature"]


def drop_first_thinking(turn):
    del turn[0]


def drop_redacted_thinking(turn):
    del turn[1]


def drop_last_thinking(turn):
    del turn[3]


def drop_all_thinking(turn):
    turn[:] = [block for block in turn if "thinking" not in block["type"]]


def drop_text_between(turn):
    del turn[2]


def reorder_thinking(turn):
    turn[0], turn[3] = turn[3], turn[0]


def move_text_to_the_front(turn):
    turn.insert(0, turn.pop(2))


def move_thinking_behind_the_call(turn):
    turn.append(turn.pop(3))


def add_thinking(turn):
    turn.insert(1, copy.deepcopy(turn[0]))


@pytest.mark.parametrize(
    "alter",
    [
        alter_text,
        alter_signature,
        alter_lone_signature,
        alter_redacted_data,
        drop_signature,
        drop_first_thinking,
        drop_redacted_thinking,
        drop_last_thinking,
        drop_all_thinking,
        drop_text_between,
        reorder_thinking,
        move_text_to_the_front,
        move_thinking_behind_the_call,
        add_thinking,
    ],
)
async def test_a_turn_that_was_altered_is_refused(client, emulator, alter):
    turn = await make_turn(client, emulator, BLOCKS)
    alter(turn)
    response = await send_back(client, turn)
    assert response.status == 400
    assert response.body["error"]["type"] == "invalid_request_error"
    assert "messages[1].content[" in response.body["error"]["message"]


async def test_the_last_block_of_a_turn_is_not_thinking(client, emulator):
    turn = await make_turn(client, emulator, [*BLOCKS[:3], {"type": "thinking"}])
    messages = [USER, {"role": "assistant", "content": turn}, USER]
    response = await client.send_message(messages=messages)
    assert response.status == 400
    assert "cannot be `thinking`" in response.body["error"]["message"]
    messages[1]["content"] = turn[:3]  # as long as it is dropped, the rest is valid
    assert (await client.send_message(messages=messages)).status == 200


async def test_calls_after_the_results_of_others_need_no_thinking_of_their_own(client, emulator):
    first = await make_turn(client, emulator, BLOCKS)
    use = {"type": "tool_use", "id": "t2", "name": "f", "input": {}}
    results = [
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": id_, "content": "x"}]}
        for id_ in (first[4]["id"], "t2")
    ]
    second = {"role": "assistant", "content": [use]}
    options = {"tools": TOOLS, "thinking": THINKING}
    messages = [USER, {"role": "assistant", "content": first}, results[0], second, results[1]]
    assert (await client.send_message(messages=messages, **options)).status == 200
    messages[1:3] = []
    assert (await client.send_message(messages=messages, **options)).status == 400
    options |= {"model": "anthropic/claude-opus-4.8", "thinking": {"type": "adaptive"}}
    assert (await client.send_message(messages=messages, **options)).status == 200


async def test_blocks_of_tools_that_the_server_runs_come_back(client, emulator):
    search = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}
    found = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []}
    emulator.reply(blocks=[search, found, {"type": "hologram"}, {"type": "text", "text": "Here."}])
    tools = [{"type": "web_search_20250305", "name": "web_search"}]
    turn = (await client.send_message(tools=tools)).body["content"]
    messages = [USER, {"role": "assistant", "content": turn}, USER]
    assert (await client.send_message(tools=tools, messages=messages)).status == 200
    messages[1]["content"] = [{"type": "holo"}, *turn]  # not one of the emulator's
    assert (await client.send_message(tools=tools, messages=messages)).status == 400


GEMINI = "google/gemini-3-flash-preview"
OLDER_GEMINI = "google/gemini-2.5-flash"
FUNCTIONS = [{"type": "function", "function": {"name": "f"}}]


async def ask_gemini_again(client, model, change):
    body = {"model": model, "tools": FUNCTIONS}
    first = await client.send(body | {"messages": [USER], "tool_choice": "required"})
    message = first.message
    change(message["tool_calls"][0])
    result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "x"}
    return await client.send(body | {"messages": [USER, message, result]})


def keep(_):
    pass


def drop_extra_content(call):
    del call["extra_content"]


def name_another_model(call):
    call["extra_content"]["google"]["thought_signature"] = "skip_thought_signature_validator"


def alter_extra_content(call):
    call["extra_content"]["google"]["thought_signature"] += "A"


@pytest.mark.parametrize(
    ("model", "change", "status"),
    [
        (GEMINI, keep, 200),
        (GEMINI, drop_extra_content, 400),
        (GEMINI, alter_extra_content, 400),
        (GEMINI, name_another_model, 200),
        (OLDER_GEMINI, keep, 200),
        (OLDER_GEMINI, drop_extra_content, 200),
        (OLDER_GEMINI, alter_extra_content, 400),
    ],
)
async def test_gemini_wants_the_signature_of_its_call_back(client, model, change, status):
    assert (await ask_gemini_again(client, model, change)).status == status


async def test_a_script_may_give_the_extra_content_of_a_call(client, emulator):
    extra = {"google": {"thought_signature": "c2ln"}}
    emulator.reply(tool_calls=[{"name": "f", "extra_content": extra}])
    assert (await ask_gemini_again(client, GEMINI, keep)).status == 200

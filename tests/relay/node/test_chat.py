"""A chat of the AI SDK goes on with runs: how often it posts, and what the model then gets."""

import pytest

from aimlchat import ChatRequest, Tool
from aimlchat.relay import request_from_ui, sse_response


def get_time() -> str:
    return "noon"


@pytest.fixture
def serve(aiohttp_server, session):
    async def handle(request):
        tools = [get_time, Tool("ask")]
        posted = request_from_ui((await request.json())["messages"], base=ChatRequest(tools=tools))
        return await sse_response(request, session.run(posted, tools=tools, max_rounds=1))

    return aiohttp_server({"/": handle})


async def test_a_chat_posts_once_for_each_question_and_each_round_of_its_own_calls(
    serve, node, emulator
):
    broken = ("get_time", '{"zone":')
    # Its own call beside one without arguments; then a model that ignores the end of the rounds.
    emulator.reply(tool_calls=[("get_time", ""), ("ask", {}), broken])
    emulator.reply("Noon, yes.")
    emulator.reply(tool_calls=[("get_time", "")])
    emulator.reply(tool_calls=[("get_time", {})])
    emulator.reply("Still noon.")

    async with serve as host:
        result = await node("chat.mjs", f"http://{host}/", "Ask", "Again", "And?")

    assert (result["posts"], result["errors"]) == (4, [])
    assert result["messages"][-1]["parts"][-1]["text"] == "Still noon."
    sent = emulator.requests[-1].body["messages"]
    called = [call["id"] for turn in sent for call in turn.get("tool_calls", ())]
    assert sorted(called) == sorted(turn["tool_call_id"] for turn in sent if turn["role"] == "tool")
    assert len(called) == 5

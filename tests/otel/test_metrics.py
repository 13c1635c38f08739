"""The metrics of calls."""

import pytest
from spans import GPT, USAGE, points_of

from aimlchat import (
    AIMLChatError,
)


async def test_the_metrics_of_a_stream(emulator, session, reader):
    emulator.reply("Blue.", usage=USAGE)
    await session.stream("Why?", model=GPT).collect()
    points = points_of(reader)
    common = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "aimlapi",
        "gen_ai.request.model": GPT,
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "server.address": "127.0.0.1",
        "server.port": int(emulator.base_url.rpartition(":")[2].removesuffix("/v1")),
    }
    [duration] = points["gen_ai.client.operation.duration"]
    assert (dict(duration.attributes), duration.count) == (common, 1)
    assert duration.explicit_bounds[0] == 0.01
    [first] = points["gen_ai.client.operation.time_to_first_chunk"]
    assert dict(first.attributes) == common
    tokens = {
        point.attributes["gen_ai.token.type"]: point.sum
        for point in points["gen_ai.client.token.usage"]
    }
    assert tokens == {"input": 10, "output": 7}


async def test_the_metrics_of_a_failure_name_its_type(emulator, session, reader):
    emulator.fail(status=400)
    with pytest.raises(AIMLChatError):
        await session.complete("Why?")
    points = points_of(reader)
    assert set(points) == {"gen_ai.client.operation.duration"}
    assert points["gen_ai.client.operation.duration"][0].attributes["error.type"] == "400"

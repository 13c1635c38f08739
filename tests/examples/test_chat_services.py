"""The chat services in docs/examples, on FastAPI and on aiohttp.web, each on its own server."""

import asyncio
import json

import aiohttp
import pytest

from aimlchat.emulator import Cut, Stall

WHY = {"json": {"prompt": "Why?"}}


async def test_a_whole_answer_has_its_reasoning_and_its_cost(host, client, emulator):
    emulator.reply("Light scatters.", reasoning="Think of light.", cost=0.004)

    async with host as address, client.post(f"http://{address}/complete", **WHY) as response:
        answer = await response.json()

    assert answer == {"text": "Light scatters.", "reasoning": "Think of light.", "usd": 0.004}


async def test_plain_text_grows_while_the_model_writes(host, client, emulator):
    emulator.reply(chunks=["Light ", "scatters."], fault=Stall(after=1))

    async with host as address, client.post(f"http://{address}/text", **WHY) as response:
        first = await response.content.readany()

    assert (response.status, first) == (200, b"Light ")


async def test_plain_text_that_is_cut_off_does_not_look_whole(host, client, emulator):
    emulator.reply(chunks=["Light ", "scatters."], fault=Cut(1000, "close"))

    async with host as address, client.post(f"http://{address}/text", **WHY) as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()

    assert response.status == 200


async def test_events_have_the_frames_of_the_relay(host, client, emulator, frames_of):
    emulator.reply("Light scatters.", reasoning="Think of light.")

    async with host as address, client.post(f"http://{address}/stream", **WHY) as response:
        frames = frames_of(await response.text())

    texts = [frame["delta"] for frame in frames if frame["type"] == "text-delta"]
    assert "".join(texts) == "Light scatters."
    assert frames[-1]["type"] == "finish"


async def test_a_web_socket_is_one_conversation(host, client, emulator):
    emulator.reply("Light scatters.", reasoning="Think of light.")
    emulator.reply("Red.")

    async with host as address, client.ws_connect(f"ws://{address}/talk") as websocket:
        for prompt in ("Why?", "And at dusk?"):
            await websocket.send_json({"prompt": prompt})
            while (await websocket.receive_json())["type"] != "finish":
                pass
            await websocket.send_json({"type": "stop"})

    second = json.dumps(emulator.requests[1].body)
    assert len(emulator.requests) == 2
    assert "Why?" in second
    assert "Light scatters." in second


@pytest.mark.parametrize("path", ["complete", "text"])
async def test_a_failure_is_an_http_status_and_quotes_no_server(host, client, emulator, path):
    statuses, bodies = [], ""
    failures = [400, 401, 402, 429, 500]
    for status in failures:
        emulator.fail(status=status, message="secret of the server", retry_after=600)

    async with host as address:
        for _ in failures:
            async with client.post(f"http://{address}/{path}", **WHY) as response:
                statuses.append(response.status)
                bodies += await response.text()

    assert statuses == [400, 502, 503, 503, 502]
    assert response.headers["Retry-After"] == "600"
    assert "secret" not in bodies


async def test_a_body_without_a_question_is_refused(host, client, emulator):
    bodies = [{"prompt": ""}, {"prompt": 7}, {}, []]

    async with host as address:
        for body in bodies:
            async with client.post(f"http://{address}/complete", json=body) as response:
                assert response.status == 422

    assert emulator.requests == []


@pytest.mark.parametrize("stall", [Stall(before="headers"), Stall(after=1)])
async def test_a_client_that_leaves_ends_the_call(host, client, emulator, event_timeout, stall):
    async def ask(address, path):
        async with client.post(f"http://{address}/{path}", **WHY) as response:
            await response.read()

    paths = ["complete", "text", "stream"]
    for _ in paths:
        emulator.reply("Light scatters.", fault=stall)

    async with host as address, event_timeout():
        tasks = [asyncio.ensure_future(ask(address, path)) for path in paths]
        while len(emulator.requests) < len(paths):  # noqa: ASYNC110 - it has no event to wait for
            await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()
        await emulator.no_connections()

    assert [record.outcome for record in emulator.requests] == ["left"] * len(paths)

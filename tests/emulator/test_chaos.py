"""Faults by lot."""

import asyncio
from collections import Counter

import aiohttp
import pytest

from aimlchat.emulator import Cut, Emulator, ErrorStatus, Html, NoAnswer, Pings, Stall, faults
from aimlchat.emulator.chaos import Chaos
from aimlchat.emulator.responses import BodyPart, PlannedResponse

BODY = {"model": "openai/gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
RESPONSE = PlannedResponse(
    tuple(BodyPart(b"data: x\n\n", is_delta=True) for _ in range(9)), streamed=True
)
KINDS = {getattr(faults, name) for name in faults.__all__} - {faults.Fault}
KINDS_THAT_END = KINDS - {Stall, Pings}


async def ask(http, emulator, *, stream=False):
    url = f"{emulator.base_url}/chat/completions"
    headers = {"Authorization": "Bearer k"}
    try:
        async with http.post(url, json=BODY | {"stream": stream}, headers=headers) as answer:
            await answer.read()
    except aiohttp.ClientError:
        pass  # some of the faults are there for that


async def served(count, **options):
    """Send so many requests one after the other and give their faults."""
    async with Emulator(**options) as emulator, aiohttp.ClientSession() as http:
        for _ in range(count):
            await ask(http, emulator)
    return [record.fault for record in emulator.requests]


@pytest.mark.parametrize("stream", [True, False])
async def test_what_does_not_hang_is_served_to_its_end(stream):
    async with Emulator(chaos=1, seed=3, faults=list(KINDS_THAT_END)) as emulator:
        async with asyncio.timeout(20), aiohttp.ClientSession() as http:
            await asyncio.gather(*(ask(http, emulator, stream=stream) for _ in range(100)))
            await asyncio.gather(*(record.finished() for record in emulator.requests))
        await emulator.no_connections()
    assert {type(record.fault) for record in emulator.requests} == KINDS_THAT_END


@pytest.mark.parametrize("stream", [True, False])
async def test_what_hangs_leaves_nothing_behind(stream):
    before = asyncio.all_tasks()
    async with Emulator(chaos=1, seed=3, faults=[Stall, Pings]) as emulator:
        async with aiohttp.ClientSession() as http:
            asking = [asyncio.create_task(ask(http, emulator, stream=stream)) for _ in range(40)]
            assert await asyncio.wait(asking, timeout=0.2) == (set(), set(asking))
            for task in asking:
                task.cancel()
            await asyncio.wait(asking)
        async with asyncio.timeout(5):
            await emulator.no_connections()
    assert {record.outcome for record in emulator.requests} == {"left"}
    assert asyncio.all_tasks() <= before


async def test_the_same_seed_draws_the_same_faults():
    quick = {"chaos": 0.5, "faults": [ErrorStatus, Html, Cut]}
    first, again, other = [await served(40, seed=seed, **quick) for seed in (7, 7, 8)]
    assert first == again
    assert first != other


@pytest.mark.parametrize(("rate", "low", "high"), [(0, 0, 0), (0.1, 30, 75), (1, 500, 500)])
async def test_the_rate_is_kept(rate, low, high):
    faults_served = await served(500, chaos=rate, faults=[Html], seed=1)
    assert low <= sum(fault is not None for fault in faults_served) <= high


def test_all_kinds_are_drawn_about_as_often():
    chaos = Chaos(1, 7, None)
    drawn = Counter(type(chaos.draw(number, RESPONSE)) for number in range(2400))
    assert drawn.keys() == KINDS
    assert min(drawn.values()) > 120


def test_a_draw_does_not_depend_on_the_draws_before():
    forward, backward = Chaos(0.5, 7, None), Chaos(0.5, 7, None)
    numbers = range(100)
    drawn = [forward.draw(number, RESPONSE) for number in numbers]
    assert drawn == [backward.draw(number, RESPONSE) for number in reversed(numbers)][::-1]


def test_a_cut_strikes_within_the_body_and_in_every_way():
    chaos = Chaos(1, 7, [Cut])
    cuts = [chaos.draw(number, RESPONSE) for number in range(400)]
    assert {cut.how for cut in cuts} == {"close", "reset", "chunk", "end"}
    assert max(cut.after for cut in cuts) < len(RESPONSE.body)


def test_kinds_can_be_narrowed():
    chaos = Chaos(1, 7, [Stall, NoAnswer])
    assert {type(chaos.draw(number, RESPONSE)) for number in range(50)} == {Stall, NoAnswer}


async def test_scripted_and_invalid_requests_take_no_part():
    async with Emulator(chaos=1, faults=[Html]) as emulator, aiohttp.ClientSession() as http:
        emulator.reply("Blue.")
        url = f"{emulator.base_url}/chat/completions"
        headers = {"Authorization": "Bearer k"}
        async with http.post(url, json=BODY, headers=headers) as answer:
            assert "Blue." in await answer.text()
        async with http.post(url, json=BODY | {"top_p": 9}, headers=headers) as answer:
            assert answer.status == 400
        async with http.get(f"{emulator.base_url}/models") as answer:
            assert answer.content_type == "application/json"
    assert [record.fault for record in emulator.requests] == [None] * 3


@pytest.mark.parametrize("wrong", [-0.1, 1.1, 10, float("nan")])
def test_a_rate_that_is_no_share_is_refused(wrong):
    with pytest.raises(ValueError, match=r"chaos is .* from 0 to 1"):
        Emulator(chaos=wrong)


@pytest.mark.parametrize("wrong", [[], [int], [faults.Fault], [Cut()]])
def test_kinds_that_are_none_are_refused(wrong):
    with pytest.raises(ValueError, match=r"faults is .* at least one class of: ErrorStatus, "):
        Emulator(faults=wrong)

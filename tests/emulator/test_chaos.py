"""Random faults: which requests get one, of which kind, and that the emulator survives them."""

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

# Only ends a test that fails: a test that passes waits for an event, not for this time.
GUARD_SECONDS = 60


async def ask(http, emulator, *, stream=False):
    url = f"{emulator.base_url}/chat/completions"
    headers = {"Authorization": "Bearer k"}
    try:
        async with http.post(url, json=BODY | {"stream": stream}, headers=headers) as response:
            await response.read()
    except aiohttp.ClientError:
        pass  # that is what some of the faults cause


async def faults_of(count, **options):
    """Send requests one after the other and return their faults."""
    async with Emulator(**options) as emulator, aiohttp.ClientSession() as http:
        for _ in range(count):
            await ask(http, emulator)
    return [record.fault for record in emulator.requests]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("count", [30, pytest.param(200, marks=pytest.mark.soak)])
async def test_faults_that_do_not_hang_let_every_request_end(count, stream):
    kinds = sorted(KINDS_THAT_END, key=lambda kind: kind.__name__)
    async with Emulator(chaos=1, seed=7, faults=kinds) as emulator:
        async with asyncio.timeout(GUARD_SECONDS), aiohttp.ClientSession() as http:
            await asyncio.gather(*(ask(http, emulator, stream=stream) for _ in range(count)))
            await asyncio.gather(*(record.finished() for record in emulator.requests))
        await emulator.no_connections()
    assert {type(record.fault) for record in emulator.requests} == KINDS_THAT_END


@pytest.mark.parametrize("stream", [True, False])
async def test_faults_that_hang_leave_no_task_and_no_connection(stream):
    before = asyncio.all_tasks()
    async with Emulator(chaos=1, seed=3, faults=[Stall, Pings]) as emulator:
        async with asyncio.timeout(GUARD_SECONDS), aiohttp.ClientSession() as http:
            requests = [asyncio.create_task(ask(http, emulator, stream=stream)) for _ in range(40)]
            while len(emulator.requests) < len(requests):
                assert await asyncio.wait(requests, timeout=0.01) == (set(), set(requests))
            assert await asyncio.wait(requests, timeout=0.1) == (set(), set(requests))
            for request in requests:
                request.cancel()
            await asyncio.wait(requests)
            await emulator.no_connections()
        async with asyncio.timeout(GUARD_SECONDS):
            await asyncio.gather(*(asyncio.all_tasks() - before), return_exceptions=True)
    assert {record.outcome for record in emulator.requests} == {"left"}


async def test_the_same_seed_gives_the_same_faults():
    options = {"chaos": 0.5, "faults": [ErrorStatus, Html, Cut]}
    first, again, other = [await faults_of(40, seed=seed, **options) for seed in (7, 7, 8)]
    assert first == again
    assert first != other


@pytest.mark.parametrize(("rate", "low", "high"), [(0, 0, 0), (0.1, 30, 75), (1, 500, 500)])
def test_the_share_of_requests_with_a_fault_is_the_rate(rate, low, high):
    chaos = Chaos(rate, 1, [Html])
    drawn = [chaos.draw(number, RESPONSE) for number in range(500)]
    assert low <= sum(fault is not None for fault in drawn) <= high


def test_all_kinds_are_drawn_about_equally_often():
    chaos = Chaos(1, 7, None)
    drawn = Counter(type(chaos.draw(number, RESPONSE)) for number in range(2400))
    assert drawn.keys() == KINDS
    assert min(drawn.values()) > 120


def test_a_draw_does_not_depend_on_the_draws_before_it():
    forward, backward = Chaos(0.5, 7, None), Chaos(0.5, 7, None)
    numbers = range(100)
    drawn = [forward.draw(number, RESPONSE) for number in numbers]
    assert drawn == [backward.draw(number, RESPONSE) for number in reversed(numbers)][::-1]


def test_a_drawn_cut_lies_within_the_body_and_takes_every_form():
    chaos = Chaos(1, 7, [Cut])
    cuts = [chaos.draw(number, RESPONSE) for number in range(400)]
    assert {cut.how for cut in cuts} == {"close", "reset", "chunk", "end"}
    assert max(cut.after for cut in cuts) < len(RESPONSE.body)


def test_only_the_given_kinds_are_drawn():
    chaos = Chaos(1, 7, [Stall, NoAnswer])
    assert {type(chaos.draw(number, RESPONSE)) for number in range(50)} == {Stall, NoAnswer}


async def test_scripted_and_rejected_requests_get_no_fault():
    async with Emulator(chaos=1, faults=[Html]) as emulator, aiohttp.ClientSession() as http:
        emulator.reply("Blue.")
        url = f"{emulator.base_url}/chat/completions"
        headers = {"Authorization": "Bearer k"}
        async with http.post(url, json=BODY, headers=headers) as response:
            assert "Blue." in await response.text()
        async with http.post(url, json=BODY | {"top_p": 9}, headers=headers) as response:
            assert response.status == 400
        async with http.get(f"{emulator.base_url}/models") as response:
            assert response.content_type == "application/json"
    assert [record.fault for record in emulator.requests] == [None] * 3


@pytest.mark.parametrize("rate", [-0.1, 1.1, 10, float("nan")])
def test_a_rate_outside_0_to_1_raises_value_error(rate):
    with pytest.raises(ValueError, match=r"chaos is .* from 0 to 1"):
        Emulator(chaos=rate)


@pytest.mark.parametrize("kinds", [[], [int], [faults.Fault], [Cut()]])
def test_kinds_that_are_not_classes_of_faults_raise_value_error(kinds):
    with pytest.raises(ValueError, match=r"faults is .* at least one class of: ErrorStatus, "):
        Emulator(faults=kinds)

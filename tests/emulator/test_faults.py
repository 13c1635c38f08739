"""Faults as data: which ones are valid, how they queue, and what a record says about them."""

import json

import pytest

from aimlchat.emulator import (
    BrokenJson,
    Cut,
    Emulator,
    ErrorEvent,
    ErrorStatus,
    Html,
    NoAnswer,
    OneByte,
    Pings,
    SlowClose,
    Stall,
    Trickle,
    WrongLength,
)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: Cut(-1), "after"),
        (lambda: Cut(how="softly"), "how"),
        (lambda: NoAnswer("chunk"), "how"),
        (Stall, "either before or after"),
        (lambda: Stall(before="headers", after=1), "either before or after"),
        (lambda: Stall(before="tail"), "before"),
        (lambda: Stall(after=-1), "after"),
        (lambda: Pings(-1), "seconds"),
        (lambda: Trickle(float("nan")), "seconds"),
        (lambda: SlowClose(-0.1), "seconds"),
        (lambda: ErrorEvent(-1), "after"),
        (lambda: BrokenJson(-1), "after"),
        (lambda: WrongLength(0), "right"),
    ],
)
def test_invalid_attributes_of_a_fault_raise_value_error(make, word):
    with pytest.raises(ValueError, match=word):
        make()


@pytest.mark.parametrize("value", ["cut", Cut])
def test_a_value_that_is_not_a_fault_raises_type_error(value):
    with pytest.raises(TypeError, match="fault"):
        Emulator().reply("x", fault=value)
    with pytest.raises(TypeError, match="fault"):
        Emulator().fault(value)


async def test_a_fault_without_a_reply_is_injected_into_the_default_response(emulator, raw):
    emulator.fault(Cut(150, "end"))
    cut, intact = await raw.ask(stream=False), await raw.ask(stream=False)
    assert len(cut.body) == 150
    assert json.loads(intact.body)["choices"][0]["message"]["content"]


async def test_faults_wait_in_the_same_queue_as_replies_and_errors(emulator, raw):
    emulator.reply("first")
    emulator.fault(Html())
    emulator.fail(status=503)
    first_bytes = [(await raw.ask(stream=False)).body[:1] for _ in range(2)]
    assert first_bytes == [b"{", b"<"]
    assert (await raw.ask()).headers.startswith("HTTP/1.1 503")


async def test_the_connection_stays_open_after_a_fault_that_ends_the_body(emulator, client):
    for fault in (Html(), OneByte(), ErrorStatus(500), Cut(3, "end")):
        emulator.reply("x", fault=fault)
        await client.ask()
    assert emulator.open_connections == 1


@pytest.mark.parametrize(
    ("fault", "billed"),
    [
        (None, True),
        (Cut(), True),
        (Stall(before="headers"), True),
        (NoAnswer("reset"), True),
        (SlowClose(0), True),
        (ErrorEvent(after=1), True),
        (ErrorEvent(), False),
        (Html(), False),
        (ErrorStatus(429), False),
    ],
    ids=repr,
)
async def test_a_record_has_the_fault_and_whether_it_was_billed(emulator, raw, fault, billed):
    await raw.ask_with(fault)
    assert emulator.requests[0].fault is fault
    assert emulator.requests[0].billed is billed
    assert emulator.billed == billed


async def test_an_error_event_in_a_whole_response_is_not_billed(emulator, raw):
    await raw.ask_with(ErrorEvent(after=1), stream=False)
    assert emulator.billed == 0


async def test_the_record_of_a_scripted_error_has_it_as_its_fault(emulator, client):
    emulator.fail(status=502)
    await client.ask()
    assert emulator.requests[0].fault == ErrorStatus(502)
    assert not emulator.requests[0].billed


async def test_the_outcome_of_a_response_that_was_cut_as_scripted_is_done(emulator, raw):
    for fault in (Cut(3), Cut(3, "reset"), NoAnswer(), WrongLength(2)):
        await raw.ask_with(fault)
    assert [record.outcome for record in emulator.requests] == ["done"] * 4

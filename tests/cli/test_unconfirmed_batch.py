"""``aimlchat batch --server-side`` after a batch that no response has confirmed."""

import asyncio
import json

import pytest

from aimlchat.emulator import NoAnswer, Stall


@pytest.fixture
def paths(tmp_path):
    """Return the arguments that name an input of three requests and its output."""
    source = tmp_path / "requests.jsonl"
    lines = (json.dumps({"id": n, "prompt": f"Question {n}"}) for n in range(3))
    source.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return (str(source), "-o", str(tmp_path / "results.jsonl"))


@pytest.fixture
def batch(emulator, invoke, paths):
    async def batch(*arguments):
        return await invoke("batch", *paths, "--base-url", emulator.base_url, *arguments)

    return batch


async def test_a_lost_response_is_status_1_and_says_what_to_do(batch, emulator):
    emulator.fault(NoAnswer())
    result = await batch("--server-side", "--quiet")
    assert result.exit_code == 1
    first, *advice = result.stderr.splitlines()
    assert first.startswith("aimlchat: the connection broke before a response")
    assert advice[0].startswith("It is not known whether the server has created the batch")
    assert result.stderr.count("--batch-id ID") == 1
    assert "Check the network" not in result.stderr


async def test_the_next_run_is_status_2_until_it_is_told_what_to_do(batch, emulator):
    emulator.fault(NoAnswer())
    await batch("--server-side")
    for options in ((), ("--server-side",), ("--server-side", "--batch-id", "unknown")):
        result = await batch(*options, "--quiet")
        assert result.exit_code == 2
        assert "created the batch of 3 requests (the first is 0)" in result.stderr
        assert len(result.stderr.splitlines()) == 4
    (batch_id,) = emulator._service.batches._batches
    assert (await batch("--server-side", "--batch-id", batch_id)).exit_code == 0
    assert emulator.billed == 3


async def test_again_submits_a_batch_that_was_not_confirmed_again(batch, emulator):
    emulator.fault(NoAnswer())
    await batch("--server-side")
    assert (await batch("--server-side", "--again")).exit_code == 0
    assert len(emulator._service.batches._batches) == 2


async def test_ctrl_c_before_the_response_says_that_the_batch_may_exist(
    start_process, emulator, paths
):
    emulator.fault(Stall(before="headers"))
    shorten = "from aimlchat.batch import server_side; server_side._CANCEL_GRACE = 0.01"
    arguments = ("batch", *paths, "--base-url", emulator.base_url, "--server-side", "--quiet")
    process = await start_process(*arguments, before=shorten, AIMLAPI_API_KEY="k")
    while not emulator.requests:  # noqa: ASYNC110 - the emulator has no event for it
        await asyncio.sleep(0.01)
    process.interrupt()
    status, _, err = await process.wait()
    assert status == 130
    assert err.startswith("It is not known whether the server has created the batch")
    assert "Traceback" not in err

"""What all actors share: limits, a budget, and failures that would hit every call."""

import asyncio
import gc
import os
import time
from pathlib import Path

import pyarrow as pa
import pytest

from aimlchat import ChatSession, ConfigurationError, Limits
from aimlchat.ray import answer
from aimlchat.ray.answering_actor import AnsweringActor
from aimlchat.ray.answering_job import AnsweringJob
from aimlchat.ray.dataset import _share_session
from aimlchat.ray.shared_ledger import SharedLedger


def test_each_actor_gets_its_share_of_the_limits():
    session = ChatSession("test-key", limits=Limits(requests_per_minute=10, concurrency=8))

    shared = _share_session(session, None, 4)._settings.limits

    assert shared == Limits(requests_per_minute=2, concurrency=2)
    assert session._settings.limits == Limits(requests_per_minute=10, concurrency=8)
    other = _share_session(session, Limits(tokens_per_minute=900, max_connections=0), 3)
    assert other._settings.limits == Limits(tokens_per_minute=300)


def test_a_limit_that_leaves_nothing_for_an_actor_is_refused(rows, session):
    with pytest.raises(ConfigurationError, match="requests_per_minute is 3, less than one for"):
        answer(rows(1), session=session, actors=4, limits=Limits(requests_per_minute=3))


def test_a_budget_is_that_of_all_actors(rows, answered, aimlchat_emulator):
    aimlchat_emulator.reply("Paid.", cost=0.1, times=None)

    found = answered(rows(200), actors=2, concurrency=5, batch_size=20, budget_usd=1.0)

    assert 10 <= aimlchat_emulator.billed <= 10 + 2 * 5
    unsent = [row["error"] for row in found if row["answer"] is None]
    assert len(unsent) == 200 - aimlchat_emulator.billed
    assert all(error.startswith("BudgetExceededError: not sent: ") for error in unsent)


@pytest.mark.parametrize(
    ("status", "name"), [(401, "Authentication"), (402, "InsufficientCredits")]
)
def test_a_failure_of_all_calls_is_the_error_of_all_rows_without_more_calls(
    status, name, rows, answered, aimlchat_emulator
):
    aimlchat_emulator.fail(status=status, times=None)

    found = answered(rows(300), concurrency=4, batch_size=50)

    assert {row["error"].partition(":")[0] for row in found} == {f"{name}Error"}
    assert len(aimlchat_emulator.requests) <= 4


def test_a_server_that_is_not_there_is_the_error_of_all_rows(rows, answered, session):
    nobody = ChatSession("test-key", base_url="http://127.0.0.1:9/v1")

    found = answered(rows(100), session=nobody, batch_size=20)

    assert {row["error"].partition(":")[0] for row in found} == {"ConnectionFailedError"}


def test_a_slow_row_does_not_hold_up_the_others_of_its_batch(rows, answered, aimlchat_emulator):
    done, all_others = [], asyncio.Event()

    async def reply(request):
        if request.prompt == "Question 0":
            await all_others.wait()
        else:
            done.append(request)
            if len(done) == 99:
                all_others.set()
        return "Done."

    aimlchat_emulator.reply(reply, times=None)

    assert [row["answer"] for row in answered(rows(100), concurrency=4)] == ["Done."] * 100


def test_an_actor_that_dies_each_time_ends_its_batch_with_errors(
    rows, answered, aimlchat_emulator, tmp_path
):
    deaths = str(tmp_path / "deaths")

    def ask(row):
        if row["id"] == 15:
            with Path(deaths).open("a", encoding="utf-8") as file:
                file.write("x")
            os._exit(1)
        return row["question"]

    found = answered(rows(30), ask, batch_size=10, concurrency=1)

    assert [row["answer"] is None for row in found] == [False] * 10 + [True] * 10 + [False] * 10
    assert {row["error"] for row in found[10:20]} == {
        "ActorDiedError: not sent again: 3 times its actor has died"
    }
    assert Path(deaths).read_text(encoding="utf-8") == "xxx"


def test_the_key_is_in_no_log_of_ray(rows, answered, local_ray, aimlchat_emulator):
    aimlchat_emulator.fail(status=400, times=None)
    answered(rows(3))

    logs = Path(local_ray.address_info["session_dir"], "logs")
    files = [path for path in logs.rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if b"test-key-0123456789" in path.read_bytes()] == []


def test_the_session_is_closed_as_soon_as_its_actor_is_dropped(session, aimlchat_emulator):
    job = AnsweringJob("question", None, session, SharedLedger(None), {"concurrency": 2})
    actor = AnsweringActor(job)
    assert actor(pa.table({"question": ["Why?", "How?"]}))["error"].null_count == 2
    assert aimlchat_emulator.open_connections == 2

    gc.disable()
    del actor
    gc.enable()

    deadline = time.monotonic() + 60
    while aimlchat_emulator.open_connections and time.monotonic() < deadline:
        time.sleep(0.005)
    assert aimlchat_emulator.open_connections == 0

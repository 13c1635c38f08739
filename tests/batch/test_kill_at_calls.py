"""``kill -9`` at each system call that changes a file: what is sent again then, and what is not."""

import itertools
import os
import random
from collections import Counter

import pyarrow.parquet as pq
import pytest
from batch_process import BatchProcesses
from soak import SEED

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(os.name == "nt", reason="Windows has neither fork nor kill -9"),
]

ROWS = 8
CONCURRENCY = 3
IDS = Counter(f"row-{n}" for n in range(ROWS))
MOMENTS = "before", "half"
CHAINS = 8  # runs that are killed several times
MOST_CALLS = 14  # of a run that is not killed, and some more
CLAUDE = "claude-sonnet-4.5"


class Target:
    """The output of the runs, and what the emulator has received from them."""

    def __init__(self, files, processes, emulator) -> None:
        self.files = files
        self.processes = processes
        self._emulator = emulator
        files.write_prompts(ROWS)

    def start_afresh(self, output=None):
        """Make the output as it was, and forget all requests."""
        for path in [*self.files.target.parent.glob(f"{self.files.target.name}*"), *self.left]:
            path.unlink()
        if output is not None:
            self.files.target.write_bytes(output)
        self._emulator.requests.clear()

    def run(self, *arguments, kill_at=None):
        """Run the command; return whether it was killed, and check that it succeeds if not."""
        status = self.processes.run(*arguments, kill_at=kill_at)
        assert status == 0 or (status == -9 and kill_at), self.processes.log.read_text()
        return status == -9

    def written_ids(self):
        """Return the ids of the whole lines."""
        if not self.files.target.exists():
            return set()
        lines = self.files.target.read_bytes().split(b"\n")[:-1]
        return {line.split(b'"')[3].decode() for line in lines}

    @property
    def left(self):
        """The copies that killed runs have left."""
        return [*self.files.target.parent.glob(".aimlchat-*.new")]

    def sent_rows(self):
        """Return how often each row was sent since the last call."""
        bodies = [request.body for request in self._emulator.requests]
        self._emulator.requests.clear()
        texts = [body["messages"][-1]["content"] for body in bodies]
        return Counter(text.replace("Question ", "row-") for text in texts)

    def created_batches(self):
        """Return the ids of the batches on the server."""
        return list(self._emulator._service.batches._batches)


@pytest.fixture
def target(files, aimlchat_emulator):
    arguments = (str(files.source), "-o", str(files.target), "--quiet")
    arguments += ("--base-url", aimlchat_emulator.base_url)
    with BatchProcesses(*arguments, log=files.source.with_name("log")) as processes:
        yield Target(files, processes, aimlchat_emulator)


def kill_everywhere(target, *arguments, output=None):
    """Kill a run at each of its calls; yield after each kill."""
    for number, moment in itertools.product(range(100), MOMENTS):
        target.start_afresh(output)
        if not target.run(*arguments, kill_at=(number, moment)):
            return
        yield


def test_a_run_killed_at_any_call_repeats_only_what_was_in_flight(target, record_property):
    repeated, kills = Counter(), 0
    options = ("--concurrency", str(CONCURRENCY))
    for kills, _ in enumerate(kill_everywhere(target, *options), 1):  # noqa: B007
        written = target.written_ids()
        target.run(*options)

        assert Counter(target.files.ids) == IDS
        sent = target.sent_rows()
        assert sent.keys() == IDS.keys()
        sent_twice = sent - IDS
        assert max(sent_twice.values(), default=0) <= 1
        assert not sent_twice.keys() & written
        assert sent_twice.total() <= CONCURRENCY
        repeated[sent_twice.total()] += 1

    assert kills > ROWS
    counts = dict(sorted(repeated.items()))
    record_property("note", f"{kills} kills; by the number of rows that were sent twice: {counts}")


def test_a_run_killed_again_and_again_comes_to_its_end(target, record_property):
    rng = random.Random(f"kills/{SEED}")  # noqa: S311 - a seed makes every run the same
    kills = 0
    for _ in range(CHAINS):
        target.start_afresh()
        written = set()
        for _ in range(4):
            kill_at = rng.randrange(MOST_CALLS), rng.choice(MOMENTS)
            kills += target.run("--concurrency", str(CONCURRENCY), kill_at=kill_at)
            assert not target.sent_rows().keys() & written
            assert written <= target.written_ids()
            written = target.written_ids()
        target.run()

        assert not target.sent_rows().keys() & written
        assert Counter(target.files.ids) == IDS

    assert kills > CHAINS
    record_property("note", f"{kills} kills in {CHAINS} runs, several in each; each row once")


def test_a_retry_of_failures_killed_at_any_call_keeps_every_result(
    target, aimlchat_emulator, record_property
):
    for _ in range(3):
        aimlchat_emulator.fail(status=400)
    assert target.processes.run() == 1
    output = target.files.target.read_bytes()
    failed = Counter(r["custom_id"] for r in target.files.results if r["error"] is not None)
    assert failed.total() == 3
    files = {target.files.source, target.files.target, target.processes.log}

    kills = 0
    options = ("--retry-failed", "--concurrency", str(CONCURRENCY))
    for kills, _ in enumerate(kill_everywhere(target, *options, output=output), 1):  # noqa: B007
        target.run(*options)

        assert target.sent_rows().keys() == failed.keys()
        assert Counter(target.files.ids) == IDS
        assert all(result["error"] is None for result in target.files.results)
        assert set(target.files.target.parent.iterdir()) - {*target.left} == files

    assert kills > failed.total()
    record_property("note", f"{kills} kills of --retry-failed; each row once")


def test_a_conversion_to_parquet_killed_at_any_call_leaves_a_whole_file(target, record_property):
    options = ("--output-format", "parquet")
    journal = target.files.target.with_name(f"{target.files.target.name}.jsonl")
    target.run(*options)
    line = journal.read_bytes()
    old = target.files.target.read_bytes()

    kills = 0
    for number, moment in itertools.product(range(100), MOMENTS):
        target.start_afresh(old)
        journal.write_bytes(line)
        killed = target.run(*options, kill_at=(number, moment))
        assert pq.read_table(target.files.target).num_rows == ROWS
        assert journal.read_bytes().rstrip(b"\0") == line
        if not killed:
            break
        kills += 1
        target.run(*options)
        assert not target.sent_rows()
        assert journal.read_bytes() == line

    assert kills > 6
    record_property("note", f"{kills} kills of a conversion to Parquet; each file whole")


def test_a_run_on_the_server_killed_at_any_call_makes_one_batch(
    target, aimlchat_emulator, record_property
):
    aimlchat_emulator._service.batches.polls = 0  # each batch has ended at its first poll
    refused, kills = 0, 0
    options = ("--server-side", "--model", CLAUDE)
    batches = len(target.created_batches())
    for kills, _ in enumerate(kill_everywhere(target, *options), 1):  # noqa: B007
        status = target.processes.run(*options)
        if status != 0:  # it cannot know whether the server has received the batch
            assert (status, target.written_ids()) == (2, set())
            assert "--batch-id" in target.processes.log.read_text()
            refused += 1
            found = target.created_batches()[batches:]
            target.run(*options, *(("--batch-id", *found) if found else ("--again",)))

        assert Counter(target.files.ids) == IDS
        assert len(target.created_batches()) == batches + 1
        batches += 1
        assert not list(target.files.target.parent.glob("*.batches*"))

    assert kills > ROWS
    record_property("note", f"{kills} kills of --server-side, {refused} asked for; one batch each")

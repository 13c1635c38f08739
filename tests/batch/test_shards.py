"""A file of requests in shards: which request is in which, and one output for each."""

import json
import os
from collections import Counter
from hashlib import blake2b

import pytest
from batch_process import BatchProcesses

from aimlchat import ConfigurationError
from aimlchat.batch import InputError, run, run_on_server, summarize


@pytest.fixture
def answer(session, files):
    """Return a function that answers a shard of the requests into an output of its own."""

    async def answer(shard, target=None, **options):
        files.target = target or files.source.with_name(f"results-{shard.replace('/', '-')}.jsonl")
        return await run(session, files.source, files.target, shard=shard, **options)

    return answer


def find_shard(custom_id, count):
    """Return the number of a shard as the documentation defines it."""
    digest = blake2b(str(custom_id).encode(), digest_size=8).digest()
    return int.from_bytes(digest[:4], "big") % count + 1


async def test_shards_are_disjoint_and_their_union_is_the_whole_file(files, answer, emulator):
    files.write_prompts(60)
    ids = Counter()
    for number in range(1, 6):
        summary = await answer(f"{number}/5")
        assert summary.is_success
        assert summary.total == len(files.ids) > 0
        assert {find_shard(custom_id, 5) for custom_id in files.ids} == {number}
        ids.update(files.ids)
    assert ids == Counter(f"row-{n}" for n in range(60))
    assert len(emulator.requests) == 60


# These must not change: runs of other versions and machines have dealt rows by them.
@pytest.mark.parametrize(
    ("custom_id", "number"), [("row-0", 6), ("row-1", 9), ("Grüße", 8), (7, 11)]
)
async def test_the_shard_of_an_id_is_the_same_everywhere(files, answer, custom_id, number):
    assert find_shard(custom_id, 16) == number
    files.write({"id": custom_id, "prompt": "Hi"})
    assert (await answer(f"{number}/16")).total == 1
    assert (await answer(f"{number + 1}/16")).total == 0


async def test_further_rows_move_none(files, answer, emulator):
    files.write_prompts(20)
    await answer("2/3")
    before = files.ids
    files.write_prompts(40)
    await answer("2/3")
    assert files.ids[: len(before)] == before
    assert len(files.ids) == len(emulator.requests) > len(before)


async def test_7_and_its_text_are_in_the_same_shard(files, answer):
    files.write({"id": 7, "prompt": "Hi"})
    number = find_shard("7", 4)
    await answer(f"{number}/4")
    files.write({"id": "7", "prompt": "Hi"})
    assert (await answer(f"{number}/4")).before == 1


async def test_a_shard_without_rows_is_a_success(files, answer, emulator):
    files.write_prompts(1)
    number = find_shard("row-0", 2)
    summary = await answer(f"{3 - number}/2")
    assert (summary.total, summary.is_success) == (0, True)
    assert emulator.requests == []


async def test_all_shards_refuse_the_same_broken_file(files, answer, emulator):
    files.write(*({"id": n, "prompt": "Hi"} for n in range(8)), {"id": 8, "prompt": "Hi", "n": -1})
    for number in (1, 2):
        with pytest.raises(InputError, match="line 9"):
            await answer(f"{number}/2")
    assert emulator.requests == []


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (("1/2", "1/4"), "of shard 1/2, and this run is for shard 1/4"),
        (("1/2", "2/2"), "of shard 1/2, and this run is for shard 2/2"),
        (("1/1", None), "of shard 1/1, and this run is for all shards"),
        ((None, "1/1"), "of all shards, and this run is for shard 1/1"),
    ],
)
async def test_an_output_of_another_shard_is_refused_and_not_changed(
    files, answer, emulator, change, names
):
    first, second = change
    files.write_prompts(20)
    await answer(first, files.target)
    before, sent = files.target.read_bytes(), len(emulator.requests)
    with pytest.raises(InputError, match=names):
        await answer(second, files.target)
    assert files.target.read_bytes() == before
    assert len(emulator.requests) == sent


@pytest.mark.parametrize(
    ("shard", "reason"),
    [
        ("0/16", "counted from 1; give 1/16 to 16/16"),
        ("17/16", "no shard 17/16"),
        ("0/0", "give 1/1"),
        ("3", "as in 3/16"),
        ("-1/16", "as in 3/16"),
        ("3/16/2", "as in 3/16"),
        ("\u0661/\u0662", "as in 3/16"),  # Arabic digits
        ("", "as in 3/16"),
    ],
)
async def test_a_shard_that_does_not_exist_is_refused_with_the_reason(
    session, files, emulator, shard, reason
):
    files.write_prompts(1)
    for function in (run, run_on_server):
        with pytest.raises(ConfigurationError, match=reason):
            await function(session, files.source, files.target, shard=shard)
    assert emulator.requests == []
    assert not files.target.exists()


@pytest.mark.parametrize("shard", [3, (3, 16), b"3/16"])
async def test_a_shard_of_another_type_is_a_type_error(session, files, shard):
    files.write_prompts(1)
    with pytest.raises(TypeError, match="'3/16'"):
        await run(session, files.source, files.target, shard=shard)


async def test_the_server_answers_a_shard_too(files, submit):
    files.write_prompts(20)
    for shard in ("1/2", "2/2"):
        files.target = files.source.with_name(f"results-{shard[0]}.jsonl")
        assert (await submit(shard=shard)).is_success
        assert {result["shard"] for result in files.results} == {shard}
    summary = await summarize(files.source, files.source.parent.glob("results-*.jsonl"))
    assert summary.is_success


@pytest.mark.skipif(os.name == "nt", reason="Windows has neither fork nor kill -9")
async def test_a_killed_shard_is_resumed(files, aimlchat_emulator):
    files.write_prompts(60)
    arguments = (str(files.source), "-o", str(files.target), "--quiet", "--shard", "2/3")
    arguments += ("--base-url", aimlchat_emulator.base_url, "--concurrency", "4")
    with BatchProcesses(*arguments, log=files.target.with_name("log")) as processes:
        for moment in ((1, 40), (2, 0)):
            assert processes.run(kill_at=["result", *moment]) == -9
        assert processes.run() == 0
    wanted = {f"row-{n}" for n in range(60) if find_shard(f"row-{n}", 3) == 2}
    assert Counter(files.ids) == Counter(wanted)
    assert {json.dumps(result["shard"]) for result in files.results} == {'"2/3"'}
    assert aimlchat_emulator.billed <= len(wanted) + 2 * 4


async def test_a_shard_without_rows_has_an_output_too(files, answer):
    files.write({"id": "only", "prompt": "Hi"})
    other = find_shard("only", 2) % 2 + 1

    assert (await answer(f"{other}/2")).total == 0
    assert files.target.read_bytes() == b""

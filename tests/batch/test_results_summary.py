"""Files of results read together: what they hold of the requests, and what is missing."""

import json
import tracemalloc

import pytest

from aimlchat.batch import InputError, run, summarize
from aimlchat.batch.known_ids import hash_id
from aimlchat.batch.shard import find_shard


@pytest.fixture
def shards(session, files):
    """Return a function that answers shards of the requests, and returns their outputs."""

    async def answer(*shards):
        paths = []
        for shard in shards:
            paths.append(files.source.with_name(f"results-{shard.replace('/', '-')}.jsonl"))
            await run(session, files.source, paths[-1], shard=shard)
        return paths

    return answer


async def test_the_results_of_all_shards_are_summed_up(files, shards, emulator):
    files.write_prompts(30)
    emulator.fail(status=400)
    emulator.fail(status=404)
    paths = await shards("1/3", "2/3", "3/3")
    summary = await summarize(files.source, paths)
    assert (summary.requests, summary.answered, summary.failed, summary.missing) == (30, 28, 2, 0)
    assert summary.errors == {"BadRequestError": 1, "NotFoundError": 1}
    lines = [json.loads(line) for path in paths for line in path.read_bytes().splitlines()]
    assert summary.tokens == sum(line["usage"]["total_tokens"] for line in lines if line["usage"])
    assert summary.usd == pytest.approx(sum(line["cost"]["usd"] for line in lines if line["cost"]))
    assert summary.usd > 0
    assert not summary.is_success


async def test_all_requests_with_an_answer_are_a_success(files, shards):
    files.write_prompts(10)
    assert (await summarize(files.source, await shards("1/2", "2/2"))).is_success


async def test_missing_requests_are_counted_by_shard(files, shards):
    files.write_prompts(30)
    summary = await summarize(files.source, await shards("2/3"))
    expected = {}
    for n in range(30):
        number = find_shard(hash_id(f"row-{n}"), 3)
        if number != 2:
            expected[f"{number}/3"] = expected.get(f"{number}/3", 0) + 1
    assert summary.missing_by_shard == expected
    assert summary.missing == sum(expected.values())


async def test_results_without_shards_are_read_too(session, files):
    files.write_prompts(5)
    await run(session, files.source, files.target)
    files.write_prompts(8)
    summary = await summarize(str(files.source), [str(files.target)])
    assert (summary.answered, summary.missing, summary.missing_by_shard) == (5, 3, {})


async def test_duplicates_and_rows_of_no_request_are_told(session, files, tmp_path):
    files.write_prompts(4)
    await run(session, files.source, files.target)
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(files.target.read_bytes())
    files.write_prompts(3)
    summary = await summarize(files.source, [files.target, copy])
    assert (summary.requests, summary.answered, summary.results) == (3, 3, 8)
    assert (summary.duplicates, summary.unknown) == (4, 2)
    assert not summary.is_success


async def test_a_file_that_is_given_twice_is_read_once(session, files, tmp_path):
    files.write_prompts(2)
    await run(session, files.source, files.target)
    link = tmp_path / "link.jsonl"
    link.symlink_to(files.target)
    once = await summarize(files.source, [files.target])
    assert await summarize(files.source, [files.target, link, str(files.target)]) == once


@pytest.mark.parametrize("usd", ["1" + "0" * 400, "1e999", "-1", "NaN"])
async def test_what_is_no_amount_of_money_costs_nothing(files, usd):
    files.write_prompts(1)
    files.target.write_text(f'{{"custom_id":"row-0","response":{{}},"cost":{{"usd":{usd}}}}}\n')
    assert (await summarize(files.source, [files.target])).usd == 0


async def test_an_answer_counts_beside_a_failure_of_the_same_request(
    session, files, emulator, tmp_path
):
    files.write_prompts(1)
    await run(session, files.source, files.target)
    emulator.fail(status=400)
    failure = tmp_path / "failure.jsonl"
    await run(session, files.source, failure)
    for paths in ([files.target, failure], [failure, files.target]):
        summary = await summarize(files.source, paths)
        assert (summary.answered, summary.failed, summary.duplicates) == (1, 0, 1)


async def test_results_of_a_request_that_was_changed_are_told(session, files):
    files.write_prompts(2)
    await run(session, files.source, files.target)
    files.write({"id": "row-0", "prompt": "Another"}, {"id": "row-1", "prompt": "Question 1"})
    summary = await summarize(files.source, [files.target])
    assert (summary.answered, summary.changed, summary.is_success) == (2, 1, False)


async def test_a_torn_last_line_and_damaged_lines_are_told(session, files):
    files.write_prompts(4)
    await run(session, files.source, files.target)
    first, second, third, fourth = files.target.read_bytes().splitlines(keepends=True)
    damaged = second.replace(b'"status_code":200', b'"status_code":201')
    files.target.write_bytes(first + damaged + b"no JSON\n" + third + fourth[:50])
    summary = await summarize(files.source, [files.target])
    assert (summary.answered, summary.missing, summary.damaged) == (2, 2, 2)
    assert summary.torn == (str(files.target),)
    assert [problem.partition(": ")[0] for problem in summary.problems] == [
        f"{files.target}, line 2",
        f"{files.target}, line 3",
    ]


@pytest.mark.parametrize(
    "line", [b'{"custom_id":"a","response":{}}\n{"custom_id"', b'{"custom_id":"a","error":{}}']
)
async def test_lines_of_other_tools_are_results(files, line):
    files.write({"id": "a", "prompt": "Hi"})
    files.target.write_bytes(line)
    summary = await summarize(files.source, [files.target])
    assert (summary.results, summary.missing, summary.tokens) == (1, 0, 0)


async def test_what_is_no_file_of_results_is_refused(files, tmp_path):
    files.write_prompts(1)
    with pytest.raises(InputError, match="is not a result of a batch"):
        await summarize(files.source, [files.source])
    with pytest.raises(InputError, match="No such file"):
        await summarize(files.source, [tmp_path / "results-*.jsonl"])
    with pytest.raises(InputError, match="No such file"):
        await summarize(tmp_path / "missing.jsonl", [])


@pytest.mark.parametrize("wrap", [str, bytes, lambda path: path])
async def test_one_path_in_place_of_several_is_a_type_error(files, wrap):
    files.write_prompts(1)
    path = wrap(bytes(files.target) if wrap is bytes else files.target)
    with pytest.raises(TypeError, match="give a list of paths"):
        await summarize(files.source, path)


async def test_an_empty_input_is_refused(files):
    files.source.write_bytes(b"")
    with pytest.raises(InputError, match="is empty"):
        await summarize(files.source, [])


async def test_the_summary_allocates_less_than_a_hundred_bytes_per_row(files):
    rows = 5_000
    files.write_prompts(rows)
    with files.target.open("w", encoding="ascii") as file:
        for n in range(rows):
            file.write(f'{{"custom_id":"row-{n}","response":{{"status_code":200}}}}\n')
    tracemalloc.start()
    summary = await summarize(files.source, [files.target])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert summary.is_success
    assert peak < rows * 100

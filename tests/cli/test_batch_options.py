"""``aimlchat batch``: shards, the summary of their results, Parquet, and widths of terminals."""

import json
import os
import re
import sys

import attrs
import pyarrow.parquet as pq
import pytest
from screen import Screen

from aimlchat.batch import Summary
from aimlchat.cli import progress
from aimlchat.emulator import Stall


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "requests.jsonl"
    lines = (json.dumps({"id": n, "prompt": f"Question {n}"}) for n in range(12))
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def batch(emulator, invoke, source):
    """Run ``aimlchat batch`` on the requests of the test."""

    async def batch(*arguments, key="k"):
        upstream = ("--base-url", emulator.base_url)
        return await invoke("batch", str(source), *map(str, arguments), *upstream, key=key)

    return batch


@pytest.fixture
def answer_shard(batch, tmp_path):
    """Answer a shard, and return the command's result and the file of results."""

    async def answer_shard(shard, *arguments):
        target = tmp_path / f"results-{shard[0]}.jsonl"
        return await batch("-o", target, "--shard", shard, *arguments), target

    return answer_shard


# --- shards --------------------------------------------------------------------------------------


async def test_a_complete_summary_is_status_0(answer_shard, batch, emulator):
    paths = [(await answer_shard(shard))[1] for shard in ("1/2", "2/2")]
    result = await batch("--summary", *paths, key=None)
    assert result.exit_code == 0
    assert re.fullmatch(
        r"12 requests · 12 answered · 0 failed · 0 missing · \d+ tokens · \$[\d.]+\n",
        result.stdout,
    )
    assert len(emulator.requests) == 12


async def test_what_is_missing_is_status_1_with_what_to_do(answer_shard, batch):
    _, path = await answer_shard("1/2")
    result = await batch("--summary", path)
    done = len(path.read_bytes().splitlines())
    assert result.exit_code == 1
    assert f"12 requests · {done} answered · 0 failed · {12 - done} missing" in result.stdout
    assert f"Missing: {12 - done} of shard 2/2" in result.stdout


async def test_failures_duplicates_and_damage_are_told(answer_shard, batch, emulator, tmp_path):
    emulator.fail(status=400)
    paths = [(await answer_shard(shard))[1] for shard in ("1/2", "2/2")]
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(paths[1].read_bytes() + b'no JSON\n{"custom_id"')
    result = await batch("--summary", *paths, copy)
    assert result.exit_code == 1
    for text in (
        "Failed results: 1 BadRequestError",
        "are of requests that have another result",
        "copy.jsonl, line",
        "1 damaged line left out.",
        "copy.jsonl: the last line is incomplete",
    ):
        assert text in result.stdout


async def test_a_quiet_summary_is_only_a_status(answer_shard, batch):
    _, path = await answer_shard("1/2")
    result = await batch("--summary", path, "--quiet")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("-o", "x.jsonl", "--shard", "0/16"), "counted from 1; give 1/16 to 16/16"),
        (("-o", "x.jsonl", "--shard", "16"), "as in 3/16"),
        (("-o", "x.jsonl", "more.jsonl"), "add --summary"),
        (("--summary",), "--summary needs the files of results"),
        (("--summary", "-o", "x.jsonl", "y.jsonl"), "cannot be combined"),
        (("--summary", "missing-*.jsonl"), "No such file"),
        (("--summary", "y.jsonl", "--shard", "1/2"), "--shard cannot be combined with --summary"),
        (("--summary", "y.jsonl", "--retry-failed"), "--retry-failed cannot be combined"),
        (("-o", "x.jsonl", "--fsync", "never"), "each"),
        (("-o", "x.jsonl", "--fsync", "each", "--server-side"), "--fsync cannot be combined"),
        (("-o", "-", "--output-format", "parquet"), "Parquet needs a file"),
    ],
)
async def test_wrong_usage_is_status_2_with_the_reason(batch, emulator, arguments, reason):
    result = await batch(*arguments)
    assert result.exit_code == 2
    assert reason in " ".join(result.stderr.replace("│", " ").split())
    assert emulator.requests == []


async def test_an_output_of_another_shard_is_status_2(answer_shard, batch, emulator):
    _, path = await answer_shard("1/2")
    sent = len(emulator.requests)
    result = await batch("-o", path, "--shard", "1/4")
    assert result.exit_code == 2
    assert "the file has results of shard 1/2" in result.stderr
    assert len(emulator.requests) == sent


# --- Parquet -------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("--output-format", "parquet")])
async def test_parquet_is_written_beside_its_journal(batch, emulator, tmp_path, options):
    target = tmp_path / ("results" if options else "results.parquet")
    emulator.fail(status=400)
    assert (await batch("-o", target, *options, "--fsync", "each")).exit_code == 1
    assert pq.read_table(target)["error"].to_pylist().count("BadRequestError") == 1
    assert (await batch("-o", target, *options, "--retry-failed")).exit_code == 0
    assert pq.read_table(target)["error"].to_pylist() == [None] * 12
    assert len((tmp_path / f"{target.name}.jsonl").read_bytes().splitlines()) == 12
    assert len(emulator.requests) == 13


@pytest.mark.parametrize("name", ["results.jsonl", "folder"])
async def test_parquet_replaces_nothing_but_parquet(batch, emulator, tmp_path, name):
    # The results of an earlier run without the option were paid for.
    path = tmp_path / name
    if name == "folder":
        path.mkdir()
    else:
        assert (await batch("-o", path)).exit_code == 0
    sent = len(emulator.requests)
    result = await batch("-o", path, "--output-format", "parquet")
    assert result.exit_code == 2
    assert "nothing was sent" in result.stderr
    assert len(emulator.requests) == sent
    assert path.is_dir() or len(path.read_bytes().splitlines()) == 12


async def test_a_summary_of_a_parquet_file_names_its_journal(batch, tmp_path):
    path = tmp_path / "results.PARQUET"
    assert (await batch("-o", path, "--quiet")).exit_code == 0
    result = await batch("--summary", path)
    assert result.exit_code == 2
    assert f"give its journal, which is {path}.jsonl" in result.stderr
    assert (await batch("--summary", f"{path}.jsonl")).exit_code == 0


async def test_without_pyarrow_nothing_is_sent(batch, emulator, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = await batch("-o", tmp_path / "results.parquet")
    assert result.exit_code == 2
    assert "pip install '.[parquet]'" in result.stderr
    assert emulator.requests == []


# --- the terminal --------------------------------------------------------------------------------

LONG = Summary(total=1_000_000, done=123_456, failed=78, tokens=98_765_432, usd=12.3456, seconds=99)


@pytest.mark.parametrize(("columns", "rows"), [(40, 4), (80, 3), (200, 1)])
def test_the_progress_fits_its_terminal_and_is_erased(monkeypatch, columns, rows):
    screen = Screen(columns)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "terminal_size", Screen.size)
    display = progress.ProgressDisplay(quiet=False)
    draw = display._start_bar()
    draw(Summary(total=1_000_000))
    draw(LONG)
    lines = screen.text.splitlines()
    assert len(lines) == rows
    assert max(map(len, lines)) < columns
    shown = " · ".join(lines)
    for part in (
        "123,456 of 1,000,000",
        "78 failed",
        "/s",
        "98,765,432 tokens",
        "$12.3456",
        "left",
    ):
        assert part in shown
    display.close()
    assert screen.text.strip() == ""


def test_the_echo_of_ctrl_c_leaves_nothing_of_the_bar(monkeypatch):
    monkeypatch.setattr(progress, "terminal_size", Screen.size)
    summary = Summary(total=4000, done=412, failed=13, usd=0.589209, seconds=4.1)
    for digits in range(12):  # one of the last lines ends at the last column
        screen = Screen(40)
        monkeypatch.setattr(sys, "stderr", screen)
        display = progress.ProgressDisplay(quiet=False)
        display._start_bar()(attrs.evolve(summary, tokens=10**digits))
        screen.write("^C^C")
        display.close()
        assert screen.text.strip() == ""


def test_time_goes_on_while_no_result_arrives(monkeypatch):
    now = 100.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    display = progress.ProgressDisplay(quiet=True)
    assert display.summarize_now() is None
    display.update(Summary(total=10, done=4, seconds=2))
    now += 6
    summary = display.summarize_now()
    assert (summary.seconds, summary.rate, summary.seconds_left) == (8, 0.5, 12)


@pytest.mark.parametrize("columns", [40, 200])
async def test_a_run_on_a_terminal_ends_with_a_summary_that_fits(
    start_process, emulator, source, tmp_path, columns
):
    emulator.reply("never", fault=Stall(before="headers"))
    process = await start_process(
        *("batch", str(source), "-o", str(tmp_path / "results.jsonl")),
        *("--base-url", emulator.base_url),
        terminal="all",
        before=f"import fcntl, struct, termios; fcntl.ioctl(0, termios.TIOCSWINSZ,"
        f" struct.pack('HHHH', 24, {columns}, 0, 0))",
        AIMLAPI_API_KEY="k",
    )
    await process.read_until("11 of 12")
    process.type(b"\x03")
    status, out, _ = await process.wait()
    assert status == 130
    screen = Screen(columns)
    screen.write(out.replace("\r\n", "\n"))
    assert "━" not in screen.text
    assert "11 answered · 0 failed · " in screen.text
    figures = screen.text.partition("11 answered")[2].partition("1 of 12 requests")[0]
    assert max(len(line) for line in figures.splitlines()[1:] or [""]) < columns


def test_an_encoding_without_the_bar_gets_plain_characters():
    assert progress._choose_bar("utf-8") == ("━", "╌")
    assert progress._choose_bar("ascii") == progress._choose_bar(None) == ("#", "-")


INTERRUPTED_TWICE_IN_A_SYNC = """
import os, signal, time
fsync = os.fsync
def interrupt(file):
    os.fsync = fsync
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)
    fsync(file)
os.fsync = interrupt
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
async def test_ctrl_c_twice_writes_and_counts_all_results_as_once(
    start_process, emulator, source, tmp_path
):
    target = tmp_path / "results.jsonl"
    process = await start_process(
        *("batch", str(source), "-o", str(target), "--base-url", emulator.base_url),
        *("--fsync", "each", "--concurrency", "2"),
        before=INTERRUPTED_TWICE_IN_A_SYNC,
        AIMLAPI_API_KEY="k",
    )
    status, _, err = await process.wait()
    assert status == 130
    written = len(target.read_bytes().splitlines())
    assert 0 < written < 12
    assert f"{written} answered · 0 failed" in err
    assert "To continue, run the same command again." in err

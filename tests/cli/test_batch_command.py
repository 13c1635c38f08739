"""``aimlchat batch``: options, exit statuses, reports, and the progress display."""

import asyncio
import gzip
import json
import os
import re
import shutil
import sys

import pytest

from aimlchat.emulator import Stall

from .conftest import clean_environment


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "requests.jsonl"
    write_prompts(path, 3)
    return path


@pytest.fixture
def target(tmp_path):
    return tmp_path / "results.jsonl"


@pytest.fixture
def batch(emulator, invoke, source, target):
    """Run ``aimlchat batch`` on the files of the test."""

    async def batch(*arguments, key="k", stdin=b"", source=source, target=target):
        upstream = ("--base-url", emulator.base_url)
        return await invoke(
            "batch", str(source), "-o", str(target), *upstream, *arguments, key=key, stdin=stdin
        )

    return batch


def write_prompts(path, count):
    lines = (json.dumps({"id": n, "prompt": f"Question {n}"}) for n in range(count))
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def ids_in(text):
    return sorted(json.loads(line)["custom_id"] for line in text.splitlines())


# --- exit statuses and the report ----------------------------------------------------------------


async def test_a_batch_with_all_answers_is_status_0_and_reported_in_one_line(batch, target):
    result = await batch()
    assert (result.exit_code, result.stdout) == (0, "")
    assert ids_in(target.read_text(encoding="utf-8")) == [0, 1, 2]
    assert re.fullmatch(
        r"3 answered · 0 failed · [\d.]+ s · [\d.]+/s · \d+ tokens · \$[\d.]+\n", result.stderr
    )


async def test_a_second_run_sends_nothing_and_is_status_0(batch, emulator):
    await batch()
    result = await batch()
    assert result.exit_code == 0
    assert "The output already had 3 results." in result.stderr
    assert len(emulator.requests) == 3


async def test_failures_are_status_1_and_counted_by_class(batch, emulator):
    emulator.fail(status=400)
    emulator.fail(status=404)
    result = await batch("--concurrency", "1")
    assert result.exit_code == 1
    assert "1 answered · 2 failed" in result.stderr
    assert "Failed: 1 BadRequestError, 1 NotFoundError" in result.stderr
    assert "--retry-failed" in result.stderr
    assert (await batch()).exit_code == 1
    assert (await batch("--retry-failed")).exit_code == 0


@pytest.mark.parametrize("line", ["no JSON", '{"id": 0, "prompt": "x"}'])
async def test_an_invalid_line_is_status_2_and_nothing_is_sent(batch, emulator, source, line):
    with source.open("a", encoding="utf-8") as file:
        file.write(line)
    result = await batch()
    assert result.exit_code == 2
    assert f"{source}, line 4" in result.stderr
    assert emulator.requests == []


async def test_all_bad_lines_are_printed_each_in_a_line_of_its_own(batch, emulator, source, target):
    with source.open("a", encoding="utf-8") as file:
        file.write('no JSON\n{"id": 9, "prompt": "\\u001b[2J", "\\u001b[2J": 1}\n')
    result = await batch()
    first, second = result.stderr.splitlines()
    assert first.startswith(f"aimlchat: {source}, line 4: the line is not JSON")
    assert second.startswith(f"{source}, line 5: \\x1b[2J: a prompt has no such option")
    assert result.exit_code == 2
    assert emulator.requests == []
    assert not target.exists()


async def test_an_empty_input_is_status_2(batch, source):
    source.write_bytes(b"\n")
    result = await batch()
    assert result.exit_code == 2
    assert result.stderr == f"aimlchat: {source} is empty: it has no request, so nothing was sent\n"


async def test_an_output_that_cannot_be_opened_is_status_2(batch, tmp_path):
    result = await batch(target=tmp_path / "missing" / "x.jsonl")
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr


async def test_a_name_that_is_too_long_is_status_2(batch, tmp_path):
    for files in ({"target": tmp_path / ("x" * 300)}, {"source": tmp_path / ("x" * 300)}):
        result = await batch(**files)
        assert result.exit_code == 2
        assert "xxx cannot be" in result.stderr
        assert "File name too long" in result.stderr


async def test_a_rejected_key_is_status_1(batch, emulator):
    emulator.fail(status=401)
    result = await batch("--concurrency", "1")
    assert result.exit_code == 1
    assert "AIMLAPI_API_KEY" in result.stderr


async def test_a_missing_key_is_status_2(batch, emulator):
    result = await batch(key=None)
    assert result.exit_code == 2
    assert "AIMLAPI_API_KEY" in result.stderr
    assert emulator.requests == []


async def test_a_used_up_budget_is_status_1_and_reported(batch, emulator):
    emulator.reply("Yes.", cost=1.0)
    result = await batch("--concurrency", "1", "--budget-usd", "0.5")
    assert result.exit_code == 1
    assert "The budget of $0.5 is used up" in result.stderr
    assert "2 of 3 requests have no result yet." in result.stderr


async def test_quiet_prints_nothing_but_errors(batch, emulator, source):
    result = await batch("--quiet")
    assert (result.exit_code, result.stderr) == (0, "")
    source.write_text("no JSON", encoding="utf-8")
    assert "line 1" in (await batch("--quiet")).stderr


# --- pipes ---------------------------------------------------------------------------------------

# One process for all: a shell, a compressed input, and results that do not go to standard output.
PIPES = """
set -e
aimlchat() { "$PYTHON" -c 'from aimlchat.cli import main; main()' "$@"; }
aimlchat batch <(gzip -dc "$1.gz") -o >(gzip > "$2.gz") --base-url "$3"
! aimlchat batch "$1.gz" -o "$2" --base-url "$3"
! aimlchat batch "$1" -o /dev/stdout --retry-failed --base-url "$3" > >(cat)
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="the machine has no bash")
async def test_process_substitution_is_read_and_written(emulator, source, target):
    source.with_name("requests.jsonl.gz").write_bytes(gzip.compress(source.read_bytes()))
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", PIPES, "bash", str(source), str(target), emulator.base_url),
        env=clean_environment(AIMLAPI_API_KEY="k", PYTHON=sys.executable),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    # Standard error ends once the last of the processes has ended.
    out, err = await process.communicate()
    assert (process.returncode, out) == (0, b"")
    answered, compressed, refused = err.decode().splitlines()
    assert answered.startswith("3 answered")
    assert "compressed with gzip" in compressed
    assert "/dev/stdout is not a file" in refused
    written = gzip.decompress(target.with_name("results.jsonl.gz").read_bytes())
    assert ids_in(written.decode()) == [0, 1, 2]
    assert not target.exists()
    assert len(emulator.requests) == 3


async def test_a_result_that_is_piped_is_not_mixed_with_the_report(start_batch):
    process = await start_batch(target="/dev/stdout")
    status, out, err = await process.wait()
    assert (status, ids_in(out)) == (0, [0, 1, 2])
    assert "3 answered" in err


async def test_ctrl_c_ends_a_run_that_waits_for_a_fifo(start_batch, tmp_path, target):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    process = await start_batch(source=fifo)
    with await asyncio.to_thread(fifo.open, "wb"):  # the command has opened it
        process.interrupt()
        status, _, err = await process.wait()
    assert status == 130
    assert "Traceback" not in err
    assert not target.exists()


# --- options -------------------------------------------------------------------------------------


async def test_a_dash_is_standard_input_or_standard_output(batch):
    result = await batch(source="-", target="-", stdin='{"id": "a", "prompt": "A"}\n')
    assert result.exit_code == 0
    assert ids_in(result.stdout) == ["a"]


async def test_the_model_option_applies_to_lines_without_a_model(batch, emulator):
    await batch("--model", "openai/gpt-4o", "--concurrency", "auto")
    assert {request.body["model"] for request in emulator.requests} == {"openai/gpt-4o"}


async def test_server_side_uses_the_batch_endpoint(batch, emulator, target):
    result = await batch("--server-side")
    assert result.exit_code == 0
    assert {request.path for request in emulator.requests} == {"/v1/batches"}
    assert ids_in(target.read_text(encoding="utf-8")) == [0, 1, 2]


async def test_the_report_says_that_the_emulator_charges_nothing(invoke, source, target):
    result = await invoke("batch", str(source), "-o", str(target), "--emulator", key=None)
    assert result.exit_code == 0
    assert "nothing was charged" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--model", ""),
        ("--concurrency", "0"),
        ("--concurrency", "many"),
        ("--budget-usd", "0"),
        ("--cancel",),
        ("--batch-id", "b1"),
        ("--again",),
        ("--server-side", "--again", "--cancel"),
        ("--server-side", "--again", "--batch-id", "b1"),
        ("--server-side", "--budget-usd", "1"),
        ("--server-side", "--concurrency", "4"),
        ("--server-side", "-o", "-"),
    ],
)
async def test_invalid_and_conflicting_options_are_status_2(batch, emulator, arguments):
    result = await batch(*arguments)
    assert result.exit_code == 2
    assert emulator.requests == []


async def test_a_missing_output_option_is_named(invoke, source):
    result = await invoke("batch", str(source))
    assert result.exit_code == 2
    assert "--output" in result.stderr


# --- as a process --------------------------------------------------------------------------------


@pytest.fixture
def start_batch(start_process, emulator, source, target):
    async def start_batch(*arguments, source=source, target=target, **options):
        upstream = ("--base-url", emulator.base_url)
        paths = (str(source), "-o", str(target))
        return await start_process(
            "batch", *paths, *upstream, *arguments, AIMLAPI_API_KEY="k", **options
        )

    return start_batch


LINE_EVERY_50_MS = """
from aimlchat.cli import progress
progress._SECONDS_TO_FIRST_LINE = progress._SECONDS_BETWEEN_LINES = 0.05
"""


def answer_only(emulator, count):
    """Let the emulator answer this many of the three requests, and leave the others open."""
    for _ in range(count):
        emulator.reply("Yes.", cost=0.25)
    for _ in range(3 - count):
        emulator.reply("never sent", fault=Stall(before="headers"))


async def test_a_pipe_gets_a_plain_progress_line_every_few_seconds(start_batch, emulator):
    answer_only(emulator, 2)
    process = await start_batch("--concurrency", "3", before=LINE_EVERY_50_MS)
    err = await process.read_stderr_until("2 of 3")
    process.interrupt()
    status, _, rest = await process.wait()
    assert status == 130
    assert re.search(
        r"^2 of 3 · 0 failed · [\d.]+/s · \d+ tokens · \$0.50 · .* left$", err, re.MULTILINE
    )
    assert "\x1b" not in err + rest


async def test_ctrl_c_keeps_the_results_and_says_how_to_resume(start_batch, emulator, target):
    answer_only(emulator, 2)
    process = await start_batch("--concurrency", "3", before=LINE_EVERY_50_MS)
    await process.read_stderr_until("2 of 3")
    process.interrupt()
    status, out, err = await process.wait()
    assert (status, out) == (130, "")
    assert "2 answered" in err
    assert "To continue, run the same command again." in err
    assert "Traceback" not in err
    assert len(ids_in(target.read_text(encoding="utf-8"))) == 2
    process = await start_batch("--quiet")
    assert (await process.wait())[0] == 0
    assert ids_in(target.read_text(encoding="utf-8")) == [0, 1, 2]


async def test_a_terminal_shows_a_bar_that_is_removed_at_the_end(start_batch, emulator):
    answer_only(emulator, 2)
    process = await start_batch("--concurrency", "3", terminal="all")
    before = await process.read_until("2 of 3 ")
    process.type(b"\x03")
    status, out, _ = await process.wait()
    assert status == 130
    assert "━" in before
    plain = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", out)
    for part in ("/s ", "0 failed", "tokens", "$0.50", "left"):
        assert part in plain
    assert "To continue, run the same command again." in plain
    # The line of the bar is erased before the report.
    assert out.rpartition("━")[2].partition("2 answered")[0].endswith("\r\x1b[K")


@pytest.mark.parametrize(
    "variables", [{"TERM": "dumb"}, {"NO_COLOR": "1"}, {"CI": "true"}], ids=str
)
async def test_a_terminal_without_colors_gets_no_escape_codes(start_batch, emulator, variables):
    emulator.reply("Yes.", pace=0.05, chunks=["Y"] * 5)
    process = await start_batch(terminal="all", **variables)
    status, out, _ = await process.wait()
    assert status == 0
    assert "\x1b" not in out


async def test_the_batch_ends_when_the_reader_of_its_results_leaves(start_batch, emulator, source):
    write_prompts(source, 500)
    process = await start_batch("--quiet", "--concurrency", "1", target="-")
    await process.read_until("custom_id")
    process.close_stdout()
    assert await process.process.stderr.read() == b""
    assert await process.process.wait() == 1
    assert len(emulator.requests) < 500


async def test_a_pipe_can_be_the_input(start_batch, emulator, target):
    process = await start_batch("--quiet", source="-", stdin=b'{"id": "a", "prompt": "A"}\n')
    assert (await process.wait())[0] == 0
    assert ids_in(target.read_text(encoding="utf-8")) == ["a"]


async def test_a_terminal_cannot_be_the_input(start_batch):
    process = await start_batch(source="-", terminal="all")
    status, out, _ = await process.wait()
    assert status == 2
    assert "standard input" in out


async def test_ctrl_c_leaves_a_batch_on_the_server_and_the_next_run_fetches_it(
    start_batch, emulator, target
):
    emulator._service.batches.polls = 1000
    process = await start_batch("--server-side")
    while not any(request.method == "GET" for request in emulator.requests):  # noqa: ASYNC110
        await asyncio.sleep(0.01)  # the emulator has no event for it
    process.interrupt()
    status, _, err = await process.wait()
    assert status == 130
    assert "The batches continue on the server." in err
    for batch in emulator._service.batches._batches.values():
        batch.polls_left = 0
    process = await start_batch("--server-side", "--quiet")
    assert (await process.wait())[0] == 0
    assert ids_in(target.read_text(encoding="utf-8")) == [0, 1, 2]
    assert sum(request.method == "POST" for request in emulator.requests) == 1

"""Answer a file of requests, with a progress bar. Run it again to go on where it stopped.

    python docs/examples/batch_progress.py requests.jsonl answers.jsonl

Each line of the input is a JSON object, such as {"id": 1, "prompt": "Why is the sky blue?"}. The
key is in the environment variable AIMLAPI_API_KEY. It needs rich, which the extra `cli` installs.
"""

import asyncio
import sys

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from aimlchat import AIMLChatError, ChatSession, Limits
from aimlchat.batch import Summary, run


async def answer_all(source: str, target: str) -> bool:
    """Answer every request that has no answer yet; return whether all of them have one now."""
    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("${task.fields[usd]:.4f}"))
    limits = Limits(requests_per_minute=500)
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        bar = progress.add_task("", total=None, usd=0.0)

        def show(summary: Summary) -> None:
            done = summary.before + summary.done  # before: by earlier runs
            progress.update(bar, completed=done, total=summary.total, usd=summary.usd)

        async with ChatSession(limits=limits) as session:
            summary = await run(
                session, source, target, concurrency="auto", budget_usd=20, on_progress=show
            )
    console.print(f"{summary.done - summary.failed} answers, {summary.failed} failures")
    for error, count in summary.errors.items():
        console.print(f"{count} x {error}", markup=False)
    return summary.is_success


if __name__ == "__main__":
    try:
        is_success = asyncio.run(answer_all(*sys.argv[1:3]))
    except AIMLChatError as error:  # also about the files, such as a line that is no request
        sys.exit(str(error))
    sys.exit(not is_success)

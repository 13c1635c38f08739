"""Tools, and sessions in virtual time, for the tests of runs."""

import asyncio

from clockwork import session_on
from virtual_time import LoopClock, run_in_virtual_time

from aimlchat import RetryPolicy, RoundEnd, Tool, ToolResult
from aimlchat.emulator import Emulator

GPT, CLAUDE = "openai/gpt-4o", "anthropic/claude-sonnet-4.5"
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}


def make_tool(function, name=None, **fields):
    """Return a tool that a run calls; its arguments are not described."""
    return Tool(name or function.__name__, function=function, **fields)


def get_weather(city: str) -> str:
    return f"It rains in {city}."


WEATHER = Tool(
    "get_weather", description="The weather of a city", parameters=CITY, function=get_weather
)


async def ignore():
    """Ignore each cancellation in the first 100 seconds."""
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            if now() > 100:
                raise


def results_of(events):
    return [event for event in events if isinstance(event, ToolResult)]


def texts_of(events):
    """Return the content of each result, and whether it is an error."""
    return [(result.content, result.is_error) for result in results_of(events)]


def ends_of(events):
    return [event.completion for event in events if isinstance(event, RoundEnd)]


async def read_all(run):
    return [event async for event in run]


async def try_all(run):
    """Return the events of a run, and the error that ended it."""
    events = []
    try:
        async for event in run:
            events.append(event)  # noqa: PERF401 - a comprehension would lose them
    except Exception as error:  # noqa: BLE001 - the tests look at it
        return events, error
    return events, None


def in_virtual_time(test, **settings):
    """Run ``test(session, emulator)``, in which waits take no time."""

    async def run():
        settings.setdefault("retry", RetryPolicy(attempts=1))
        async with (
            Emulator() as emulator,
            session_on(LoopClock(), emulator.base_url, model=GPT, **settings) as session,
        ):
            return await test(session, emulator)

    return run_in_virtual_time(run())


def now():
    return asyncio.get_running_loop().time()


async def work(number: int = 0, seconds: float = 0):
    await asyncio.sleep(seconds)
    return f"done {number}"


def call_all(session, emulator, tools, *calls, **options):
    """Return a run in which the model makes these calls, each a name or a pair, and then ends."""
    emulator.reply(tool_calls=[(call, {}) if isinstance(call, str) else call for call in calls])
    emulator.reply("Done.")
    return session.run("Go", tools=tools, **({"model": GPT} | options))


async def run_one(session, emulator, function, arguments=None, **fields):
    """Return the only result of a run that calls a function."""
    tool = make_tool(function, "f", **fields)
    run = call_all(session, emulator, [tool], ("f", arguments or {}))
    (result,) = results_of(await read_all(run))
    return result

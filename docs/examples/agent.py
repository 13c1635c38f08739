"""An agent with two tools, one of which a person has to approve.

    python docs/examples/agent.py "Do I need an umbrella in Ulm? Tell Ada by email."

The key is in the environment variable AIMLAPI_API_KEY. AIMLAPI_BASE_URL names another address, such
as that of an emulator.
"""

import asyncio
import sys

from aimlchat import AIMLChatError, AnswerDelta, ChatSession, RoundEnd, Tool, ToolCall, ToolResult

OUTBOX: list[str] = []


async def get_weather(city: str) -> dict[str, object]:
    """Look up the weather of a city."""
    return {"city": city, "rain": True, "degrees": 12}  # a real tool would ask a service


def send_email(to: str, text: str) -> str:
    """Send an email."""
    OUTBOX.append(f"{to}: {text}")  # a plain function runs in a thread, so it may block
    return f"Sent to {to}."


TOOLS = [
    Tool.from_function(get_weather, timeout=10),
    Tool.from_function(send_email, sequential=True),
]


async def approve(call: ToolCall) -> str | None:
    """Let a call run (None), or give the model a text instead of its result."""
    if call.name != "send_email":
        return None
    reply = await asyncio.to_thread(input, f"{call.name}({call.raw_arguments})? [y/n] ")
    return None if reply.strip().lower() == "y" else "The user does not want this email to be sent."


async def answer(question: str) -> None:
    """Print the answer to a question, and what the tools do meanwhile."""
    async with (
        ChatSession() as session,
        session.run(question, tools=TOOLS, on_tool=approve, budget_usd=0.5) as run,
    ):
        async for event in run:
            match event:
                case AnswerDelta(text):
                    print(text, end="", flush=True)
                case ToolResult(call, content, is_error):
                    print(f"[{call.name}: {'failed, ' if is_error else ''}{content}]")
                case RoundEnd(completion) if completion.text:
                    print()
    print(f"{run.rounds} rounds, {run.usage.total_tokens} tokens, ${run.cost.usd:.4f}")


if __name__ == "__main__":
    try:
        asyncio.run(answer(" ".join(sys.argv[1:])))
    except AIMLChatError as error:
        sys.exit(str(error))

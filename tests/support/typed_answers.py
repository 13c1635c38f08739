"""A type, the ways in which its answers are asked for, and calls that ask, for several tests."""

import attrs

GPT, CLAUDE = "openai/gpt-4o", "anthropic/claude-sonnet-4.5"
GROK, DEEPSEEK = "x-ai/grok-4-fast-reasoning", "deepseek/deepseek-r1"
WAYS = {
    "response_format": {"model": GPT},
    "tool": {"model": GROK},
    "tool of claude": {"model": CLAUDE},
    "offered_tool": {"model": "anthropic/claude-3.7-sonnet", "thinking": 2048},
    "offered_tool in messages": {"model": CLAUDE, "thinking": 2048, "dialect": "messages"},
    "words": {"model": DEEPSEEK},
}


def _is_positive(_, attribute, value):
    if value <= 0:
        msg = f"{attribute.name} has to be positive"
        raise ValueError(msg)


@attrs.frozen
class Invoice:
    name: str = attrs.field(converter=str.strip)
    total: int = attrs.field(validator=_is_positive)
    tags: tuple[str, ...] = ()


INVOICE = {"name": " Ada ", "total": 3, "tags": ["a", "b"]}


async def complete(session, request="Read it", **options):
    return await session.complete(request, **options)


async def stream(session, request="Read it", **options):
    return await session.stream(request, **options).collect()


async def run(session, request="Read it", **options):
    return await session.run(request, tools=None, **options).collect()

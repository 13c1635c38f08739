"""Answers of a type that are recorded in a cassette, and replayed."""

import pytest
from typed_answers import INVOICE, WAYS, Invoice

from aimlchat import ChatSession
from aimlchat.emulator import Emulator


@pytest.mark.parametrize("way", ["response_format", "offered_tool in messages", "words"])
async def test_a_cassette_replays_answers_and_corrections(emulator, tmp_path, way):
    emulator.reply(output=INVOICE | {"total": 0}, reasoning="Hm.")
    emulator.reply(output=INVOICE)
    path = tmp_path / "answers.jsonl"

    async def ask(**options):
        async with (
            Emulator(cassette=path, **options) as player,
            ChatSession("k", base_url=player.base_url) as session,
        ):
            return await session.complete(
                "Read it", output_type=Invoice, output_retries=1, **WAYS[way]
            )

    recorded = await ask(record_from=emulator.base_url)
    replayed = await ask()

    assert replayed.output == recorded.output
    assert len(replayed.attempts) == len(emulator.requests) == 2

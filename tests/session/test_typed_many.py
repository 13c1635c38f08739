"""`output_type=` of many calls: an answer that is not of the type never stops the others."""

import pytest
from typed_answers import GPT, WAYS, Invoice

from aimlchat import OutputError

REQUESTS = ["1", "2", "3", "4"]


def answer(record):
    number = int(record.prompt)
    return f'{{"name": "N{number}", "total": {number - 2}}}'


@pytest.fixture(autouse=True)
def _answers(emulator):
    emulator.reply(answer, times=None, cost=0.25)


def check(outcomes):
    assert [outcome.error is None for outcome in outcomes] == [False, False, True, True]
    assert [outcome.completion.output for outcome in outcomes[2:]] == [
        Invoice("N3", 1),
        Invoice("N4", 2),
    ]
    for outcome in outcomes[:2]:
        assert isinstance(outcome.error, OutputError)
        assert outcome.error.completion.cost.usd == 0.25
        with pytest.raises(OutputError, match="positive"):
            outcome.unwrap()


@pytest.mark.parametrize("way", ["response_format", "words"])
async def test_outcomes_have_the_outputs_or_the_errors(session, way):
    iterator = session.complete_many(REQUESTS, output_type=Invoice, **WAYS[way])

    check(await iterator.gather())

    assert (iterator.done, iterator.failed) == (4, 2)
    assert iterator.cost.usd == 1.0  # the bad answers were charged as well


async def test_the_budget_of_the_run_counts_bad_answers(session):
    iterator = session.complete_many(
        REQUESTS, output_type=Invoice, model=GPT, concurrency=1, budget_usd=0.5
    )

    assert len(await iterator.gather()) == 2
    assert iterator.is_out_of_budget


async def test_streams_end_as_usual_and_their_outcomes_have_the_rest(session):
    streams = session.stream_many(REQUESTS, output_type=Invoice, model=GPT)

    texts = dict.fromkeys(range(4), "")
    async for index, delta in streams:
        texts[index] += delta.text

    assert '"N1"' in texts[0]
    check([streams.outcomes[index] for index in range(4)])

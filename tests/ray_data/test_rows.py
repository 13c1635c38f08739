"""What becomes of a row: its request, its columns, its failure."""

import asyncio
import json
import sys

import msgspec
import pyarrow as pa
import pytest
import ray

from aimlchat import ChatRequest, ConfigurationError
from aimlchat.ray import answer

COLUMNS = {
    "answer": "string",
    "reasoning": "string",
    "finish_reason": "string",
    "prompt_tokens": "int64",
    "completion_tokens": "int64",
    "reasoning_tokens": "int64",
    "cached_tokens": "int64",
    "usd": "double",
    "inference_id": "string",
    "attempts": "int64",
    "error": "string",
}


def test_each_row_gets_the_columns_of_its_answer(rows, answered, aimlchat_emulator):
    aimlchat_emulator.reply(
        lambda request: f"About {request.prompt}", reasoning="Think.", times=None, cost=0.25
    )

    found = answered(rows(5), model="openai/gpt-4o", system="Be brief.", batch_size=2)

    for i, row in enumerate(found):
        assert (row["id"], row["question"]) == (i, f"Question {i}")
        assert (row["answer"], row["reasoning"]) == (f"About Question {i}", "Think.")
        assert (row["finish_reason"], row["usd"], row["attempts"]) == ("stop", 0.25, 1)
        assert row["prompt_tokens"] > 0
        assert row["completion_tokens"] > 0
        assert row["inference_id"]
        assert row["error"] is None
    assert {request.body["model"] for request in aimlchat_emulator.requests} == {"openai/gpt-4o"}
    assert aimlchat_emulator.requests[0].body["messages"][0]["content"] == "Be brief."


def test_the_types_of_the_columns_do_not_depend_on_their_values(rows, session, aimlchat_emulator):
    aimlchat_emulator.fail(status=400, times=None)

    schema = answer(rows(2), session=session).materialize().schema()

    types = {name: str(kind) for name, kind in zip(schema.names, schema.types, strict=True)}
    assert types == {"id": "int64", "question": "string", **COLUMNS}


def test_a_prompt_may_be_a_list_of_messages(answered, aimlchat_emulator):
    # Arrow gives every message of the column the keys of all of them.
    one = [{"role": "user", "content": "One"}]
    two = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "2", "name": "x"},
    ]
    dataset = ray.data.from_items([{"id": 1, "chat": one}, {"id": 2, "chat": two}])

    assert [row["error"] for row in answered(dataset, "chat")] == [None, None]

    sent = sorted(aimlchat_emulator.requests, key=lambda request: request.prompt, reverse=True)
    assert [request.body["messages"] for request in sent] == [one, two]


def test_a_prompt_may_be_a_function_of_the_row(rows, answered, aimlchat_emulator):
    def ask(row):
        if row["id"] == 1:
            return row["answr"]
        if row["id"] == 3:
            sys.exit("would end the actor")
        if row["id"] == 4:
            raise asyncio.CancelledError
        return ChatRequest(max_tokens=7).user(f"{row['question']}?") if row["id"] else "Plain"

    found = answered(rows(5), ask)

    assert [row["error"] for row in found] == [
        None,
        "KeyError: 'answr'",
        None,
        "RuntimeError: SystemExit: would end the actor",
        "RuntimeError: CancelledError: ",
    ]
    assert {request.prompt for request in aimlchat_emulator.requests} == {"Plain", "Question 2?"}
    assert {request.body.get("max_tokens") for request in aimlchat_emulator.requests} == {None, 7}


def test_a_row_that_fails_has_an_error_and_no_other_row_suffers(answered, aimlchat_emulator):
    aimlchat_emulator.fail(status=500, when=lambda request: request.prompt == "Bad")
    questions = ["Good", None, "Bad", "Fine"]
    dataset = ray.data.from_items([{"id": i, "question": q} for i, q in enumerate(questions)])

    found = answered(dataset)

    assert [row["answer"] is None for row in found] == [False, True, True, False]
    assert [row["attempts"] for row in found] == [1, 0, 1, 1]
    assert "cannot send NoneType" in found[1]["error"]
    assert found[2]["error"].startswith("ServerError: ")
    assert found[2]["inference_id"]


def test_prompts_of_a_wrong_type_are_failed_rows(answered):
    found = answered(ray.data.from_items([{"id": 1, "question": 7.5}]))

    assert found[0]["error"].startswith("InvalidRequestError: request: cannot send float; give a ")


def test_text_that_arrow_cannot_hold_costs_no_batch(rows, answered, aimlchat_emulator):
    aimlchat_emulator.reply("half \ud83d", when=lambda request: request.prompt.endswith("0"))

    found = answered(rows(2))

    assert found[0]["answer"] == "half \ufffd"
    assert found[1]["error"] is None


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"question": ["Why?"], "error": [""]}, "has a column 'error' already; rename it"),
        ({"prompt": ["Why?"]}, "no column 'question'; its columns are prompt"),
    ],
)
def test_columns_that_do_not_fit_are_refused_before_anything_is_sent(
    table, message, session, aimlchat_emulator
):
    known = ray.data.from_arrow(pa.table(table))
    unknown = known.map_batches(lambda batch: batch, batch_format="pyarrow")

    with pytest.raises(ConfigurationError, match=message):
        answer(known, session=session)
    with pytest.raises(Exception, match=message):
        answer(unknown, session=session).materialize()
    assert aimlchat_emulator.requests == []


def test_taking_a_few_rows_pays_for_no_others(rows, session, aimlchat_emulator):
    assert len(answer(rows(500), session=session, batch_size=50).take(3)) == 3

    assert aimlchat_emulator.billed <= 50


class Invoice(msgspec.Struct):
    number: str
    total: float


def test_an_answer_of_a_type_is_a_column_of_json(rows, answered, aimlchat_emulator):
    value = {"number": "7", "total": 1.5}
    aimlchat_emulator.reply(output=value, times=None, cost=0.25)

    for row in answered(rows(3), model="openai/gpt-4o", output_type=Invoice):
        assert json.loads(row["output"]) == value
        assert (row["usd"], row["error"]) == (0.25, None)


def test_an_answer_that_is_not_of_the_type_is_an_error_that_was_billed(
    rows, answered, aimlchat_emulator
):
    value = {"number": "7", "total": 1.5}
    aimlchat_emulator.reply(output=value, broken="invalid", times=None, cost=0.25)

    (row,) = answered(rows(1), model="openai/gpt-4o", output_type=Invoice)

    assert row["error"].startswith("OutputError: ")
    assert (row["output"], row["answer"], row["usd"]) == (None, None, 0.25)

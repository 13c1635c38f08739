"""`judge_output`: the answer as a value of a type, or the one reason why it is none."""

import copy
import json
import pickle
import traceback
from typing import TypedDict

import attrs
import pytest

from aimlchat import Choice, Completion, OutputError
from aimlchat._client.redaction import redact
from aimlchat._output.judging import judge_output
from aimlchat._schema.errors import DecodeError
from aimlchat._schema.output_types import read_output_type

KEY = "sk-0123456789abcdef0123"


class PriceType:
    """Takes an object with a price."""

    def decode(self, value):
        if not isinstance(value, dict) or not isinstance(value.get("price"), int):
            msg = f"a number is wanted, and {value!r} came"
            raise DecodeError(msg, "items[2].price")
        return value["price"]


def completion(text="", *, finish="stop", refusal=None, is_complete=True):
    choice = Choice(text=text, finish_reason=finish, refusal=refusal)
    return Completion((choice,), is_complete=is_complete)


def failure(judged, **options):
    with pytest.raises(OutputError) as caught:
        judge_output(judged, PriceType(), **options)
    return caught.value


@pytest.mark.parametrize(
    "text", ['{"price": 7}', '```json\n{"price": 7,}\n```', 'Sure: {"price": 7}. Bye.']
)
def test_an_answer_becomes_a_value(text):
    assert judge_output(completion(text), PriceType()) == 7


def test_the_error_names_the_first_ten_faults():
    names = [f"f{number}" for number in range(12)]
    judged = completion(json.dumps(dict.fromkeys(names, "x")))

    with pytest.raises(OutputError) as caught:
        judge_output(judged, read_output_type(TypedDict("Fields", dict.fromkeys(names, int))))

    assert caught.value.path == "f0"
    assert str(caught.value).startswith("f0: expected an integer, got 'x'; f1: expected an integer")
    assert str(caught.value).endswith("f9: expected an integer, got 'x'; and 2 more like these")


@pytest.mark.parametrize(
    ("judged", "reason", "words"),
    [
        (completion('{"price": 7}', finish="length"), "truncated", "raise max_tokens"),
        (completion('{"pri', finish="length"), "truncated", "after 5 characters"),
        (completion('{"price": 7}', is_complete=False), "truncated", "before it was whole"),
        (completion("no", finish="length", refusal="No."), "truncated", "limit of its length"),
        (completion(refusal="I will not."), "refused", "'I will not.'"),
        (completion('{"price": 7}', finish="content_filter"), "refused", "refused"),
        (completion(finish="content_filter"), "refused", "the answer was filtered"),
        (completion("I cannot say."), "not_json", "no JSON value: 'I cannot say.'"),
        (completion(), "not_json", "it is empty"),
        (Completion(is_complete=True), "not_json", "it is empty"),
        (completion('{"price": 7'), "not_json", "broken at character"),
        (completion('{"price": "7"}'), "invalid", "items[2].price: a number is wanted"),
        (completion("null"), "invalid", "items[2].price: a number is wanted, and None came"),
    ],
)
def test_every_failure_has_its_reason(judged, reason, words):
    error = failure(judged)

    assert error.reason == reason
    assert words in str(error)
    assert error.path == ("items[2].price" if reason == "invalid" else "")
    assert error.completion is judged
    assert error.attempts == judged.attempts


def test_a_text_before_a_refusal_is_no_answer():
    with pytest.raises(OutputError, match="I will not") as caught:
        judge_output(completion('{"price": 7}', refusal="I will not."), PriceType())
    assert caught.value.reason == "refused"


def test_the_error_keeps_nothing_alive_and_crosses_processes():
    error = failure(completion("no"))

    assert error.__cause__ is None
    assert error.__context__ is None
    for again in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error), copy.copy(error)):
        assert (again.reason, again.path, again.completion) == ("not_json", "", error.completion)
        assert str(again) == str(error)


def test_a_key_in_the_answer_is_redacted():
    error = failure(completion(f"Your key is {KEY}."))
    redact(error, [KEY])

    assert KEY not in str(error) + repr(vars(error)) + error.completion.text
    assert KEY not in "".join(traceback.format_exception_only(error))


def test_redaction_leaves_out_the_value_of_an_output():
    @attrs.frozen
    class Strict:
        text: str = attrs.field(validator=attrs.validators.matches_re("sk-.*"))

    error = OutputError("bad", partial=attrs.evolve(completion(KEY), output=Strict(KEY)))
    redact(error, [KEY])

    assert error.completion.output is None

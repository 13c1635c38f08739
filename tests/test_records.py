"""What a session reports to its hooks, and the outcomes of many calls."""

import copy
import pickle
import traceback

import attrs
import pytest

from aimlchat import AIMLChatError, Choice, Completion, ServerError
from aimlchat.errors import Attempt
from aimlchat.records import CallRecord, Outcome, Progress, RetryRecord

ERROR = ServerError("It failed.", status=503, attempts=(Attempt(1, cause="It failed."),))
COMPLETION = Completion(choices=(Choice(text="Hello"),))
RECORDS = [
    RetryRecord("m", "mine", attempt=1, delay=0.5, error=ERROR),
    CallRecord("error", "m", "mine", None, 1.0, None, None, 0, None, None, (), ERROR),
    Outcome(0, "Hi", completion=COMPLETION),
    Outcome(1, "Hi", error=ERROR),
    Progress(1, 0, 2, 30, 0.5, 1.0, None),
]


@pytest.fixture(params=RECORDS, ids=lambda record: type(record).__name__)
def record(request):
    return request.param


def test_a_record_cannot_be_changed(record):
    name = attrs.fields(type(record))[0].name
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(record, name, None)


def test_a_record_that_was_pickled_or_copied_has_the_same_fields(record):
    for again in (pickle.loads(pickle.dumps(record)), copy.deepcopy(record)):
        for field in attrs.fields(type(record)):
            before, after = getattr(record, field.name), getattr(again, field.name)
            if isinstance(before, AIMLChatError):
                before, after = (vars(before), str(before)), (vars(after), str(after))
            assert after == before


@pytest.mark.parametrize("both", [{}, {"completion": COMPLETION, "error": ERROR}])
def test_an_outcome_has_a_completion_or_an_error_but_not_both(both):
    with pytest.raises(ValueError, match="either a completion or an error"):
        Outcome(0, "Hi", **both)


def test_unwrapping_a_success_returns_its_completion():
    assert Outcome(0, "Hi", completion=COMPLETION).unwrap() is COMPLETION


def test_unwrapping_a_failure_raises_its_error():
    with pytest.raises(ServerError, match="It failed") as caught:
        Outcome(0, "Hi", error=ERROR).unwrap()

    assert (caught.value.status, caught.value.attempts) == (503, ERROR.attempts)


def test_unwrapping_a_failure_repeatedly_adds_no_frames_to_the_error_that_is_kept():
    outcome = Outcome(0, "Hi", error=ServerError("It failed.", status=503))
    lengths = []
    for _ in range(3):
        with pytest.raises(ServerError) as caught:
            outcome.unwrap()
        lengths.append(len(traceback.extract_tb(caught.value.__traceback__)))

    assert len(set(lengths)) == 1
    assert outcome.error.__traceback__ is None

"""Arguments that cannot work are refused when `answer` is called."""

import ssl

import pytest

from aimlchat import ChatSession, ConfigurationError
from aimlchat.ray import answer


async def ask(row):
    return row["question"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"actors": 0}, "actors is 0; give a whole number of at least 1"),
        ({"batch_size": None}, "batch_size is None; give a whole number"),
        ({"budget_usd": -1}, "budget_usd is -1; give dollars"),
        ({"concurrency": 0}, "concurrency"),
        ({"n": 2}, "n= has no use here: only one answer of each row has a column"),
        ({"messages": []}, "messages= has no use here"),
        ({"limits": 60}, "limits= is an object of type int"),
        ({"retry": 3}, "retry= is an object of type int"),
        ({"prompt": ask}, "prompt= is a coroutine function"),
        (
            {"prompt": ["question"]},
            "prompt= is an object of type list; give a column",
        ),
        ({"session": {"api_key": "k"}}, "session= is an object of type dict; give a ChatSession"),
        ({"session": ChatSession("k", budget_usd=1)}, "give budget_usd= to answer"),
    ],
)
def test_an_argument_that_cannot_work_is_refused(arguments, message, rows, session):
    with pytest.raises(ConfigurationError, match=message):
        answer(rows(1), **{"session": session} | arguments)


def test_what_is_no_dataset_is_refused(session):
    with pytest.raises(ConfigurationError, match=r"dataset is .*list"):
        answer([{"question": "Hi"}], session=session)


def test_an_unknown_option_is_a_type_error(rows, session):
    with pytest.raises(TypeError, match="max_token"):
        answer(rows(1), session=session, max_token=5)


def test_a_session_that_cannot_be_pickled_is_refused_at_once(rows):
    session = ChatSession("test-key", ssl=ssl.create_default_context())

    with pytest.raises(TypeError, match="cannot be pickled, since that belongs to its process"):
        answer(rows(1), session=session)

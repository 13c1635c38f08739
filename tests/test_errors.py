"""The exception hierarchy: base classes, attributes and messages."""

import copy
import pickle

import pytest

import aimlchat
from aimlchat import (
    AIMLChatError,
    APIError,
    AuthenticationError,
    BadRequestError,
    Choice,
    Completion,
    ConfigurationError,
    ConnectionFailedError,
    InsufficientCreditsError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    ProtocolError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    StreamInterruptedError,
    TransportError,
)
from aimlchat.errors import Attempt

PARENTS = {
    AIMLChatError: (Exception,),
    ConfigurationError: (AIMLChatError, ValueError),
    InvalidRequestError: (AIMLChatError, ValueError),
    TransportError: (AIMLChatError,),
    ConnectionFailedError: (TransportError, ConnectionError),
    RequestTimeoutError: (TransportError, TimeoutError),
    APIError: (AIMLChatError,),
    BadRequestError: (APIError,),
    AuthenticationError: (APIError,),
    InsufficientCreditsError: (APIError,),
    PermissionDeniedError: (APIError,),
    NotFoundError: (APIError,),
    RateLimitError: (APIError,),
    ServerError: (APIError,),
    ProtocolError: (AIMLChatError,),
    StreamInterruptedError: (ProtocolError,),
}
SHARED = {
    "partial": Completion(choices=(Choice(text="a"),)),
    "attempts": (Attempt(1, "no connection", 0.5), Attempt(2)),
}
RESPONSE_FACTS = {
    "status": 418,
    "request_id": "r",
    "inference_id": "i",
    "path": "/p",
    "retry_after": 1.5,
    "body": {"message": ["a"]},
}
FACTS = {kind: RESPONSE_FACTS for kind in PARENTS if issubclass(kind, APIError)} | {
    InvalidRequestError: {"field": "temperature"},
    ConnectionFailedError: {"sent": True},
    RequestTimeoutError: {"phase": "idle"},
}


def test_the_tree_contains_every_exported_error():
    exported = {getattr(aimlchat, name) for name in aimlchat.__all__ if name.endswith("Error")}
    assert set(PARENTS) == exported


@pytest.mark.parametrize("kind", PARENTS)
class TestEveryError:
    def test_it_has_the_base_classes_of_the_contract(self, kind):
        for parent in PARENTS[kind]:
            assert issubclass(kind, parent)

    def test_it_keeps_all_its_attributes(self, kind):
        facts = SHARED | FACTS.get(kind, {})
        error = kind("It went wrong.", **facts)
        assert {name: getattr(error, name) for name in facts} == facts

    def test_it_keeps_all_its_attributes_when_pickled_or_copied(self, kind):
        facts = SHARED | FACTS.get(kind, {})
        error = kind("It went wrong.", **facts)
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            again = pickle.loads(pickle.dumps(error, protocol))
            assert type(again) is kind
            assert vars(again) == vars(error)
            assert str(again) == str(error)
        for again in (copy.copy(error), copy.deepcopy(error)):
            assert type(again) is kind
            assert vars(again) == vars(error)
            assert str(again) == str(error)
        assert {name: getattr(again, name) for name in facts} == facts

    def test_str_contains_its_message(self, kind):
        assert "It went wrong." in str(kind("It went wrong.", **FACTS.get(kind, {})))

    def test_its_attributes_have_defaults(self, kind):
        error = kind("It went wrong.")
        assert str(error) == "It went wrong."
        assert error.partial == Completion()
        assert error.attempts == ()


def test_str_of_an_invalid_request_contains_the_field():
    assert str(InvalidRequestError("too hot", field="temperature")) == "temperature: too hot"


def test_str_contains_only_the_attributes_that_are_known():
    assert str(APIError("No.", status=500)) == "No. (status 500)"
    assert str(APIError("No.", status=500, retry_after=0)) == "No. (status 500, retry after 0 s)"


def test_one_except_clause_catches_every_error():
    assert all(issubclass(kind, AIMLChatError) for kind in PARENTS)

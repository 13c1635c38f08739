"""The exception hierarchy: base classes, attributes and messages."""

import copy
import io
import json
import logging
import pickle
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

import aimlchat
from aimlchat import (
    AIMLChatError,
    APIError,
    AuthenticationError,
    BadRequestError,
    BudgetExceededError,
    Choice,
    Completion,
    ConfigurationError,
    ConnectionFailedError,
    InsufficientCreditsError,
    InvalidRequestError,
    NotFoundError,
    OutputError,
    PermissionDeniedError,
    ProtocolError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    StreamInterruptedError,
    TransportError,
)
from aimlchat._protocol.api_errors import error_from_response
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
    OutputError: (AIMLChatError, ValueError),
    BudgetExceededError: (AIMLChatError,),
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
    OutputError: {"reason": "truncated", "path": "items[2].price"},
    BudgetExceededError: {"budget_usd": 5.0, "spent_usd": 5.01},
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


def test_the_completion_of_an_output_error_is_what_was_received():
    completion = Completion(choices=(Choice(text="{"),))

    assert OutputError("cut", reason="truncated", partial=completion).completion is completion
    assert OutputError("cut").completion == Completion()


def test_str_of_an_invalid_request_contains_the_field():
    assert str(InvalidRequestError("too hot", field="temperature")) == "temperature: too hot"


def test_str_contains_only_the_attributes_that_are_known():
    assert str(APIError("No.", status=500)) == "No. (status 500)"
    assert str(APIError("No.", status=500, retry_after=0)) == "No. (status 500, retry after 0 s)"


def test_one_except_clause_catches_every_error():
    assert all(issubclass(kind, AIMLChatError) for kind in PARENTS)


# --- what a server may put into an error ----------------------------------------------------------

HOSTILE = "bad \x1b]0;title\x07\u202ekey\ud83d\n2026-01-01 ERROR forged\U000e0041"
SHOWN = r"bad \x1b]0;title\x07\u202ekey\ud83d 2026-01-01 ERROR forged\U000e0041"
ANY_TEXT = st.text(st.characters())  # lone surrogates included


@pytest.mark.parametrize("kind", PARENTS)
def test_str_is_one_line_without_control_characters(kind):
    assert str(kind(HOSTILE)) == SHOWN


def test_what_str_adds_to_a_message_is_escaped_as_well():
    ids = {"request_id": "r\x1b", "inference_id": "i\udcff"}

    assert str(APIError("No.", **ids)) == r"No. (request r\x1b, inference i\udcff)"
    assert str(InvalidRequestError("No.", field="a\n\x1b")) == r"a \x1b: No."


def test_the_attributes_keep_what_the_server_sent():
    error = APIError(HOSTILE, body={"message": HOSTILE})

    assert (error.message, error.body) == (HOSTILE, {"message": HOSTILE})


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_an_error_is_logged_with_its_traceback_as_one_line(encoding):
    data = io.BytesIO()
    stream = io.TextIOWrapper(data, encoding, write_through=True)
    handler = logging.StreamHandler(stream)
    handler.handleError = lambda _: pytest.fail("logging failed")
    logger = logging.Logger("test")  # noqa: LOG001 - apart from all others
    logger.addHandler(handler)
    error = AuthenticationError(HOSTILE, status=401)
    logger.error("failed: %s", error, exc_info=error)

    assert data.getvalue().decode(encoding) == (
        f"failed: {SHOWN} (status 401)\naimlchat.errors.AuthenticationError: {SHOWN} (status 401)\n"
    )


@given(text=ANY_TEXT, other=ANY_TEXT)
def test_an_error_response_of_any_text_can_be_printed_logged_and_pickled(text, other):
    body = json.dumps({"message": text, "path": other, "requestId": other, text: [other]})
    headers = {"x-inference-id": other, "x-request-id": text, "retry-after": text}
    for data in (body.encode(), text.encode("utf-8", "surrogatepass")):
        error = error_from_response(400, data, headers, 0.0, unreadable=other)
        stream = io.TextIOWrapper(io.BytesIO(), "utf-8")
        print(error, repr(error), file=stream)
        stream.writelines(traceback.format_exception(error))
        stream.flush()
        error.message.encode()
        assert len(str(error).splitlines()) == 1
        assert str(pickle.loads(pickle.dumps(error))) == str(error)

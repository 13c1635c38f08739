"""What `aimlchat` exports, and the classes that its errors inherit."""

import pytest

import aimlchat

NAMES = """
ChatSession ChatRequest Thinking Tool Text Image Document Audio
Completion Choice Usage Cost ToolCall
Delta ReasoningDelta AnswerDelta ToolCallDelta RefusalDelta
DeltaStream CompletionIterator Outcome StreamParser RetryPolicy Timeouts Limits Model
AIMLChatError ConfigurationError InvalidRequestError TransportError ConnectionFailedError
RequestTimeoutError APIError BadRequestError AuthenticationError InsufficientCreditsError
PermissionDeniedError NotFoundError RateLimitError ServerError ProtocolError
StreamInterruptedError
""".split()


def test_the_public_names_are_these_and_no_others():
    assert sorted(aimlchat.__all__) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_can_be_had(name):
    assert getattr(aimlchat, name) is not None
    assert name in dir(aimlchat)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nonsense"):
        _ = aimlchat.nonsense


@pytest.mark.parametrize(
    ("name", "parents"),
    [
        ("ConfigurationError", (ValueError,)),
        ("InvalidRequestError", (ValueError,)),
        ("ConnectionFailedError", (aimlchat.TransportError, ConnectionError)),
        ("RequestTimeoutError", (aimlchat.TransportError, TimeoutError)),
        ("StreamInterruptedError", (aimlchat.ProtocolError,)),
        ("RateLimitError", (aimlchat.APIError,)),
    ],
)
def test_an_error_is_caught_by_the_class_that_one_would_guess(name, parents):
    error = getattr(aimlchat, name)

    assert issubclass(error, (aimlchat.AIMLChatError, *parents))
    assert all(issubclass(error, parent) for parent in (aimlchat.AIMLChatError, *parents))

"""What `aimlchat` exports, and the classes that its errors inherit."""

import re
import subprocess
import sys

import pytest

import aimlchat

NAMES = """
ChatSession ChatRequest RequestOptions Thinking Tool Text Image Document Audio
Completion Choice Usage Cost ToolCall ToolResult RoundEnd
Delta ReasoningDelta AnswerDelta ToolCallDelta RefusalDelta Balance
DeltaStream CompletionIterator StreamsIterator ToolRun Outcome StreamParser
RetryPolicy Timeouts Limits Model Attempt CallRecord RetryRecord Progress __version__
AIMLChatError ConfigurationError InvalidRequestError TransportError ConnectionFailedError
RequestTimeoutError APIError BadRequestError AuthenticationError InsufficientCreditsError
OutputError PermissionDeniedError NotFoundError RateLimitError ServerError ProtocolError
StreamInterruptedError BudgetExceededError
""".split()


def test_these_names_are_exported_and_no_others():
    assert sorted(aimlchat.__all__) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_an_exported_name_can_be_imported(name):
    assert getattr(aimlchat, name) is not None
    assert name in dir(aimlchat)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nonsense"):
        _ = aimlchat.nonsense


def test_the_version_is_a_version():
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+|(a|b|rc)\d+)?", aimlchat.__version__)


def test_the_version_does_not_load_the_package_metadata():
    code = "import sys, aimlchat; aimlchat.__version__; print('importlib.metadata' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"


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
def test_an_error_also_inherits_the_class_with_the_same_meaning(name, parents):
    error = getattr(aimlchat, name)

    assert all(issubclass(error, parent) for parent in (aimlchat.AIMLChatError, *parents))

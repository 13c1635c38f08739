"""What an error becomes: a line, advice, and a status."""

import pytest

from aimlchat import errors
from aimlchat.cli.failures import failure_of, reason_of


@pytest.mark.parametrize(
    ("error", "status", "advice"),
    [
        (errors.ConfigurationError("no"), 2, ""),
        (errors.InvalidRequestError("no", field="n"), 2, ""),
        (errors.BadRequestError("no", status=400), 1, ""),
        (errors.PermissionDeniedError("no", status=403), 1, ""),
        (errors.ProtocolError("no"), 1, ""),
        (errors.AuthenticationError("no", status=401), 1, "AIMLAPI_API_KEY"),
        (errors.InsufficientCreditsError("no", status=402), 1, "credits"),
        (errors.NotFoundError("no", status=404), 1, "aimlchat models"),
        (errors.RateLimitError("no", status=429), 1, "Wait"),
        (errors.ServerError("no", status=529), 1, "server's side"),
        (errors.RequestTimeoutError("no", phase="idle"), 1, "Ask again"),
        (errors.ConnectionFailedError("no"), 1, "--base-url"),
        (errors.StreamInterruptedError("no"), 1, "not complete"),
    ],
)
def test_every_error_has_a_status_and_most_have_advice(error, status, advice):
    failure = failure_of(error)
    assert failure.message == str(error)
    assert failure.exit_code == status
    assert advice in failure.advice
    assert bool(advice) == bool(failure.advice)


def test_the_reason_is_the_system_s_own_words():
    assert reason_of(OSError(2, "while doing this or that")) == "No such file or directory"
    assert reason_of(OSError(-2, "Name or service not known")) == "Name or service not known"
    assert reason_of(OSError("odd")) == "odd"
    assert reason_of(OSError()) == "OSError"

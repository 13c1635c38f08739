"""The message, the advice and the exit status of each error."""

import pytest

from aimlchat import errors
from aimlchat.cli.errors import describe_os_error, to_command_error


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
        (errors.RequestTimeoutError("no", phase="idle"), 1, "Try again"),
        (errors.ConnectionFailedError("no"), 1, "--base-url"),
        (errors.StreamInterruptedError("no"), 1, "not complete"),
    ],
)
def test_every_error_has_a_status_and_most_have_advice(error, status, advice):
    shown = to_command_error(error)
    assert shown.message == str(error)
    assert shown.exit_code == status
    assert advice in shown.advice
    assert bool(advice) == bool(shown.advice)


def test_an_os_error_is_described_by_the_message_of_the_system():
    assert describe_os_error(OSError(2, "while doing this or that")) == "No such file or directory"
    assert (
        describe_os_error(OSError(-2, "Name or service not known")) == "Name or service not known"
    )
    assert describe_os_error(OSError("odd")) == "odd"
    assert describe_os_error(OSError()) == "OSError"

"""The hooks that users give, and the log records beside them."""

import asyncio
import functools
import logging

import attrs
import pytest

from aimlchat import ConnectionFailedError, ServerError
from aimlchat._client.hooks import call_hook, logs_calls, report_call, report_retry
from aimlchat.errors import Attempt
from aimlchat.records import CallRecord, RetryRecord

CONTENT = "the text of the conversation"


@pytest.fixture
def log(caplog):
    caplog.set_level(logging.DEBUG, "aimlchat")
    return caplog


def call_record(error=None):
    return CallRecord(
        outcome="error" if error else "complete",
        model="gpt-4o",
        client_request_id="mine",
        inference_id="i-1",
        duration=1.5,
        first_reasoning=None,
        first_answer=None,
        deltas=0,
        usage=None,
        cost=None,
        attempts=(Attempt(1, cause=CONTENT), Attempt(2)),
        error=error,
    )


def retry_record(error):
    return RetryRecord("gpt-4o", "mine", attempt=1, delay=0.25, error=error)


def test_a_hook_gets_the_arguments(log):
    seen = []
    call_hook(lambda *args: seen.append(args), 1, "two")

    assert seen == [(1, "two")]
    assert log.records == []


def test_without_a_hook_nothing_happens(log):
    call_hook(None, 1)

    assert log.records == []


def test_the_log_record_of_a_broken_hook_does_not_show_what_is_bound_to_it(log):
    def broken(token, _):
        raise KeyError

    call_hook(functools.partial(broken, "hush-hush"), 1)

    assert "the hook partial failed" in log.text
    assert "hush-hush" not in log.text


def test_the_name_of_a_model_cannot_forge_a_log_record(log):
    record = attrs.evolve(call_record(), model="m\nERROR forged\x1b[2J")
    report_call(None, record)

    assert log.records[0].getMessage().startswith(r"call mine of m ERROR forged\x1b[2J: complete")


def test_an_exception_in_a_hook_is_logged_with_its_traceback(log):
    def broken(_):
        raise KeyError

    call_hook(broken, 1)

    (record,) = log.records
    assert record.levelno == logging.ERROR
    assert "broken" in record.getMessage()
    assert record.exc_info[0] is KeyError


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_what_is_to_end_the_program_or_the_task_passes_through_a_hook(log, kind):
    def ending():
        raise kind

    with pytest.raises(kind):
        call_hook(ending)
    assert log.records == []


@pytest.mark.parametrize(("level", "logged"), [(logging.DEBUG, True), (logging.INFO, False)])
def test_calls_are_logged_at_the_level_debug(caplog, level, logged):
    caplog.set_level(level, "aimlchat")
    report_call(None, call_record())

    assert logs_calls() is logged
    assert bool(caplog.records) is logged


def test_the_log_record_of_a_call_has_its_id_model_outcome_and_attempts(log):
    report_call(None, call_record())

    (record,) = log.records
    assert record.getMessage() == "call mine of gpt-4o: complete after 1.500 s, 2 attempts"


def test_the_log_record_of_a_retry_has_the_class_and_status_of_the_error(log):
    report_retry(None, retry_record(ServerError("No.", status=503)))

    (record,) = log.records
    assert record.levelno == logging.INFO
    assert record.getMessage() == (
        "call mine: attempt 1 failed, ServerError 503; the next one in 0.25 s"
    )


def test_an_error_without_a_status_is_named_by_its_class_alone(log):
    report_retry(None, retry_record(ConnectionFailedError("No.")))

    assert "ConnectionFailedError;" in log.text


def test_no_log_record_quotes_the_message_of_an_error(log):
    error = ServerError(CONTENT, status=500, body={"message": CONTENT})
    report_call(None, call_record(error))
    report_retry(None, retry_record(error))

    assert len(log.records) == 2
    assert CONTENT not in log.text


def test_the_hooks_get_the_records_themselves():
    seen = []
    call, retry = call_record(), retry_record(ServerError("No.", status=500))
    report_call(seen.append, call)
    report_retry(seen.append, retry)

    assert seen[0] is call
    assert seen[1] is retry

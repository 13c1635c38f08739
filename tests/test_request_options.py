"""The options of a call: request fields as keywords, and the errors for unknown names."""

import inspect
import subprocess
import sys
import typing

import attrs
import pytest

from aimlchat import ChatSession
from aimlchat.request import ChatRequest, RequestOptions, check_options

CONSTRUCTOR = inspect.signature(ChatRequest).parameters
SESSION = ChatSession("any-key")


def test_the_options_are_the_fields_of_a_request_in_their_order():
    names = [field.alias for field in attrs.fields(ChatRequest)]

    assert list(RequestOptions.__annotations__) == names == list(CONSTRUCTOR)
    assert RequestOptions.__optional_keys__ == set(names)


@pytest.mark.parametrize("name", CONSTRUCTOR)
def test_an_option_has_the_type_that_the_constructor_accepts(name):
    assert RequestOptions.__annotations__[name].__forward_arg__ == CONSTRUCTOR[name].annotation


def test_the_types_of_the_options_can_be_resolved():
    assert typing.get_type_hints(RequestOptions).keys() == CONSTRUCTOR.keys()


def test_every_option_changes_its_field():
    for name in CONSTRUCTOR:
        changed = ChatRequest().options(**{name: [{"name": "x"}]})
        assert changed == ChatRequest(**{name: [{"name": "x"}]}) != ChatRequest()


def test_known_options_are_accepted():
    check_options(SESSION.complete, {})
    check_options(SESSION.complete, dict.fromkeys(CONSTRUCTOR))


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("temprature", "temperature"),
        ("Temperature", "temperature"),
        ("max_token", "max_tokens"),
        ("tool", "tools"),
        ("message", "messages"),
        ("_system", "system"),
    ],
)
def test_the_error_for_a_misspelled_option_names_the_method_and_the_nearest_option(name, nearest):
    with pytest.raises(TypeError) as caught:
        check_options(SESSION.complete, {"model": "gpt-4o", name: 1})

    assert str(caught.value) == (
        f"ChatSession.complete() got an unknown option {name!r}; did you mean {nearest!r}?"
    )


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("api_key", "ChatSession(api_key=...)"),
        ("base_url", "ChatSession(base_url=...)"),
        ("extra_body", "use extra={...}"),
        ("extra_headers", "headers={...}"),
        ("function_call", "use tool_choice"),
        ("functions", "use tools"),
        ("max_completion_tokens", "use max_tokens"),
        ("max_retries", "retry=RetryPolicy(attempts=...)"),
        ("request_timeout", "timeouts=Timeouts(...)"),
        ("stop_sequences", "use stop"),
        ("stream", "use ChatSession.stream(...)"),
        ("stream_options", "leave it out"),
        ("system_prompt", "use system"),
        ("timeout", "timeouts=Timeouts(...)"),
        ("timeout_seconds", "timeouts=Timeouts(...)"),
        ("user", "extra={'user': ...}"),
    ],
)
def test_the_error_for_a_name_from_another_sdk_says_what_to_use_instead(name, advice):
    with pytest.raises(TypeError) as caught:
        check_options(SESSION.complete, {name: 1})

    message = str(caught.value)
    assert message.startswith(f"ChatSession.complete() got an unknown option {name!r}; ")
    assert advice in message
    assert "did you mean" not in message


@pytest.mark.parametrize("method", [SESSION.stream, SESSION.stream_many])
def test_the_error_for_stream_in_a_method_that_streams_says_to_leave_it_out(method):
    with pytest.raises(TypeError) as caught:
        check_options(method, {"stream": True})

    assert str(caught.value) == (
        f"ChatSession.{method.__name__}() got an unknown option 'stream';"
        " leave it out, since this method always streams"
    )


@pytest.mark.parametrize(
    ("method", "name", "advice"),
    [
        (SESSION.complete, "timeout", "pass timeouts="),
        (SESSION.complete, "retries", "did you mean 'retry'?"),
        (SESSION.stream, "header", "did you mean 'headers'?"),
        (SESSION.complete_many, "concurency", "did you mean 'concurrency'?"),
        (SESSION.complete_many, "order", "did you mean 'ordered'?"),
        (SESSION.stream_many, "budget_usd", "it is a parameter of ChatSession.complete_many()"),
        (SESSION.complete, "concurrency", "it is a parameter of ChatSession.complete_many()"),
    ],
)
def test_the_parameters_of_the_method_and_of_its_siblings_are_known(method, name, advice):
    with pytest.raises(TypeError) as caught:
        check_options(method, {name: 1})

    assert advice in str(caught.value)


def test_an_option_that_is_like_no_other_can_be_sent_with_extra():
    with pytest.raises(TypeError, match=r"neither .* use extra=\{'zzz': \.\.\.\}"):
        check_options(SESSION.complete, {"zzz": 1})


def test_the_first_unknown_option_is_named():
    with pytest.raises(TypeError, match="'first'"):
        check_options(SESSION.complete, {"model": "m", "first": 1, "second": 2})


def test_the_options_method_of_a_request_checks_its_names():
    with pytest.raises(TypeError) as caught:
        ChatRequest().options(temprature=1)

    assert str(caught.value) == (
        "ChatRequest.options() got an unknown option 'temprature'; did you mean 'temperature'?"
    )


def test_difflib_is_only_imported_for_an_error():
    code = (
        "import sys, aimlchat; aimlchat.ChatRequest().options(n=1); print('difflib' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"

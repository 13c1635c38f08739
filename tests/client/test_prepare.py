"""From what a caller asks for to the request that is sent."""

import json

import pytest

from aimlchat import (
    ChatRequest,
    ConfigurationError,
    Image,
    InvalidRequestError,
    RetryPolicy,
    Timeouts,
)
from aimlchat._client.body import Body
from aimlchat._client.credentials import mask_headers
from aimlchat._client.prepare import (
    CallSpec,
    EndpointSpec,
    PreparedRequest,
    RawRequest,
    RequestDefaults,
)

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def defaults():
    return RequestDefaults("gpt-4o", {"Authorization": "Bearer k", "X-A": "session"})


def spec_of(request, headers=None, *, is_stream=False, **options):
    return CallSpec(request, options, Timeouts(), RetryPolicy(), headers, is_stream)


def body_of(prepared):
    return json.loads(b"".join(prepared.body.pieces()))


# --- the request ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [
        "Hi",
        [{"role": "user", "content": "Hi"}],
        ({"role": "user", "content": "Hi"},),
        ChatRequest("gpt-4o").user("Hi"),
        RawRequest({"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}),
    ],
    ids=["text", "list", "tuple", "request", "raw"],
)
def test_each_kind_of_request_has_the_same_body(defaults, request_):
    prepared = spec_of(request_).prepare(defaults)

    assert body_of(prepared) == {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "Hi"}],
    }


@pytest.mark.parametrize("request_", [None, 1, b"Hi", {"role": "user", "content": "Hi"}, {"Hi"}])
def test_a_request_of_another_type_is_refused(defaults, request_):
    with pytest.raises(InvalidRequestError) as caught:
        spec_of(request_).prepare(defaults)

    assert caught.value.field == "request"


def test_the_model_of_the_session_is_that_of_a_request_without_one(defaults):
    assert spec_of("Hi").prepare(defaults).model == "gpt-4o"


def test_an_option_wins_over_the_request_and_over_the_session(defaults):
    request = ChatRequest("gpt-4.1").user("Hi")

    assert spec_of(request).prepare(defaults).model == "gpt-4.1"
    assert spec_of(request, model="gpt-5").prepare(defaults).model == "gpt-5"


def test_a_model_of_none_stands_for_that_of_the_session(defaults):
    request = ChatRequest("gpt-4.1").user("Hi")

    assert spec_of(request, model=None).prepare(defaults).model == "gpt-4o"
    assert spec_of("Hi", model=None).prepare(defaults).model == "gpt-4o"


def test_the_number_of_choices_and_the_most_tokens_are_those_of_the_payload(defaults):
    prepared = spec_of("Hi", n=3, extra={"max_tokens": 50}).prepare(defaults)

    assert (prepared.n, prepared.max_tokens) == (3, 50)


@pytest.mark.parametrize("odd", [None, 0, "2", 2.0, True])
def test_numbers_of_another_type_in_extra_are_sent_but_not_counted(defaults, odd):
    prepared = spec_of("Hi", extra={"n": odd, "max_tokens": odd}).prepare(defaults)

    assert prepared.n == 1
    assert prepared.max_tokens in (None, 0)


def test_a_chat_call_posts_to_chat_completions_and_uses_tokens(defaults):
    prepared = spec_of("Hi").prepare(defaults)

    assert (prepared.method, prepared.path) == ("POST", "chat/completions")
    assert prepared.uses_tokens


# --- the headers ----------------------------------------------------------------------------------


def test_the_headers_of_a_call_win_over_those_of_the_session(defaults):
    headers = spec_of("Hi", {"X-A": "call", "X-B": "call"}).prepare(defaults).headers

    assert (headers["X-A"], headers["X-B"]) == ("call", "call")
    assert headers["Authorization"] == "Bearer k"
    assert defaults.headers["X-A"] == "session"


def test_the_name_of_a_header_has_no_case(defaults):
    defaults.headers = {"Authorization": "Bearer k", "x-a": "session"}
    headers = spec_of("Hi", {"authorization": "call", "X-A": "call"}).prepare(defaults).headers

    assert {name.lower(): value for name, value in headers.items()} == {
        "authorization": "call",
        "x-a": "call",
        "x-client-request-id": headers["X-Client-Request-Id"],
    }
    assert len(headers) == 3


@pytest.mark.parametrize("name", ["X-Client-Request-Id", "x-client-request-id"])
def test_a_request_id_among_the_headers_of_a_call_is_the_one_that_is_reported(defaults, name):
    prepared = spec_of("Hi", mask_headers({name: "mine"})).prepare(defaults)

    assert repr(prepared.client_request_id) == "'mine'"
    assert prepared.headers[name] == "mine"


def test_a_request_id_among_the_headers_of_a_call_is_checked(defaults):
    with pytest.raises(InvalidRequestError, match="client_request_id"):
        spec_of("Hi", {"X-Client-Request-Id": "not valid"}).prepare(defaults)


@pytest.mark.parametrize("headers", [{"X A": "b"}, {"X-A": "b\n"}])
def test_a_header_that_http_cannot_carry_is_refused(defaults, headers):
    with pytest.raises(ConfigurationError):
        spec_of("Hi", headers).prepare(defaults)


def test_a_stream_asks_for_uncompressed_events(defaults):
    headers = spec_of("Hi", {"Accept": "text/html"}, is_stream=True).prepare(defaults).headers

    assert headers["Accept"] == "text/event-stream"
    assert headers["Accept-Encoding"] == "identity"


def test_a_whole_completion_asks_for_no_media_type(defaults):
    headers = spec_of("Hi").prepare(defaults).headers

    assert not {"Accept", "Accept-Encoding"} & headers.keys()


def test_a_stream_is_asked_for_in_its_body_too(defaults):
    prepared = spec_of("Hi", is_stream=True).prepare(defaults)

    assert prepared.is_stream
    assert body_of(prepared)["stream"] is True


def test_the_callers_own_request_id_is_sent(defaults):
    prepared = spec_of("Hi", client_request_id="mine").prepare(defaults)

    assert prepared.client_request_id == prepared.headers["X-Client-Request-Id"] == "mine"


def test_a_request_id_among_the_headers_of_the_session_is_sent():
    defaults = RequestDefaults("gpt-4o", {"X-Client-Request-Id": "theirs"})

    assert spec_of("Hi").prepare(defaults).headers["X-Client-Request-Id"] == "theirs"


def test_each_call_without_a_request_id_gets_a_new_one(defaults):
    ids = {spec_of("Hi").prepare(defaults).client_request_id for _ in range(100)}

    assert len(ids) == 100


def test_two_sessions_make_no_request_id_in_common(defaults):
    other = RequestDefaults("gpt-4o", {})

    assert defaults.next_request_id() != other.next_request_id()


# --- what can change between the call and its start -----------------------------------------------


def test_freezing_copies_the_messages(defaults):
    messages = [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]
    spec = spec_of(messages)
    spec.freeze(defaults)
    messages[0]["content"][0]["text"] = "changed"
    messages.append({"role": "user", "content": "added"})

    assert body_of(spec.prepare(defaults))["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]}
    ]


def test_freezing_copies_the_options(defaults):
    options = {"prediction": {"type": "content", "content": "One"}, "stop": ["a"]}
    spec = spec_of("Hi", **options)
    spec.freeze(defaults)
    options["prediction"]["content"] = "changed"
    options["stop"].append("b")

    body = body_of(spec.prepare(defaults))
    assert (body["prediction"]["content"], body["stop"]) == ("One", ["a"])


def test_freezing_changes_nothing_of_what_is_sent(defaults):
    tool = {"type": "function", "function": {"name": "f"}}
    options = {"system": "Be brief.", "tools": [tool], "n": 2, "client_request_id": "mine"}
    frozen = spec_of([{"role": "user", "content": "Hi"}], **options)
    frozen.freeze(defaults)
    other = spec_of([{"role": "user", "content": "Hi"}], **options)

    assert body_of(frozen.prepare(defaults)) == body_of(other.prepare(defaults))


@pytest.mark.parametrize("request_", [None, 1, {"role": "user"}])
def test_freezing_refuses_a_request_of_another_type(defaults, request_):
    with pytest.raises(InvalidRequestError):
        spec_of(request_).freeze(defaults)


# --- an estimate of the tokens --------------------------------------------------------------------


def prepared_with(text, **fields):
    return PreparedRequest("", {}, Body((text,)), **fields)


def test_four_bytes_of_the_prompt_count_as_a_token():
    short, long = prepared_with(b" " * 400), prepared_with(b" " * 800)

    assert long.estimate_tokens() - short.estimate_tokens() == 100


def test_the_answer_counts_as_much_as_max_tokens_allows():
    assert prepared_with(b" " * 400, max_tokens=50).estimate_tokens() == 150


def test_without_max_tokens_a_usual_answer_is_counted():
    assert prepared_with(b"").estimate_tokens() == 1024


@pytest.mark.parametrize("size", [3_000, 2_000_000])
def test_a_file_of_any_size_counts_as_much(defaults, size):
    image = Image.from_bytes(PNG + b"\0" * size)
    without = spec_of(ChatRequest("gpt-4o").user("Hi", "")).prepare(defaults)
    prepared = spec_of(ChatRequest("gpt-4o").user("Hi", image)).prepare(defaults)

    assert 1450 < prepared.estimate_tokens() - without.estimate_tokens() < 1550


@pytest.mark.parametrize(
    "prepared", [PreparedRequest("", {}), prepared_with(b"{}" * 99, uses_tokens=False)]
)
def test_a_request_without_a_body_or_of_another_endpoint_counts_as_nothing(prepared):
    assert prepared.estimate_tokens() == 0


# --- raw requests and other endpoints -------------------------------------------------------------


@pytest.mark.parametrize("stream", [True, 1, "yes"])
def test_a_raw_body_that_asks_for_a_stream_is_refused(stream):
    with pytest.raises(InvalidRequestError) as caught:
        RawRequest({"model": "m", "stream": stream}).payload()

    assert caught.value.field == "stream"


def test_a_raw_body_cannot_be_streamed(defaults):
    with pytest.raises(InvalidRequestError, match="stream"):
        spec_of(RawRequest({"model": "m"}), is_stream=True).prepare(defaults)


@pytest.mark.parametrize("request_id", ["", "x" * 129, "a\nb"])
def test_the_request_id_of_a_raw_body_is_checked(request_id):
    with pytest.raises(InvalidRequestError):
        RawRequest({"model": "m"}, request_id).payload()


def test_a_raw_body_with_stream_set_to_false_is_sent_as_it_is():
    body = {"model": "m", "stream": False, "unknown": [1]}

    assert RawRequest(body).payload() == body


def test_another_endpoint_sends_its_own_headers_and_uses_no_tokens(defaults):
    spec = EndpointSpec("PUT", "files", {"X-C": "own"}, Timeouts(), RetryPolicy(), b"[1]")
    prepared = spec.prepare(defaults)

    assert (prepared.method, prepared.path, prepared.headers) == ("PUT", "files", {"X-C": "own"})
    assert prepared.body.whole() == b"[1]"
    assert not prepared.uses_tokens


@pytest.mark.parametrize("body", [None, b""])
def test_an_endpoint_that_takes_nothing_has_no_body(defaults, body):
    spec = EndpointSpec("GET", "models", {}, Timeouts(), RetryPolicy(), body)

    assert spec.prepare(defaults).body is None

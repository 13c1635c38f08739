"""Properties of requests: whatever goes in, a payload is JSON and no request changes."""

import contextlib
import copy
import json
import pickle

from hypothesis import given
from hypothesis import strategies as st

from aimlchat import ChatRequest, Thinking
from aimlchat.content import Image, Text
from aimlchat.errors import InvalidRequestError
from aimlchat.tool_types import Tool

MODELS = st.sampled_from(
    ["anthropic/claude-3.7-sonnet", "claude-3.5-haiku", "claude-sonnet-4-5", "claude-5", "gpt-4o"]
)
WORDS = st.text(min_size=1, max_size=20).filter(lambda text: text.strip())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=5)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)  # fmt: skip
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.binary(max_size=3)
    | st.text(st.characters(exclude_categories=()), max_size=5) | st.just(object),
    lambda inner: st.lists(inner, max_size=3)
    | st.tuples(inner)
    | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip

KEYS = st.sampled_from(
    ["role", "content", "name", "tool_calls", "tool_call_id", "refusal", "audio", "extra_key"]
)
PART_KEYS = st.sampled_from(
    ["text", "image_url", "file", "input_audio", "source", "content", "refusal", "tool_use_id",
     "id", "name", "input", "url", "data", "file_data", "media_type", "format", "cache_control"]
)  # fmt: skip
TYPES = st.sampled_from(
    ["text", "image_url", "file", "input_audio", "image", "document", "tool_use", "tool_result",
     "refusal", "thinking", "new", "base64", "url", "function"]
)  # fmt: skip
ROLES = st.sampled_from(["system", "developer", "user", "assistant", "tool", "robot"])
LIKELY = st.sampled_from(["data:image/png;base64,iVBORw0KGgo=", "aGk=", "https://e.com", "Hi", ""])
PARTS = st.recursive(
    ANYTHING | LIKELY,
    lambda inner: st.fixed_dictionaries(
        {"type": TYPES | ANYTHING}, optional={"content": st.lists(inner, max_size=2)}
    ).flatmap(
        lambda fixed: st.dictionaries(PART_KEYS, inner, max_size=3).map(lambda more: more | fixed)
    ),
    max_leaves=6,
)
CALLS = st.fixed_dictionaries(
    {
        "id": st.just("c") | ANYTHING,
        "function": ANYTHING
        | st.fixed_dictionaries(
            {
                "name": st.just("f") | ANYTHING,
                "arguments": st.sampled_from(["", "{}", '{"x": NaN}', "[", '{"a": "\\ud800"}'])
                | ANYTHING,
            }
        ),
    },
    optional={"type": TYPES | ANYTHING},
)
MESSAGES = (
    st.fixed_dictionaries(
        {"role": ROLES},
        optional={
            "content": LIKELY | st.lists(PARTS, max_size=3) | ANYTHING,
            "tool_calls": st.lists(CALLS, max_size=2) | ANYTHING,
            "tool_call_id": st.just("c") | ANYTHING,
            "refusal": LIKELY | ANYTHING,
            "name": LIKELY | ANYTHING,
            "extra_key": ANYTHING,
        },
    )
    | st.dictionaries(KEYS, ANYTHING)
    | ANYTHING
)
FIELDS = [
    "system", "max_tokens", "temperature", "top_p", "top_k", "stop", "n", "seed", "logprobs",
    "top_logprobs", "logit_bias", "frequency_penalty", "presence_penalty", "tools", "tool_choice",
    "parallel_tool_calls", "response_format", "reasoning_effort", "thinking", "metadata",
    "prediction", "modalities", "audio", "web_search_options", "dialect", "client_request_id",
    "extra", "model", "messages",
]  # fmt: skip


def _check_payload(request):
    """Build the payload; `InvalidRequestError` is the only error that may be raised."""
    with contextlib.suppress(InvalidRequestError):
        for payload in (request.payload(), request.payload(stream=True)):
            text = json.dumps(payload, allow_nan=False, ensure_ascii=False)
            assert json.loads(text) == payload
            text.encode()


@given(MODELS, st.lists(MESSAGES, max_size=4))
def test_message_dicts_give_a_payload_or_are_refused(model, messages):
    _check_payload(ChatRequest(model, messages=messages))


@given(MODELS, st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=3))
def test_any_value_in_any_field_gives_a_payload_or_is_refused(model, options):
    request = ChatRequest(model)
    with contextlib.suppress(InvalidRequestError):
        request = request.user("Hi")
    with contextlib.suppress(InvalidRequestError):  # of what is no function, among the tools
        _check_payload(request.options(**options))


@given(MODELS, ANYTHING, ANYTHING, ANYTHING, ANYTHING)
def test_any_values_in_a_tool_give_a_payload_or_are_refused(
    model, name, description, parameters, strict
):
    tool = Tool(name, description=description, parameters=parameters, strict=strict)
    with contextlib.suppress(InvalidRequestError):
        request = ChatRequest(model, tools=[tool, parameters], tool_choice=tool)
        _check_payload(request.user("Hi"))


@given(MODELS, ANYTHING, ANYTHING, ANYTHING, ANYTHING)
def test_any_arguments_of_the_methods_give_a_payload_or_are_refused(
    model, prompt, part, call_id, content
):
    request = ChatRequest(model).system(prompt).user("Hi")
    for step in (
        lambda: request.user(part),
        lambda: request.user(Text(part)),
        lambda: request.user(Image(data=part, media_type=prompt, url=content)),
        lambda: request.assistant(part),
        lambda: request.tool_result(call_id, content),
        lambda: request.options(thinking=Thinking(part)),
    ):
        with contextlib.suppress(InvalidRequestError):
            _check_payload(step())


@given(MODELS, WORDS, WORDS, JSON, st.dictionaries(WORDS, JSON, max_size=3))
def test_a_payload_survives_json(model, prompt, text, found, extra):
    extra.pop("stream", None)
    request = ChatRequest(model, extra=extra).system(prompt).user(text).tool_result("c", found)
    payload = request.payload()
    assert json.loads(json.dumps(payload)) == payload


@given(WORDS, WORDS, st.integers(1, 100), st.dictionaries(WORDS, JSON, max_size=3))
def test_no_method_changes_the_request_it_is_called_on(prompt, text, max_tokens, extra):
    extra.pop("stream", None)
    base = ChatRequest("gpt-4o", extra=extra).user("Hi")
    twin, before = copy.deepcopy(base), base.payload()
    base.system(prompt)
    base.user(text)
    base.assistant(text)
    base.tool_result("c", extra)
    base.options(max_tokens=max_tokens, extra={"x": 1})
    assert base == twin
    assert base.payload() == before


@given(MODELS, WORDS, st.dictionaries(WORDS, JSON, max_size=3))
def test_a_pickled_request_is_equal(model, text, extra):
    request = ChatRequest(model, messages=[{"role": "user", "content": text}], extra=extra)
    assert pickle.loads(pickle.dumps(request)) == request

"""Which refusals mean that there is no such model: by code, by words, or perhaps by status."""

import json

import pytest

from aimlchat._protocol.api_errors import error_from_response
from aimlchat._protocol.model_errors import says_no_such_model

MODEL = "anthropic/claude-3.7-sonnet"


def verdict(status, body, model=MODEL):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return says_no_such_model(error_from_response(status, data, {}, 0.0), model)


def coded(code, message="No.", key="code"):
    return {"error": {"message": message, key: code}}


# The names in the messages are those of the request, in full or without the vendor, unless they
# have a date. All forms are those of real servers.
SAYINGS = {
    "OpenAI": "The model `claude-3.7-sonnet` does not exist or you have no access to it.",
    "OpenAI, retired": "The model 'claude-3.7-sonnet' has been deprecated, learn more here",
    "OpenAI, malformed": "invalid model ID",
    "vLLM": "The model `anthropic/claude-3.7-sonnet` does not exist.",
    "Groq": "The model `claude-3.7-sonnet` has been decommissioned and is no longer supported.",
    "OpenRouter": "anthropic/claude-3.7-sonnet is not a valid model ID",
    "OpenRouter, no provider": "No endpoints found for anthropic/claude-3.7-sonnet.",
    "LiteLLM": "Invalid model name passed in model=claude-3.7-sonnet. Call `/v1/models`",
    "DeepSeek": "Model Not Exist",
    "Bedrock": "The provided model identifier is invalid.",
    "Bedrock, retired": "This model version has reached the end of its life.",
    "Ollama": 'model "claude-3.7-sonnet" not found, try pulling it first',
    "Gemini": "models/claude-3.7-sonnet is not found for API version v1beta, or it lacks a method.",
    "Mistral": "Invalid model: claude-3.7-sonnet",
    "Moonshot": "Not found the model claude-3.7-sonnet or Permission denied",
    "Zhipu": "模型不存在",
    "Cohere": "model 'claude-3.7-sonnet' was removed on September 15, 2025.",
    "Fireworks": "Model not found, inaccessible, and/or not deployed",
    "Copilot": "The requested model is not supported.",
    "Anthropic, in a 400 of a gateway": '400 {"error":{"message":"model: claude-3-7-sonnet-1"}}',
    "a name with a date": "model claude-3-7-sonnet-20250219 was retired on 2026-03-29",
    "a name without digits": "The model sonar doesn't exist",
    "no name": "This model has been retired.",
    "no longer": "The model claude-3.7-sonnet is no longer available.",
    "unknown": "Unknown model claude-3.7-sonnet",
    "unsupported": "Unsupported model: claude-3.7-sonnet",
    "could not find": "Could not find model claude-3.7-sonnet",
    "none with this name": "There is no model named 'claude-3.7-sonnet'",
}


@pytest.mark.parametrize("status", [400, 404, 410, 422])
@pytest.mark.parametrize("message", SAYINGS.values(), ids=SAYINGS)
def test_words_say_that_there_is_no_such_model(message, status):
    model = "sonar" if "sonar" in message else MODEL

    assert verdict(status, {"message": message}, model) == "yes"
    assert verdict(status, {"error": {"message": message}}, model) == "yes"


@pytest.mark.parametrize(
    "code",
    """
    model_not_found ModelNotFound MODEL_NOT_FOUND model_not_exist model_decommissioned
    ModelDeprecated model_deprecated model_retired model_gone model_not_available invalid_model
    unknown_model unsupported_model model_not_supported no_such_model
    """.split(),
)
@pytest.mark.parametrize("status", [400, 403, 404, 410, 422])
def test_a_code_says_so_whatever_the_words(code, status):
    assert verdict(status, coded(code)) == "yes"
    assert verdict(status, coded(code, key="type")) == "yes"


VALIDATORS = {
    "OpenAI": {"error": {"message": "No.", "param": "model"}},
    "zod": {"message": [{"path": ["model"], "message": "Invalid enum value."}]},
    "zod beside the message": {"message": "Invalid!", "meta": [{"path": ["model"]}]},
    "pydantic": {"detail": [{"loc": ["body", "model"], "msg": "unknown"}]},
    "in a text": {"message": '400 {"error":{"message":"No.","param":"model"}}'},
    "words alone": {"message": f"Invalid enum value. Expected 'a' | 'b', received '{MODEL}'"},
}


@pytest.mark.parametrize("body", VALIDATORS.values(), ids=VALIDATORS)
def test_a_validator_names_the_model_as_the_field_at_fault(body):
    assert verdict(400, body) == "yes"


def test_a_validator_may_list_all_its_models_before_it_says_so():
    listed = "'a/model-of-some-length' | " * 5000

    assert verdict(400, f"Invalid. Expected {listed} 'b', received '{MODEL}'".encode()) == "yes"


OTHERS = """
Unsupported value: 'messages[0].role' does not support 'system' with this model.
`temperature` is deprecated for this model.
For this model, top_p is deprecated
This model does not support image input
This model's maximum context length is 8192 tokens
The model returned invalid output
tool 'model' not found in tools
Unknown parameter: 'reasoning' for model claude
file model.png not found
thinking.type.enabled is not supported for this model. Use adaptive
Invalid enum value. Expected 'low' | 'high', received 'max'
The model is overloaded
response_format is not available for this model
Model claude-3.7 is not supported with image input
The following tool was not found: model_lookup
The model is under maintenance, please contact us
""".strip().splitlines()


@pytest.mark.parametrize("message", OTHERS)
def test_other_faults_of_a_request_do_not_say_so(message):
    assert verdict(400, {"message": message}) == "no"
    assert verdict(404, {"message": message}) == "maybe"


@pytest.mark.parametrize(
    "body", [b"", b"Not Found", b"<html><title>404</title></html>", {"message": "Cannot POST /v1"}]
)
@pytest.mark.parametrize("status", [404, 410])
def test_a_404_without_such_words_may_mean_it(status, body):
    assert verdict(status, body) == "maybe"


@pytest.mark.parametrize("status", [401, 402, 408, 409, 413, 429, 500, 502, 503])
def test_another_status_never_means_it(status):
    assert verdict(status, coded("model_not_found", "model not found")) == "no"


def test_the_words_of_a_403_are_about_permissions():
    assert verdict(403, {"message": "The model does not exist or you lack access"}) == "no"


@pytest.mark.parametrize(
    "message",
    [
        "model " * 100_000,
        "model is " * 100_000,
        "model " + "x" * 300_000,
        "'" * 300_000,
        "the " * 99,
    ],
    ids=["models", "verbs", "a word", "marks", "words"],
)
def test_a_hostile_message_takes_no_long_time(message):
    assert verdict(400, {"message": message}) == "no"


@pytest.mark.parametrize("body", [None, [], {}, 7, "", [[]], {"code": ["model_not_found"]}])
def test_a_body_of_any_shape_is_read(body):
    assert verdict(400, body) == "no"

"""The message of an error body: the sentences that help, from every common shape of body."""

import json

import pytest

from aimlchat._protocol.error_messages import find_message

HELP = "n must be a number"
TEXT_IN_TEXT = json.dumps({"detail": [{"msg": HELP}]})


@pytest.mark.parametrize(
    "body",
    [
        {"statusCode": 400, "message": [HELP], "error": "Bad Request"},
        {"error": "Bad Request", "message": HELP},
        {"message": "Bad Request Exception", "error": HELP},
        {"msg": HELP, "code": 1113, "data": None},
        {"Message": HELP},
        {"errorMessage": HELP, "errorType": "X"},
        {"error_msg": HELP, "error_code": 17},
        {"err": HELP},
        {"title": HELP, "type": "about:blank", "status": 400},
        {"title": "Bad Request", "detail": HELP, "status": 400},
        {"error": "invalid_request", "error_description": HELP},
        {"error": {"message": "Bad Request", "details": HELP}},
        {"error": {"message": "Bad Request", "details": [{"reason": HELP}]}},
        {"error": {"code": "invalid_n"}, "message": HELP},
        {"error": True, "reason": HELP},
        {"errors": [HELP]},
        {"errors": [{"code": 10000, "message": HELP}], "success": False},
        {"errors": [{"title": "Invalid", "detail": HELP}]},
        {"message": "Validation failed", "errors": {"n": [HELP]}},
        {"message": "Validation failed", "errors": {"n": HELP}},
        {"title": "One or more validation errors occurred.", "errors": {"n": [HELP]}},
        {"n": [HELP]},
        {"message": [{"property": "n", "constraints": {"isNumber": HELP}}]},
        {"error": {"issues": [{"path": ["n"], "message": HELP}], "name": "ZodError"}},
        {
            "error": {
                "message": "Invalid request",
                "details": [{"fieldViolations": [{"field": "n", "description": HELP}]}],
            }
        },
        {"fault": {"faultstring": HELP, "detail": {"errorcode": "oauth.v2.Invalid"}}},
        {"base_resp": {"status_code": 1008, "status_msg": HELP}},
        {"status": "error", "data": {"message": HELP}},
        {"message": "Bad Request", "result": {"errors": [{"msg": HELP}]}},
        {"message": "Validation failed", "errors": {"n": {"message": HELP, "kind": "Number"}}},
        {
            "error": {
                "message": "Request contains an invalid argument.",
                "details": [{"fieldViolations": [{"field": "n", "description": HELP}]}],
            }
        },
        {"error": {"message": json.dumps({"error": {"message": TEXT_IN_TEXT}})}},
        {"error": {"message": "Stream error occurred", "cause": {"message": HELP}}},
        {"message": "400 Bad Request", "response": {"message": HELP}},
        [{"error": {"code": 400, "message": HELP, "status": "INVALID_ARGUMENT"}}],
        f'event: error\ndata: {{"error": {{"message": "{HELP}"}}}}\n\n',
        f"<?xml version='1.0'?><Error><Code>X</Code><Message>{HELP}</Message></Error>",
    ],
    ids=str,
)
def test_the_sentence_that_helps_is_found(body):
    assert find_message(body).removeprefix("a page of HTML: ") == HELP


@pytest.mark.parametrize(
    "raw",
    [
        json.dumps({"error": {"message": HELP, "code": "x"}}),
        f'data: {{"error": {{"message": "{HELP}"}}}}',
        HELP,
        json.dumps([{"message": HELP}]),
    ],
)
def test_the_upstreams_own_body_wins_over_that_of_openrouter(raw):
    error = {"message": "Provider returned error", "code": 400, "metadata": {"raw": raw}}
    assert find_message({"error": error}) == HELP


def test_the_metadata_of_openrouter_is_no_message():
    metadata = {"provider_name": "Some Provider", "reasons": ["violence"]}
    error = {"message": "Your input was flagged", "metadata": metadata}
    assert find_message({"error": error}) == "Your input was flagged"
    assert find_message({"error": {**error, "message": "Provider returned error"}}) == (
        "Provider returned error"
    )


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (
            {"loc": ["body", "n"], "msg": "Input should be positive"},
            "body.n: Input should be positive",
        ),
        ({"loc": ["body", 0, "n"], "msg": "Field required"}, "body.0.n: Field required"),
        ({"path": ["n"], "message": "Expected number"}, "n: Expected number"),
        ({"field": "n", "message": "Expected number"}, "n: Expected number"),
        ({"field": "n", "message": "n is no number"}, "n is no number"),
        ({"path": "/v1/chat", "message": "Expected number"}, "Expected number"),
    ],
    ids=str,
)
def test_the_message_of_a_validator_names_the_field(item, message):
    assert find_message({"detail": [item]}) == message


def test_the_messages_of_a_map_name_their_fields():
    body = {"n": ["A number is required."], "model": ["Not one of ours."]}
    assert find_message(body) == "n: A number is required.; model: Not one of ours."


def test_the_users_own_input_is_no_message():
    item = {"loc": ["n"], "msg": "Field required", "input": {"message": "my secret"}}
    assert find_message({"detail": [item]}) == "n: Field required"


@pytest.mark.parametrize(
    "message",
    ["Bad Request", "Overloaded", "model_not_found", "Request failed with status code 500"],
)
def test_a_generic_message_is_used_if_there_is_no_other(message):
    assert find_message({"error": {"message": message, "code": None}}) == message
    assert find_message({"error": message, "message": ""}) == message


def test_a_generic_message_inside_does_not_hide_the_sentence_around_it():
    text = 'The upstream lost its GPU: {"error": "Internal Server Error"}'
    assert find_message({"message": text}) == text
    assert find_message({"message": '500 {"error": "Internal Server Error"}'}) == (
        "Internal Server Error"
    )


def test_a_message_without_spaces_in_another_script_helps():
    assert find_message({"error": {"message": "余额不足"}, "message": "Bad Request"}) == "余额不足"


@pytest.mark.parametrize(
    "text",
    [
        "Error code: 429 - {'error': {'code': '429', 'message': 'n must be a number'}}",
        '{"error": {"message": "n must be a number", "ty',
        '{"error": {"message": "n must be a number',
    ],
)
def test_a_message_in_broken_or_in_pythons_notation_is_found(text):
    assert find_message(text) == HELP


def test_a_text_that_begins_with_a_status_in_angle_brackets_is_no_page():
    message = "<400> InternalError: the input is too long"
    assert find_message({"code": "InvalidParameter", "message": message}) == message


def test_a_wide_body_yields_a_few_messages():
    found = find_message({"errors": [f"problem {number}" for number in range(1000)]})
    assert found.count("problem") == 5


@pytest.mark.parametrize("key", ["data", "result"])
def test_what_wraps_a_body_is_no_message_beside_one(key):
    assert find_message({"message": HELP, key: {"message": "what the user wrote"}}) == HELP

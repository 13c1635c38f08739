"""The lines of the output: what a result contains, whatever the server has sent."""

import json

import pytest

from aimlchat import Completion, Cost, Usage
from aimlchat._json import decode_json
from aimlchat.batch import run
from aimlchat.batch.input_lines import BatchRequest
from aimlchat.batch.result_lines import encode_completion, encode_failure, encode_server_result
from aimlchat.errors import RateLimitError

# JSON of other types than the API promises, and unexpected numbers.
UNEXPECTED = {
    "text": '"n/a"',
    "null": "null",
    "list": "[1]",
    "object": '{"a":1}',
    "boolean": "true",
    "negative": "-1",
    "infinite": "1e999",
    "nan": "NaN",
    "half a character": '"\\ud83d"',
    "400 digits": "9" * 400,
    "4,300 digits": "9" * 4300,
    "5,000 digits": "9" * 5000,
    "nested": "[" * 2000 + "]" * 2000,
}
each_unexpected_value = pytest.mark.parametrize("value", UNEXPECTED.values(), ids=UNEXPECTED.keys())


def test_the_line_of_a_completion_has_the_expected_bytes():
    completion = Completion(
        usage=Usage(1, 2, 3, None, 0),
        cost=Cost(usd=0.5, credits=1_000_000.0),
        inference_id="inference",
        client_request_id="run-1",
        raw={"choices": []},
    )
    request = BatchRequest({}, "run-1", custom_id="a", digest="ab")
    assert encode_completion(request, completion) == (
        b'{"custom_id":"a","response":{"status_code":200,"request_id":"inference","body":{"choices"'
        b':[]}},"error":null,"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,'
        b'"reasoning_tokens":null,"cached_tokens":0,"cache_write_tokens":null},'
        b'"cost":{"usd":0.5,"credits":1000000.0},'
        b'"attempts":0,"inference_id":"inference","client_request_id":"run-1","digest":"ab"}\n'
    )


def test_the_line_of_a_failure_has_the_expected_bytes():
    error = RateLimitError("Slower.", status=429, request_id="r", inference_id="i")
    request = BatchRequest({}, "run-1", custom_id=7, digest="ab")
    assert (
        encode_failure(request, error)
        == (
            b'{"custom_id":7,"response":null,"error":{"code":"RateLimitError",'
            b'"message":%b,"status_code":429,"request_id":"r"},"usage":null,"cost":null,"attempts":0,'
            b'"inference_id":"i","client_request_id":"run-1","digest":"ab"}\n'
        )
        % json.dumps(str(error)).encode()
    )


def test_the_line_of_a_result_on_the_server_has_the_expected_bytes():
    message = {
        "id": "msg_1",
        "content": [],
        "usage": {"input_tokens": 5, "output_tokens": 9, "cache_read_input_tokens": 0},
        "meta": {"usage": {"credits_used": 200, "usd_spent": 0.0001}},
    }
    result = encode_server_result("a", "ab", "b1", {"type": "succeeded", "message": message})
    assert result.line == (
        b'{"custom_id":"a","response":{"status_code":200,"request_id":"msg_1","body":{"id":"msg_1",'
        b'"content":[],"usage":{"input_tokens":5,"output_tokens":9,"cache_read_input_tokens":0},'
        b'"meta":{"usage":{"credits_used":200,"usd_spent":0.0001}}}},"error":null,"usage":'
        b'{"prompt_tokens":5,"completion_tokens":9,"total_tokens":14,"reasoning_tokens":null,'
        b'"cached_tokens":0,"cache_write_tokens":null},"cost":{"usd":0.0001,"credits":200.0},'
        b'"attempts":1,"batch_id":"b1",'
        b'"digest":"ab"}\n'
    )
    assert (result.error, result.cost) == (None, Cost(usd=0.0001, credits=200.0))
    assert (result.usage.prompt_tokens, result.usage.completion_tokens) == (5, 9)


def test_the_line_of_an_error_on_the_server_has_the_expected_bytes():
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": "No."}}
    result = encode_server_result("a", "ab", "b1", {"type": "errored", "error": error})
    assert result.line == (
        b'{"custom_id":"a","response":null,"error":{"code":"errored","message":"No."},"usage":null,'
        b'"cost":null,"attempts":1,"batch_id":"b1","digest":"ab"}\n'
    )
    assert (result.error, result.usage, result.cost) == ("errored", None, None)


async def test_a_result_has_all_that_billing_needs(session, emulator, files):
    emulator.reply("Because.", cost=0.25)
    files.write_prompts(1)
    await run(session, files.source, files.target)
    (result,) = files.results
    sent = emulator.requests[0]
    assert result["custom_id"] == "row-0"
    assert result["error"] is None
    assert result["response"]["status_code"] == 200
    assert result["response"]["request_id"] == result["inference_id"] == sent.inference_id
    assert result["response"]["body"]["choices"][0]["message"]["content"] == "Because."
    assert result["usage"]["total_tokens"] == result["response"]["body"]["usage"]["total_tokens"]
    assert result["cost"] == {"usd": 0.25, "credits": 500_000}
    assert result["attempts"] == 1
    assert result["client_request_id"] == sent.client_request_id


async def test_a_failure_holds_its_error_and_the_number_of_attempts(session, emulator, files):
    emulator.fail(status=400, message="Not like this.")
    files.write_prompts(1)
    summary = await run(session, files.source, files.target)
    (result,) = files.results
    assert result["response"] is None
    assert result["error"]["code"] == "BadRequestError"
    assert result["error"]["status_code"] == 400
    assert "Not like this." in result["error"]["message"]
    assert result["attempts"] == 1
    assert result["client_request_id"] == emulator.requests[0].client_request_id
    assert (summary.failed, summary.errors, summary.is_success) == (
        1,
        {"BadRequestError": 1},
        False,
    )


async def test_values_that_json_cannot_hold_are_replaced_and_the_rest_is_written(
    session, emulator, files
):
    body = '{"choices":[{"message":{"content":"half \\ud83d"},"finish_reason":"stop"}],"x":1e999}'
    emulator.reply(body=body)
    files.write_prompts(1)
    assert (await run(session, files.source, files.target)).is_success
    content = files.results[0]["response"]["body"]["choices"][0]["message"]["content"]
    assert content == "half \ufffd"
    assert (await run(session, files.source, files.target)).before == 1


# --- values of another type than promised --------------------------------------------------------


@each_unexpected_value
@pytest.mark.parametrize(
    "template",
    [
        '"usage":{"prompt_tokens":VALUE,"completion_tokens":VALUE,"total_tokens":VALUE}',
        '"usage":{"prompt_tokens":1,"completion_tokens_details":{"reasoning_tokens":VALUE}}',
        '"usage":VALUE',
        '"meta":{"usage":{"credits_used":VALUE,"usd_spent":VALUE}}',
        '"meta":{"usage":VALUE}',
        '"meta":VALUE',
        '"id":VALUE,"model":VALUE,"created":VALUE,"unknown":VALUE',
    ],
)
async def test_a_completion_with_an_unexpected_value_is_written(
    session, emulator, files, template, value
):
    choice = '{"message":{"content":"Yes."},"finish_reason":"stop"}'
    fields = template.replace("VALUE", value)
    emulator.reply(body=f'{{"choices":[{choice}],{fields}}}')
    files.write_prompts(1)
    assert (await run(session, files.source, files.target)).is_success
    (result,) = files.results
    assert result["response"]["body"]["choices"][0]["message"]["content"] == "Yes."
    assert (await run(session, files.source, files.target)).before == 1


def test_a_body_kept_as_bytes_is_written_by_the_slow_encoder_as_well():
    completion = Completion(raw=b'{"choices": [{"index": 0}]}', inference_id="half \ud83d")
    request = BatchRequest({}, "run-1", custom_id="a", digest="ab")
    result = json.loads(encode_completion(request, completion))
    assert result["response"]["body"] == {"choices": [{"index": 0}]}
    assert result["inference_id"] == "half \ufffd"


@pytest.mark.parametrize("amount", ["n/a", None, [], {}, True, float("nan"), float("inf"), "nan"])
def test_an_amount_that_is_not_a_number_counts_as_unknown(amount):
    message = {"meta": {"usage": {"credits_used": amount, "usd_spent": 0.25}}}
    result = encode_server_result("a", "ab", "b1", {"type": "succeeded", "message": message})
    assert result.cost == Cost(usd=0.25, credits=500_000)
    message = {"meta": {"usage": {"credits_used": 1_000_000, "usd_spent": amount}}}
    result = encode_server_result("a", "ab", "b1", {"type": "succeeded", "message": message})
    assert result.cost == Cost(usd=0.5, credits=1_000_000)
    message = {"meta": {"usage": {"credits_used": amount, "usd_spent": amount}}}
    result = encode_server_result("a", "ab", "b1", {"type": "succeeded", "message": message})
    assert (result.error, result.cost, json.loads(result.line)["cost"]) == (None, None, None)


@pytest.mark.parametrize(
    ("amount", "count"),
    [("5", 5), (5.0, 5), (None, None), ("n/a", None), ([], None), ({}, None), (True, None)],
)
def test_a_token_count_of_another_type_is_read_if_it_is_a_number(amount, count):
    message = {"usage": {"input_tokens": amount, "output_tokens": 9}}
    result = encode_server_result("a", "ab", "b1", {"type": "succeeded", "message": message})
    usage = json.loads(result.line)["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (count, 9)
    assert usage["total_tokens"] == (None if count is None else count + 9)


def test_token_counts_of_too_many_digits_are_written_as_null():
    usage = {"input_tokens": 10**4299, "output_tokens": 9 * 10**4299}
    message = {"usage": usage, "content": "Yes."}
    result = encode_server_result("a", "ab", "b1", {"type": "succeeded", "message": message})
    line = json.loads(result.line)
    assert line["usage"]["total_tokens"] is None
    assert line["response"]["body"]["content"] == "Yes."


@pytest.mark.parametrize("kind", [None, 5, [], {}, True])
def test_a_message_whose_result_has_no_valid_type_is_a_success(kind):
    result = encode_server_result("a", "ab", "b1", {"type": kind, "message": {"content": "Yes."}})
    line = json.loads(result.line)
    assert (result.error, line["error"]) == (None, None)
    assert line["response"]["body"] == {"content": "Yes."}


@pytest.mark.parametrize(
    ("kind", "message", "code"),
    [
        ("succeeded", "Yes.", "MissingAnswer"),
        ("succeeded", ["Yes."], "MissingAnswer"),
        ("succeeded", 5, "MissingAnswer"),
        ("", {"content": "Yes."}, "MissingAnswer"),
        ("refused", {"content": "Yes."}, "refused"),
        (None, "Yes.", "MissingAnswer"),
    ],
)
def test_a_value_in_place_of_a_message_is_kept_in_the_failure(kind, message, code):
    result = encode_server_result("a", "ab", "b1", {"type": kind, "message": message})
    line = json.loads(result.line)
    assert result.error == line["error"]["code"] == code
    assert line["response"]["body"] == message


def test_a_value_in_place_of_a_result_is_kept_in_the_failure():
    result = encode_server_result("a", "ab", "b1", "Yes.")
    line = json.loads(result.line)
    assert result.error == line["error"]["code"] == "MissingAnswer"
    assert "send the request again" in line["error"]["message"]
    assert line["response"]["body"] == "Yes."


@pytest.mark.parametrize(
    "error", [None, "text", 5, [], {"message": 5}, {"error": {"message": None}}]
)
def test_an_error_without_a_message_is_a_failure_with_its_type(error):
    result = encode_server_result("a", "ab", "b1", {"type": "expired", "error": error})
    line = json.loads(result.line)
    assert result.error == line["error"]["code"] == "expired"
    assert "no reason beyond 'expired'" in line["error"]["message"]


@each_unexpected_value
def test_a_result_on_the_server_is_written_whatever_its_values(value):
    unexpected = decode_json(value.encode())
    for result in (
        {"type": unexpected, "message": unexpected, "error": unexpected},
        {"type": "succeeded", "message": unexpected},
        {"type": "errored", "error": {"message": unexpected}},
        {"type": "succeeded", "message": {"id": unexpected, "usage": unexpected}},
        {"type": "succeeded", "message": {"meta": unexpected, "content": unexpected}},
        unexpected,
    ):
        line = encode_server_result("a", "ab", "b1", result).line
        assert line.endswith(b"\n")
        assert json.loads(line)["custom_id"] == "a"


@pytest.mark.parametrize("depth", [150, 250, 900])
def test_a_body_nested_more_deeply_than_every_reader_takes_is_cut(depth):
    content: list = []
    for _ in range(depth):
        content = [content]
    completion = Completion(raw={"id": "kept", "deep": content})
    line = encode_completion(BatchRequest({}, "run-1", custom_id="a"), completion)
    body = json.loads(line)["response"]["body"]
    assert body["id"] == "kept"
    assert (body["deep"] == content) == (depth < 200)
    assert max(line.count(b"["), line.count(b"]")) <= 200

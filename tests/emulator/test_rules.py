"""Replies, errors and faults that are repeated, chosen by a rule, or computed by a function."""

import asyncio
import json

import pytest

from aimlchat.emulator import Cut, Emulator, ErrorStatus, Reply
from aimlchat.emulator.script import ScriptError

GPT = "openai/gpt-4o"


async def ask_texts(client, *prompts):
    return [(await client.ask(prompt)).message["content"] for prompt in prompts]


class TestTimes:
    async def test_a_reply_serves_this_many_requests(self, emulator, client):
        emulator.reply("a", times=2)
        emulator.reply("b")
        assert await ask_texts(client, "1", "2", "3") == ["a", "a", "b"]
        assert "emulator" in (await client.ask("4")).message["content"]

    async def test_none_serves_all(self, emulator, client):
        emulator.reply("a", times=None)
        assert await ask_texts(client, *"123456") == ["a"] * 6

    async def test_errors_and_faults_are_repeated_too(self, emulator, client):
        emulator.fail(status=503, times=2)
        emulator.fault(Cut(0, "end"), times=2)
        statuses = [(await client.ask()).status for _ in range(5)]
        assert statuses == [503, 503, 200, 200, 200]
        assert [bool(request.fault) for request in emulator.requests] == [True] * 4 + [False]

    @pytest.mark.parametrize("times", [0, -1, True, 1.5, "2"])
    def test_other_values_are_refused(self, times):
        emulator = Emulator()
        for script in (emulator.reply, emulator.fail, lambda **o: emulator.fault(Cut(0), **o)):
            with pytest.raises(ValueError, match="times is"):
                script(times=times)


class TestWhen:
    async def test_a_rule_selects_the_requests(self, emulator, client):
        emulator.reply("Oui", when=lambda request: "French" in request.prompt)
        emulator.reply("Yes")
        assert await ask_texts(client, "English", "French") == ["Yes", "Oui"]

    async def test_the_first_rule_that_matches_is_used_and_then_the_next(self, emulator, client):
        emulator.reply("1", when=lambda _: True)
        emulator.reply("2", when=lambda _: True, times=2)
        emulator.reply("3", times=None)
        assert await ask_texts(client, *"abcde") == ["1", "2", "2", "3", "3"]

    async def test_it_sees_the_body_and_the_headers(self, emulator, client):
        emulator.reply("a", when=lambda request: request.body["temperature"] == 2, times=None)
        emulator.reply("b", when=lambda request: "X-Team" in request.headers)
        response = await client.ask(model=GPT, temperature=2)
        assert response.message["content"] == "a"
        body = {"model": GPT, "temperature": 1, "messages": [{"role": "user", "content": "?"}]}
        assert (await client.send(body, X_Team="red")).message["content"] == "b"

    async def test_a_rule_for_replies_sees_valid_chat_requests_only(self, emulator, client, http):
        emulator.reply("a", when=lambda request: request.body["messages"][0]["content"] == "Hello")
        assert (await client.send(b"nonsense")).status == 400
        assert (await client.ask(temperature=9)).status == 400
        assert (await client.ask(model="unknown")).status == 404
        async with http.get(f"{emulator.base_url}/models") as response:
            assert response.status == 200
        assert await ask_texts(client, "Hello") == ["a"]
        assert emulator.script_errors == []

    async def test_an_error_by_a_rule_needs_no_valid_request(self, emulator, client, http):
        emulator.fail(status=503, when=lambda request: request.body["model"] == "unknown")
        async with http.get(f"{emulator.base_url}/models") as response:
            assert response.status == 200
        assert (await client.send(b"nonsense")).status == 400
        assert (await client.ask()).status == 200
        assert (await client.ask(model="unknown")).status == 503

    async def test_a_fault_by_a_rule(self, emulator, client):
        emulator.fault(ErrorStatus(502), when=lambda request: request.stream)
        assert [(await client.ask()).status, (await client.stream()).status] == [200, 502]

    async def test_a_rule_sees_each_request_of_a_batch(self, emulator, http):
        emulator.reply("B!", when=lambda request: request.prompt == "b")
        headers = {"Authorization": "Bearer k"}
        url = f"{emulator.base_url}/batches"
        requests = [
            {
                "custom_id": prompt,
                "params": {
                    "model": "anthropic/claude-sonnet-4.5",
                    "max_tokens": 100,
                    "messages": [{"role": "user", "content": prompt}],
                },
            }
            for prompt in "abc"
        ]
        async with http.post(url, json={"requests": requests}, headers=headers) as response:
            batch_id = (await response.json())["id"]
        for _ in range(2):
            async with http.get(f"{url}?batch_id={batch_id}", headers=headers) as response:
                text = await response.text()
        texts = [
            json.loads(line)["result"]["message"]["content"][0]["text"]
            for line in text.splitlines()
        ]
        assert texts[1] == "B!"
        assert "B!" not in (texts[0], texts[2])

    def test_it_takes_a_function(self):
        with pytest.raises(TypeError, match="when is 'x'"):
            Emulator().reply("a", when="x")


class TestFunctions:
    async def test_it_computes_the_text(self, emulator, client):
        emulator.reply(lambda request: request.prompt.upper(), reasoning="Loud.", times=None)
        response = await client.ask("hi")
        assert response.message["content"] == "HI"
        assert response.message["reasoning_content"] == "Loud."
        assert (await client.stream("hi")).join("content") == "HI"

    async def test_it_may_be_a_coroutine_function(self, emulator, client):
        async def answer(request):
            await asyncio.sleep(0)
            return f"{len(request.body['messages'])} message"

        emulator.reply(answer)
        assert await ask_texts(client, "hi") == ["1 message"]

    async def test_it_may_return_a_reply(self, emulator, client):
        emulator.reply(lambda request: Reply(tool_calls=[("f", {"x": request.prompt})]))
        (call,) = (await client.ask("7", model=GPT)).message["tool_calls"]
        assert json.loads(call["function"]["arguments"]) == {"x": "7"}

    async def test_it_may_return_a_reply_with_a_fault(self, emulator, client):
        emulator.reply(lambda _: Reply("Blue.", fault=ErrorStatus(500)))
        assert (await client.ask()).status == 500

    async def test_it_may_return_an_error(self, emulator, client):
        emulator.reply(lambda _: ErrorStatus(429, "Slow down", retry_after=3))
        response = await client.ask()
        assert (response.status, response.body["message"]) == (429, "Slow down")
        assert response.headers["Retry-After"] == "3"
        assert emulator.billed == 0
        assert emulator.requests[0].fault == ErrorStatus(429, "Slow down", retry_after=3)

    @pytest.mark.parametrize("text", [None, 5, b"x", ["a"]])
    def test_the_text_is_a_string_or_a_function(self, text):
        with pytest.raises(TypeError, match="it takes a string, or a function"):
            Emulator().reply(text)


def fail_by_value(_request):
    return {}["key"]


def fail_by_pytest(_request):
    pytest.fail("not this request")


def fail_by_exit(_request):
    raise SystemExit(3)


async def fail_by_cancellation(_request):
    task = asyncio.ensure_future(asyncio.sleep(60))
    task.cancel()
    await task


def reply_with_a_number(_request):
    return Reply(5)


async def fail_later(_request):
    await asyncio.sleep(0)
    msg = "no"
    raise RuntimeError(msg)


class TestFailingFunctions:
    @pytest.mark.parametrize(
        ("function", "problem"),
        [
            (fail_by_value, "fail_by_value, given to the emulator as reply, failed: KeyError"),
            (fail_by_pytest, "not this request"),
            (fail_by_exit, "fail_by_exit, given to the emulator as reply, failed: SystemExit"),
            (fail_by_cancellation, "failed: CancelledError"),
            (reply_with_a_number, "failed: TypeError: text is 5; it takes a string"),
            (fail_later, "RuntimeError: no"),
            (lambda _: None, "it returned None; return a string, a Reply or an ErrorStatus"),
        ],
    )
    @pytest.mark.parametrize("stream", [False, True])
    async def test_the_request_gets_a_500_that_says_what_happened(
        self, emulator, client, function, problem, stream
    ):
        emulator.reply(function)
        response = await client.ask(stream=stream)
        assert response.status == 500
        assert problem in response.body["message"]
        (error,) = emulator.script_errors
        assert problem in str(error)
        emulator.script_errors.clear()

    async def test_a_client_that_leaves_is_no_failure(self, emulator, client):
        started = asyncio.Event()

        async def wait(_request):
            started.set()
            await asyncio.sleep(60)

        emulator.reply(wait)
        request = asyncio.create_task(client.ask())
        await started.wait()
        request.cancel()
        await emulator.no_connections()
        assert emulator.script_errors == []

    async def test_a_failing_rule_is_an_error_too(self, emulator, client):
        emulator.reply("a", when=fail_by_value)
        response = await client.ask()
        assert response.status == 500
        assert "given to the emulator as when, failed: KeyError" in response.body["message"]
        assert isinstance(emulator.script_errors.pop().__cause__, KeyError)

    async def test_a_rule_cannot_be_a_coroutine_function(self, emulator, client):
        emulator.reply("a", when=fail_later)
        assert "is a coroutine function" in (await client.ask()).body["message"]
        emulator.script_errors.clear()

    async def test_the_end_of_the_emulator_raises_the_error(self, http):
        emulator = Emulator()
        await emulator.start()
        emulator.reply(fail_by_value)
        body = {"model": GPT, "messages": [{"role": "user", "content": "Hi"}]}
        url = f"{emulator.base_url}/chat/completions"
        async with http.post(url, json=body, headers={"Authorization": "Bearer k"}) as response:
            assert response.status == 500
        with pytest.raises(ScriptError, match="fail_by_value"):
            await emulator.__aexit__(None, None, None)
        assert emulator.open_connections == 0

    async def test_the_end_of_the_emulator_does_not_hide_another_error(self):
        emulator = Emulator()
        await emulator.start()
        emulator.script_errors.append(ValueError())
        await emulator.__aexit__(KeyError, KeyError("x"), None)


async def test_a_request_that_is_over_the_capacity_uses_no_reply(http):
    async with Emulator(requests_per_second=1) as emulator:
        emulator.reply("a")
        emulator.reply("b")
        body = {"model": GPT, "messages": [{"role": "user", "content": "Hi"}]}
        url = f"{emulator.base_url}/chat/completions"
        statuses = []
        for _ in range(3):
            async with http.post(url, json=body, headers={"Authorization": "Bearer k"}) as response:
                statuses.append(response.status)
        assert statuses == [200, 429, 429]
        assert len(emulator._service.script._steps) == 1


async def test_a_function_that_waits_counts_as_a_request_in_progress(http):
    async with Emulator(capacity=1) as emulator:
        started, end = asyncio.Event(), asyncio.Event()

        async def answer(_request):
            started.set()
            await end.wait()
            return "a"

        emulator.reply(answer)
        body = {"model": GPT, "messages": [{"role": "user", "content": "Hi"}]}
        headers = {"Authorization": "Bearer k"}
        url = f"{emulator.base_url}/chat/completions"
        first = asyncio.create_task(http.post(url, json=body, headers=headers))
        await started.wait()
        async with http.post(url, json=body, headers=headers) as response:
            assert response.status == 429
        end.set()
        assert (await (await first).json())["choices"][0]["message"]["content"] == "a"

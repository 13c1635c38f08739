"""Keys, paths, ids and billing: the rules that apply to every chat request."""

import pytest

from aimlchat.emulator import Emulator

CLAUDE = "anthropic/claude-3.7-sonnet"
GPT = "openai/gpt-4o"


class TestKeys:
    @pytest.mark.parametrize("header", [None, "", "Bearer ", "Basic abc", "abc"])
    async def test_a_request_without_a_key_is_rejected(self, emulator, http, header):
        headers = {} if header is None else {"Authorization": header}
        url = f"{emulator.base_url}/chat/completions"
        async with http.post(url, json={}, headers=headers) as response:
            assert response.status == 401
            body = await response.json()
        assert body["message"].startswith("This request requires a valid API key")
        assert body["statusCode"] == 401

    async def test_only_the_given_key_is_accepted(self, http):
        async with Emulator(api_key="right") as emulator:
            url = f"{emulator.base_url}/chat/completions"
            body = {"model": GPT, "messages": [{"role": "user", "content": "Hi"}]}
            for key, status in (("right", 200), ("wrong", 401)):
                headers = {"Authorization": f"Bearer {key}"}
                async with http.post(url, json=body, headers=headers) as response:
                    assert response.status == status


class TestPaths:
    async def test_an_unknown_path_gets_a_404_in_the_apis_format(self, emulator, http):
        async with http.post(f"{emulator.base_url}/completions") as response:
            assert response.status == 404
            body = await response.json()
        assert body["message"] == "Cannot POST /v1/completions"
        assert body["path"] == "/v1/completions"

    @pytest.mark.parametrize(
        ("method", "path", "allowed"),
        [("GET", "/chat/completions", "POST"), ("DELETE", "/models", "GET")],
    )
    async def test_a_wrong_method_gets_a_405_in_the_apis_format(
        self, emulator, http, method, path, allowed
    ):
        async with http.request(method, f"{emulator.base_url}{path}") as response:
            assert response.status == 405
            assert response.headers["Allow"] == allowed
            assert (await response.json())["statusCode"] == 405


@pytest.mark.parametrize("client_id", ["a", "job-7:step.2_x", "x" * 128])
async def test_a_client_request_id_is_echoed(client, emulator, client_id):
    body = {"model": CLAUDE, "messages": [{"role": "user", "content": "Hi"}]}
    response = await client.send(body, X_Client_Request_Id=client_id)
    assert response.headers["x-client-request-id"] == client_id
    assert emulator.requests[0].client_request_id == client_id


@pytest.mark.parametrize("client_id", ["with space", "ümlaut", "x" * 129, "a/b"])
async def test_an_invalid_client_request_id_is_dropped_silently(client, emulator, client_id):
    body = {"model": CLAUDE, "messages": [{"role": "user", "content": "Hi"}]}
    response = await client.send(body, X_Client_Request_Id=client_id)
    assert response.status == 200
    assert "x-client-request-id" not in response.headers
    assert emulator.requests[0].client_request_id is None


async def test_only_successful_responses_are_billed(client, emulator):
    emulator.fail()
    await client.ask()
    await client.ask(temperature=9)
    assert emulator.billed == 0
    await client.ask()
    await client.stream()
    assert emulator.billed == 2


async def test_a_body_of_megabytes_is_accepted(client):
    url = "data:image/png;base64," + "AAAA" * 1_000_000
    part = {"type": "image_url", "image_url": {"url": url}}
    body = {"model": GPT, "messages": [{"role": "user", "content": [part]}]}
    assert (await client.send(body)).status == 200

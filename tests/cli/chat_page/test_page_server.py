"""The models that the page offers, and what the server never sends to the page."""

import asyncio
import contextlib
import gc
import socket
import sys

import pytest

from aimlchat._payload.models import DEFAULT_MODEL


async def fetch_listing(browser, path="models"):
    async with browser.get(path) as response:
        return await response.json()


async def test_each_chat_model_is_listed_with_its_price_context_and_vision(browser):
    listing = await fetch_listing(browser)

    model = next(model for model in listing["models"] if model["id"] == DEFAULT_MODEL)
    assert model["name"] == "Claude 3.7 Sonnet"
    assert (model["input_price"], model["output_price"]) == (3.9, 19.5)
    assert (model["context_length"], model["max_output"]) == (200_000, 64_000)
    assert model["has_vision"] is True
    assert listing["default_model"] == DEFAULT_MODEL
    assert listing["error"] is None
    assert listing["emulator"] is False


async def test_a_model_that_the_api_does_not_list_is_described_when_it_is_asked_for(browser):
    listing = await fetch_listing(browser, "models?id=my/claude-sonnet-4.5&id=&id=openai/gpt-4o")

    ids = [model["id"] for model in listing["models"]]
    assert ids[0] == "my/claude-sonnet-4.5"
    assert listing["models"][0]["thinking"] == ["budget"]
    assert ids.count("openai/gpt-4o") == 1
    assert "" not in ids


async def test_the_default_model_of_the_page_is_that_of_the_environment(open_browser, monkeypatch):
    monkeypatch.setenv("AIMLAPI_MODEL", "openai/gpt-4o")

    async with open_browser() as browser, browser.get("models") as response:
        assert (await response.json())["default_model"] == "openai/gpt-4o"


async def test_the_list_of_models_is_fetched_once_and_again_after_a_failure(open_browser, emulator):
    errors = []
    emulator.fail(status=500)

    async with open_browser(on_error=errors.append, emulator=True) as browser:
        listing = await fetch_listing(browser)
        # The page can ask the default model without the list.
        assert [model["id"] for model in listing["models"]] == [DEFAULT_MODEL]
        assert listing["emulator"] is True
        assert "try again later" in listing["error"]
        for _ in range(2):
            assert len((await fetch_listing(browser))["models"]) > 1

    assert len(errors) == 1
    assert len(emulator.requests) == 2


async def test_the_page_never_gets_the_key(browser, emulator, key):
    responses = []
    for path in ("", "models", "unknown"):
        async with browser.get(path) as response:
            responses += [await response.text(), repr(response.headers)]
    emulator.fail(status=401, message=f"Your key {key} is wrong.")
    async with browser.open_page() as page:
        for question in ("Why?", "Why not?"):
            await page.ask(question)
            responses.append(repr(await page.read_to_end()))

    assert emulator.requests[-1].headers["Authorization"] == f"Bearer {key}"
    assert not [text for text in responses if key in text]


@pytest.mark.parametrize("turns", range(5))
async def test_a_connection_that_arrives_as_the_server_closes_is_closed(
    turns, open_browser, monkeypatch
):
    leaks = []
    monkeypatch.setattr(sys, "unraisablehook", leaks.append)

    async with open_browser() as browser:
        port = int(browser.origin.rpartition(":")[2])
        client = socket.create_connection(("127.0.0.1", port), timeout=10)
        for _ in range(turns):  # it is accepted in one of the turns of the event loop
            await asyncio.sleep(0)
        await browser.server.close()

    with client, contextlib.suppress(ConnectionResetError):  # if it was not accepted
        assert client.recv(1) == b""
    gc.collect()
    assert [leak.exc_value for leak in leaks] == []

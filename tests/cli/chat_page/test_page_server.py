"""The models that the page offers, and what the server never sends to the page."""

from aimlchat._payload.models import DEFAULT_MODEL


async def test_the_chat_models_are_listed_with_whether_they_take_a_budget(browser):
    async with browser.get("models") as response:
        listing = await response.json()

    takes_budget = {model["id"]: model["takes_budget"] for model in listing["models"]}
    assert takes_budget["anthropic/claude-3.7-sonnet"] is True
    assert takes_budget["openai/gpt-4o"] is False
    assert listing["default_model"] == DEFAULT_MODEL
    assert listing["error"] is None
    assert listing["emulator"] is False


async def test_the_default_model_of_the_page_is_that_of_the_environment(open_browser, monkeypatch):
    monkeypatch.setenv("AIMLAPI_MODEL", "openai/gpt-4o")

    async with open_browser() as browser, browser.get("models") as response:
        assert (await response.json())["default_model"] == "openai/gpt-4o"


async def test_the_list_of_models_is_fetched_once_and_again_after_a_failure(open_browser, emulator):
    errors = []
    emulator.fail(status=500)

    async with open_browser(on_error=errors.append, emulator=True) as browser:
        async with browser.get("models") as response:
            listing = await response.json()
            assert (listing["models"], listing["emulator"]) == ([], True)
            assert "try again later" in listing["error"]
        for _ in range(2):
            async with browser.get("models") as response:
                assert (await response.json())["models"]

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

"""The example docs/examples/use_chat in the browser: its server and its page, as they are."""

import runpy
import shutil

import pytest
from ai_sdk import bundle
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from snippets import EXAMPLES

CHUNKS = ["One ", "two ", "three ", "four"]


@pytest.fixture(scope="session")
def example_folder(ai_sdk_folder, tmp_path_factory):
    """A copy of the example, with the script of its page."""
    folder = tmp_path_factory.mktemp("example") / "use_chat"
    shutil.copytree(EXAMPLES / "use_chat", folder)
    script = bundle(ai_sdk_folder, folder / "page.jsx")
    (folder / "page.js").write_text(script, encoding="utf-8")
    return folder


@pytest.fixture
def example(example_folder, serve_in_thread, open_page, aimlchat_emulator, monkeypatch):
    monkeypatch.setenv("AIMLAPI_API_KEY", "any-key")
    monkeypatch.setenv("AIMLAPI_BASE_URL", aimlchat_emulator.base_url)
    app = runpy.run_path(str(example_folder / "server.py"))["app"]
    page = open_page(serve_in_thread(app))
    page.driver.get(page.url)
    page.wait_until(lambda: page.driver.find_elements(By.TAG_NAME, "input"))
    return page


def ask(page, question):
    page.driver.find_element(By.TAG_NAME, "input").send_keys(question, Keys.ENTER)


def press(page, name):
    page.driver.find_element(By.XPATH, f"//button[.='{name}']").click()


def shows(page, text):
    return text in page.driver.find_element(By.TAG_NAME, "main").text


def is_ready(page):
    return bool(page.driver.find_elements(By.XPATH, "//button[.='Send']"))


def test_a_question_gets_reasoning_an_answer_an_article_and_usage(example, aimlchat_emulator):
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    aimlchat_emulator.reply("It scatters.", reasoning="Think of light.", usage=usage)

    ask(example, "Why is the sky blue?")
    example.wait_until(lambda: shows(example, "3 + 4 tokens"))

    assert example.texts() == ["Why is the sky blue?", "It scatters."]
    assert example.texts("reasoning") == ["Think of light."]
    link = example.driver.find_element(By.LINK_TEXT, "Rayleigh scattering")
    assert link.get_attribute("href").startswith("https://en.wikipedia.org/")


def test_the_page_tells_the_time_and_the_model_answers_once(example, aimlchat_emulator):
    aimlchat_emulator.reply(tool_calls=[("local_time", {})])
    aimlchat_emulator.reply("It is late.")

    ask(example, "What time is it?")
    example.wait_for_text("It is late.")
    example.wait_until(lambda: is_ready(example))

    assert shows(example, "Told the time: ")
    assert len(example.driver.find_elements(By.CLASS_NAME, "assistant")) == 1
    first, second = (request.body for request in aimlchat_emulator.requests)
    assert first["thinking"] == {"type": "enabled", "budget_tokens": 2048}
    assert second.get("thinking", {"type": "disabled"}) == {"type": "disabled"}


def test_a_reload_resumes_the_answer_and_then_keeps_it(example, aimlchat_emulator):
    aimlchat_emulator.reply(chunks=CHUNKS, pace=0.08)
    ask(example, "Count")
    example.wait_until(lambda: shows(example, "One"))

    example.driver.refresh()
    example.wait_for_text("One two three four")
    example.wait_until(lambda: is_ready(example))
    example.driver.refresh()
    example.wait_for_text("One two three four")

    assert example.texts() == ["Count", "One two three four"]
    assert len(aimlchat_emulator.requests) == 1


def test_stop_closes_the_upstream_connection_and_a_new_chat_is_empty(example, aimlchat_emulator):
    aimlchat_emulator.reply(chunks=["One", *" two" * 1000], pace=0.05)
    ask(example, "Count")
    example.wait_until(lambda: shows(example, "One"))

    press(example, "Stop")
    example.wait_until(lambda: aimlchat_emulator.requests[0].outcome)
    example.wait_until(lambda: is_ready(example))

    assert aimlchat_emulator.requests[0].outcome == "left"
    assert example.texts()[-1].startswith("One")
    press(example, "New chat")
    assert example.texts() == []


def test_an_error_is_told_and_can_be_tried_again(example, aimlchat_emulator):
    aimlchat_emulator.fail(status=401)
    aimlchat_emulator.reply("One")

    ask(example, "Count")
    example.wait_until(lambda: shows(example, "This service cannot sign in"))
    press(example, "Again")
    example.wait_for_text("One")

    assert example.texts() == ["Count", "One"]
    assert not shows(example, "This service cannot sign in")

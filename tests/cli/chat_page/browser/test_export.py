"""A chat saved as a file, and its totals."""

import json
import re

import pytest


@pytest.fixture
def downloads(driver, tmp_path):
    """The folder into which the browser saves files."""
    behavior = {"behavior": "allow", "downloadPath": str(tmp_path)}
    driver.execute_cdp_cmd("Browser.setDownloadBehavior", behavior)
    yield tmp_path
    driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "default"})


@pytest.fixture
def save(chat, downloads):
    """Press a button that saves a file; return the name of the file and its text."""

    def save(button, extension):
        chat.find(button).click()
        path = chat.wait_until(lambda: next(downloads.glob(f"*.{extension}"), None))
        return path.name, path.read_text(encoding="utf-8")

    return save


@pytest.fixture
def two_turns(chat, aimlchat_emulator):
    aimlchat_emulator.reply("It **scatters**.", reasoning="Light.\n\nAir.", cost=0.25)
    aimlchat_emulator.reply("Red.", cost=0.5)
    aimlchat_emulator.reply("Orange.", cost=0.125)
    chat.ask("Why?")
    chat.wait_for_state("done")
    chat.ask("And at sunset?")
    chat.wait_for_answer("Red.")
    chat.wait_for_state("done")
    chat.find_all(".regenerate")[1].click()
    chat.wait_for_answer("Orange.")
    chat.wait_for_state("done")
    return chat


def test_a_chat_is_saved_as_markdown_and_as_json(two_turns, save):
    name, text = save("#export-markdown", "md")
    assert re.fullmatch(r"aimlchat-\d{4}-\d\d-\d\d-\d{4}\.md", name)
    assert "## You\n\nWhy?\n\n## anthropic/claude-3.7-sonnet\n\n" in text
    assert "> **Reasoning**\n>\n> Light.\n> \n> Air.\n\nIt **scatters**.\n\n*" in text
    assert text.index("And at sunset?") < text.index("Orange.")
    assert "Red." not in text

    name, text = save("#export-json", "json")
    content = json.loads(text)
    assert name.endswith(".json")
    first, second = content["turns"]
    assert (first["question"], first["answer"]) == ("Why?", "It **scatters**.")
    assert first["reasoning"] == "Light.\n\nAir."
    assert first["cost"]["usd"] == 0.25
    assert [answer["answer"] for answer in second["otherAnswers"]] == ["Red."]
    assert content["totals"]["usd"] == 0.875
    assert two_turns.console_messages() == []


def test_the_totals_count_each_answer_that_was_paid(two_turns, reply_and_hang):
    assert re.match(
        r"3 answers · [\d,]+ tokens in, [\d,]+ out · \$0\.875$", two_turns.find("#totals").text
    )

    reply_and_hang("Never")
    two_turns.ask("Stop?")
    two_turns.wait_for_answer("Never")
    assert not two_turns.find("#chat-summary").is_displayed()
    two_turns.find("#stop").click()
    two_turns.wait_for_state("stopped")

    assert "4 answers" in two_turns.find("#totals").text
    assert two_turns.find("#totals").text.endswith("at least $0.875")


def test_an_empty_chat_has_no_totals(chat):
    assert not chat.find("#chat-summary").is_displayed()

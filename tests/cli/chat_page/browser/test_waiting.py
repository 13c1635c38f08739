"""What the page shows while it waits, when an attempt fails, and when an answer fails."""

import re


def test_the_wait_has_a_clock_that_a_reload_does_not_stop(open_chat, serve_api, stepwise_upstream):
    chat = open_chat(serve_api(stepwise_upstream.base_url))
    chat.ask("Why?")
    chat.wait_until(lambda: chat.texts(".waiting") == ["Waiting for the model, 1 s"])
    chat.driver.refresh()
    chat.wait_until(lambda: chat.texts(".waiting") == ["Waiting for the model, 2 s"])

    stepwise_upstream.send("content", "Here.")
    chat.wait_for_answer("Here.")
    assert not chat.find(".waiting").is_displayed()


def test_a_retry_is_shown_while_the_server_lets_the_page_wait(chat, aimlchat_emulator):
    def waiting():
        return chat.find(".waiting").text

    aimlchat_emulator.fail(status=429, retry_after=60, message="Sixty a minute are allowed.")
    chat.ask("Why?")
    chat.wait_until(lambda: "attempt 2 of 3" in waiting())

    assert re.search(
        r"The server asked to wait 1 min 0 s: trying again in (1 min 0|\d+) s, attempt 2 of 3\.",
        waiting(),
    )
    assert "Attempt 1 failed (status 429): Sixty a minute are allowed." in waiting()
    assert chat.find("#announcement").get_attribute("textContent").startswith("The server asked")
    seconds = re.search(r"again in (.*?),", waiting())[1]
    chat.wait_until(lambda: re.search(r"again in (.*?),", waiting())[1] != seconds)

    chat.driver.refresh()
    chat.wait_until(lambda: "attempt 2 of 3" in waiting())
    chat.find("#stop").click()
    chat.wait_for_state("stopped")
    assert not chat.find(".waiting").is_displayed()


def test_an_attempt_that_follows_a_failure_is_numbered(chat, aimlchat_emulator, reply_and_hang):
    aimlchat_emulator.fail(status=503, message="Overloaded.")
    reply_and_hang("")
    chat.ask("Why?")
    chat.wait_until(lambda: "This is attempt 2 of 3." in chat.find(".waiting").text)
    assert "Attempt 1 failed (status 503): Overloaded." in chat.find(".waiting").text


def test_a_silence_in_the_middle_of_an_answer_is_counted(chat, reply_and_hang):
    reply_and_hang("One two")
    chat.ask("Why?")
    chat.wait_for_answer("One two")
    assert not chat.find(".silence").is_displayed()
    chat.run_script("activeTurn().waitingView.lastTextAt -= 75000")
    chat.wait_until(lambda: chat.find(".silence").text.startswith("Nothing new for 1 min 1"))

    chat.find("#stop").click()
    chat.wait_for_state("stopped")
    assert not chat.find(".silence").is_displayed()


def test_a_failed_question_shows_the_words_of_the_server_and_can_be_retried(
    chat, aimlchat_emulator, key
):
    aimlchat_emulator.fail(status=401, message=f"The key {key} was revoked.")
    aimlchat_emulator.reply("Now it works.")

    chat.ask("Why?")
    chat.wait_for_state("failed")
    error = chat.find(".error").text
    for text in ("was revoked.", "Status 401 · request ", "Check the key in AIMLAPI_API_KEY"):
        assert text in error
    assert key not in chat.driver.page_source
    chat.driver.refresh()
    chat.wait_until(lambda: chat.texts(".error") == [error])
    chat.find(".retry").click()
    chat.wait_for_answer("Now it works.")

    assert chat.texts(".question") == ["Why?"]
    assert chat.focused_id() == "question"


def test_a_list_of_models_that_cannot_be_loaded_is_explained_and_loaded_again(chat):
    chat.run_script(
        "window.realFetch = fetch; window.fetch = async () => { throw new TypeError(); }"
    )
    chat.run_script("modelList.isGood = false; modelList.start()")
    chat.wait_until(lambda: chat.find("#models-problem").is_displayed())
    assert "The server of this page cannot be reached." in chat.find("#models-problem").text

    chat.run_script("window.fetch = async () => new Response('<html>')")
    chat.find("#models-problem button").click()
    chat.wait_until(lambda: "cannot be read" in chat.find("#models-problem").text)

    chat.run_script('window.fetch = async () => new Response(\'{"error": "no page found."}\')')
    chat.find("#models-problem button").click()
    chat.wait_until(lambda: "missing. No page found." in chat.find("#models-problem").text)

    chat.run_script("window.fetch = window.realFetch")
    chat.wait_until(lambda: not chat.find("#models-problem").is_displayed())
    assert chat.console_messages() == []

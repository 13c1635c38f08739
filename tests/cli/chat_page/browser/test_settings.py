"""The system prompt, the temperature and the token limit, and their check before sending."""

from selenium.webdriver.common.keys import Keys


def set_fields(chat, **texts):
    """Fill in fields of the panel, and close it."""
    chat.find("#open-settings").click()
    for name, text in texts.items():
        field = chat.find(f"#{name.replace('_', '-')}")
        field.clear()
        field.send_keys(text)
    chat.find("#close-settings").click()


def sent_bodies(emulator):
    return [request.body for request in emulator.requests if request.method == "POST"]


def test_the_settings_are_sent_shown_and_remembered(chat, aimlchat_emulator):
    chat.choose("#thinking", "")
    set_fields(chat, system="Be brief.", temperature="0,2", max_tokens="500")
    chat.driver.refresh()

    chat.wait_until(lambda: chat.find("#model").get_attribute("value"))
    summary = "System prompt: Be brief. · temperature 0,2 · at most 500 tokens"
    assert chat.find("#settings-summary").text == summary
    chat.ask("Why?")
    chat.wait_for_state("done")
    body = sent_bodies(aimlchat_emulator)[0]
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (body["temperature"], body["max_tokens"]) == (0.2, 500)

    chat.find("#open-settings").click()
    chat.find("#clear-settings").click()
    chat.find("#close-settings").click()
    assert not chat.find("#settings-summary").is_displayed()
    chat.ask("Why?")
    chat.wait_until(lambda: chat.states() == ["done", "done"])
    assert not {"temperature", "max_tokens"} & sent_bodies(aimlchat_emulator)[1].keys()


def test_what_is_wrong_is_shown_by_its_field_before_anything_is_sent(chat, aimlchat_emulator):
    set_fields(chat, max_tokens="1000")
    chat.type("Why?", Keys.ENTER)  # with a budget of 2048 tokens

    chat.wait_until(lambda: chat.focused_id() == "max-tokens")
    error = chat.find("#max-tokens-error")
    assert "the budget of 2048 tokens is not below max_tokens, 1000" in error.text.lower()
    assert chat.find("#max-tokens").get_attribute("aria-invalid") == "true"
    assert chat.states() == []
    chat.find("#max-tokens").send_keys("0")
    chat.find("#close-settings").click()
    assert chat.focused_id() == "question"
    chat.type(Keys.ENTER)
    chat.wait_for_state("done")

    assert sent_bodies(aimlchat_emulator)[0]["max_tokens"] == 10000


def test_a_temperature_that_the_model_does_not_take_is_explained_and_not_sent(
    chat, aimlchat_emulator
):
    chat.choose("#thinking", "")
    set_fields(chat, temperature="1.5")
    chat.choose_model("claude-haiku-4.5")
    assert chat.find("#problem").text == "Temperature: Give a number from 0 to 1."
    chat.choose("#thinking", "2048")
    assert not chat.find("#problem").is_displayed()
    chat.find("#open-settings").click()
    assert not chat.find("#temperature").is_enabled()
    assert "that thinks takes no temperature" in chat.find("#temperature-hint").text
    chat.find("#close-settings").click()
    chat.choose_model("claude-opus-4-8")
    assert "claude-opus-4-8 takes no temperature" in chat.find("#temperature-hint").get_attribute(
        "textContent"
    )
    assert chat.find("#settings-summary").text == "temperature 1.5 (not sent)"
    chat.ask("Why?")
    chat.wait_for_state("done")

    assert "temperature" not in sent_bodies(aimlchat_emulator)[0]


def test_escape_closes_the_panel_and_stops_no_answer(chat, reply_and_hang):
    reply_and_hang()
    chat.ask("Why?")
    chat.wait_for_state("answering")

    chat.find("#open-settings").click()
    chat.find("#system").send_keys(Keys.ESCAPE)

    assert not chat.find("#settings").is_displayed()
    assert chat.states() == ["answering"]

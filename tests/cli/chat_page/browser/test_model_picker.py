"""The choice of a model and of its thinking, by keyboard and pointer."""

from selenium.webdriver.common.keys import Keys

CLAUDE = "anthropic/claude-3.7-sonnet"
GPT = "openai/gpt-4o"
O3 = "openai/o3"
# Fills the picker with models, types a letter, and returns how many milliseconds that took.
TIME_SEARCH = """
const names = Array.from({length: 500}, (_, index) => `maker/model-${index}`);
modelPicker.setOptions(names.map(name => ({value: name, label: name, facts: '$1', names: []})));
const start = performance.now();
for (const text of ['m', 'model-49', '']) {
  $('model').value = text;
  $('model').dispatchEvent(new Event('input'));
  $('model-list').getBoundingClientRect();
}
return performance.now() - start;
"""


def active_option(chat):
    """Return the text of the option that Enter would pick."""
    option_id = chat.find("#model").get_attribute("aria-activedescendant")
    option = chat.find(f"#{option_id}")
    assert option.get_attribute("aria-selected") == "true"
    return option.text


def is_open(chat):
    expanded = chat.find("#model").get_attribute("aria-expanded") == "true"
    assert chat.find("#model-list").is_displayed() == expanded
    return expanded


def test_typing_finds_a_model_with_its_price_context_and_vision(chat):
    picker = chat.find("#model")
    assert (picker.aria_role, picker.accessible_name) == ("combobox", "Model")

    picker.click()
    picker.send_keys("sonnet 4.5")
    assert is_open(chat)
    assert active_option(chat).split("\n") == [
        "anthropic/claude-sonnet-4.5",
        "$3.90 in, $19.50 out · 200k context · vision",
    ]
    assert len(chat.find_all("#model-list [role=option]")) == 1
    picker.send_keys(Keys.ENTER)

    assert picker.get_attribute("value") == "anthropic/claude-sonnet-4.5"
    assert not is_open(chat)
    assert chat.states() == []  # Enter did not send


def test_the_arrow_keys_move_through_the_models_and_escape_keeps_the_choice(chat, reply_and_hang):
    reply_and_hang()
    chat.ask("Why?")
    chat.wait_for_state("answering")
    picker = chat.find("#model")

    picker.send_keys(Keys.ARROW_DOWN)
    assert active_option(chat).startswith(CLAUDE)
    picker.send_keys(Keys.ARROW_DOWN)
    assert active_option(chat).startswith("anthropic/claude-haiku-4.5")
    picker.send_keys(Keys.ARROW_UP, Keys.ARROW_UP)
    assert active_option(chat).startswith("alibaba/")
    picker.send_keys("zzz", Keys.ESCAPE)
    picker.click()
    picker.send_keys("zzz", Keys.ESCAPE)  # replaces the text, wherever the click was

    assert picker.get_attribute("value") == CLAUDE
    assert not is_open(chat)
    assert chat.states() == ["answering"]  # Escape did not stop it


def test_the_button_and_a_click_choose_a_model(chat):
    chat.find("#model-toggle").click()
    assert is_open(chat)
    chat.find(f"#model-list [data-value='{GPT}']").click()
    assert not is_open(chat)
    assert chat.find("#model").get_attribute("value") == GPT

    chat.find("#model-toggle").click()
    chat.find("h1").click()
    assert not is_open(chat)


def test_500_models_are_searched_in_a_moment(chat):
    assert chat.run_script(TIME_SEARCH) < 500  # 3 searches; 30 ms on an idle machine


def test_a_model_that_is_not_in_the_list_can_be_named(chat, aimlchat_emulator):
    assert chat.choose_model("my/claude-sonnet-4.5-tuned") == "my/claude-sonnet-4.5-tuned"
    chat.wait_until(lambda: chat.find("#thinking option[value='2048']"))
    chat.ask("Why?")
    chat.wait_for_state("failed")

    posts = [request.body for request in aimlchat_emulator.requests if request.method == "POST"]
    assert posts[0]["model"] == "my/claude-sonnet-4.5-tuned"


def thinking_options(chat):
    return [option.get_attribute("value") for option in chat.find_all("#thinking option")]


def test_the_name_that_was_typed_in_full_is_the_first(chat):
    # Without the first rule, o3-mini would be: it has the alias openai/o3-mini.
    assert chat.choose_model(O3) == O3
    assert chat.choose_model("gpt-4o") == GPT


def test_each_model_offers_the_thinking_that_it_has(chat, aimlchat_emulator):
    assert thinking_options(chat)[:3] == ["", "1024", "2048"]
    chat.choose_model("claude-haiku-4.5")
    assert "low" not in thinking_options(chat)
    chat.choose_model(GPT)
    assert not chat.find("#thinking").is_displayed()
    chat.choose_model(O3)
    assert thinking_options(chat) == ["", "low", "medium", "high"]
    chat.choose("#thinking", "high")
    chat.ask("Why?")
    chat.wait_for_state("done")
    chat.choose_model("claude-opus-4-8")
    chat.choose("#thinking", "adaptive")
    chat.ask("Why?")
    chat.wait_until(lambda: chat.states() == ["done", "done"])

    effort, adaptive = [r.body for r in aimlchat_emulator.requests if r.method == "POST"]
    assert (effort["model"], effort["reasoning_effort"]) == (O3, "high")
    assert adaptive["thinking"] == {"type": "adaptive"}


def test_the_chosen_model_and_thinking_are_remembered(chat, aimlchat_emulator):
    assert chat.find("#thinking").get_attribute("value") == "2048"
    chat.choose_model("claude-sonnet-4.5")
    chat.choose("#thinking", "4096")
    chat.driver.refresh()
    chat.wait_until(lambda: "4.5" in chat.find("#model").get_attribute("value"))

    chat.ask("Why?")
    chat.wait_for_state("done")
    body = aimlchat_emulator.requests[-1].body
    assert body["thinking"]["budget_tokens"] == 4096

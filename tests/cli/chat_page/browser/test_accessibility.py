"""For those who listen, who have a small screen, or need contrast."""

import pytest
from selenium.webdriver.common.by import By

NARROW = 360


def test_a_screen_reader_hears_of_each_state_once_and_of_the_whole_answer(open_chat, serve):
    chat = open_chat(serve("--emulator").url)
    chat.js(
        """
        window.heard = [];
        const said = document.querySelector('[aria-live=polite]');
        new MutationObserver(() => heard.push(said.textContent)).observe(said, {childList: true});
        """
    )

    chat.ask("Why is the sky blue?")
    chat.is_("done")

    heard = chat.js("return heard")
    assert heard[:3] == ["Sent.", "The model thinks.", "The model answers."]
    assert len(heard) == 4
    assert heard[3].startswith("The sky is blue because")


def test_everything_that_can_be_used_has_a_name(chat, aimlchat_emulator):
    aimlchat_emulator.reply("```python\nprint()\n```\n\n| a |\n|---|\n| 1 |", reasoning="Hm.")
    chat.ask("Why?")
    chat.is_("done")
    usable = "button, select, textarea, summary, [tabindex], form, section"

    for element in chat.driver.find_elements(By.CSS_SELECTOR, usable):
        if element.is_displayed():
            assert element.accessible_name, element.get_attribute("outerHTML")


def test_a_narrow_page_never_scrolls_sideways(chat, aimlchat_emulator):
    long = "x" * 300
    wide = f"```\n{long}\n```\n\n| {long} | b |\n|---|---|\n| 1 | 2 |\n\n{long} `{long}` [{long}](http://e.org)"
    aimlchat_emulator.reply(wide, reasoning=long)
    metrics = {"width": NARROW, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    chat.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        chat.ask(long)
        chat.is_("done")
        chat.one("summary").click()
        assert chat.js("return document.documentElement.scrollWidth") == NARROW
    finally:
        chat.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


# The relative luminance and the contrast of the WCAG.
BRIGHTNESS = """
const of = name => {
  const color = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const long = color.length === 4 ? color.replace(/\\w/g, '$&$&') : color;
  const [red, green, blue] = long.match(/\\w\\w/g).map(part => parseInt(part, 16) / 255)
    .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
"""
CONTRAST = """
const [dark, bright] = [...arguments].map(of).sort((one, other) => one - other);
return (bright + 0.05) / (dark + 0.05);
"""
PAIRS = [
    *[("--ink", ground, 4.5) for ground in ("--paper", "--tint", "--bad-tint")],
    *[("--muted", ground, 4.5) for ground in ("--paper", "--tint")],
    *[("--accent", ground, 4.5) for ground in ("--paper", "--on-accent")],
    *[(color, "--paper", 3) for color in ("--edge", "--bad")],
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_dark(chat, scheme):
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    chat.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    try:
        is_light = chat.js("return matchMedia('(prefers-color-scheme: light)').matches")
        ink_is_darker = chat.js(BRIGHTNESS + "return of('--ink') < of('--paper')")
        assert is_light == ink_is_darker == (scheme == "light")
        for color, ground, least in PAIRS:
            assert chat.js(BRIGHTNESS + CONTRAST, color, ground) >= least, (color, ground)
    finally:
        chat.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})

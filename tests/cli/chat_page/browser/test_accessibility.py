"""Screen readers, keyboards, small screens and contrast."""

from pathlib import Path

import pytest
from npm import install_packages
from selenium.webdriver.common.keys import Keys

PHONE_WIDTH = 360
RICH = """# Title

A [link](https://example.org), `code` and $x^2$.

```python
def f():  # a comment
    return "a", 1
```

| a | b |
|---|---|
| 1 | 2 |

> مرحبا
"""
RUN_AXE = """
const done = arguments[0];
axe.run({resultTypes: ['violations']}).then(({violations}) => done(
  violations.map(({id, nodes}) => `${id}: ${nodes.map(({html}) => html).join(' ')}`)));
"""


@pytest.fixture(scope="session")
def axe(pytestconfig):
    """The script of axe-core, which finds what people with disabilities cannot use or read."""
    folder = install_packages(Path(__file__).with_name("package.json"), pytestconfig.cache, "axe")
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(params=["light", "dark"])
def scheme(request, driver):
    """The color scheme that the user prefers."""
    features = [{"name": "prefers-color-scheme", "value": request.param}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    yield request.param
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.mark.usefixtures("scheme")
def test_axe_finds_nothing(chat, aimlchat_emulator, axe):
    def check():
        assert chat.driver.execute_async_script(RUN_AXE) == []

    # The content security policy of the page does not allow other scripts.
    chat.driver.execute_cdp_cmd("Runtime.evaluate", {"expression": axe})
    aimlchat_emulator.reply(RICH, reasoning="Hm.")
    chat.ask("Why?")
    chat.wait_for_state("done")
    chat.find("summary").click()
    chat.find(".edit").click()
    chat.find("#model").click()
    check()

    chat.find("#model").send_keys(Keys.ESCAPE)
    aimlchat_emulator.fail(status=400, message="This is not allowed.")
    chat.ask("When?")
    chat.wait_for_state("failed")
    chat.find("#open-settings").click()
    chat.find("#max-tokens").send_keys("1")
    chat.wait_until(chat.find("#max-tokens-error").is_displayed)
    check()

    chat.find("#clear-settings").click()
    chat.find("#close-settings").click()
    aimlchat_emulator.fail(status=429, message="Slow down.", retry_after=60)
    chat.ask("And when?")
    chat.wait_until(chat.find_all(".waiting-retry")[-1].is_displayed)
    check()


def test_each_state_is_announced_once_and_the_answer_when_it_is_complete(chat, aimlchat_emulator):
    aimlchat_emulator.reply("The sky is blue because light scatters.", reasoning="Hm.")
    chat.run_script(
        """
        window.announcements = [];
        const region = document.querySelector('[aria-live=polite]');
        new MutationObserver(() => announcements.push(region.textContent))
          .observe(region, {childList: true});
        """
    )

    chat.ask("Why is the sky blue?")
    chat.wait_for_state("done")

    announcements = chat.run_script("return announcements")
    assert announcements[:3] == ["Sent.", "The model is thinking.", "The model is answering."]
    assert len(announcements) == 4
    assert announcements[3].startswith("The sky is blue because")


def test_every_control_and_region_has_an_accessible_name(chat, aimlchat_emulator):
    aimlchat_emulator.reply("```python\nprint()\n```\n\n| a |\n|---|\n| 1 |", reasoning="Hm.")
    chat.ask("Why?")
    chat.wait_for_state("done")
    named = "button, select, textarea, summary, [tabindex], form, section"

    for element in chat.find_all(named):
        if element.is_displayed():
            assert element.accessible_name, element.get_attribute("outerHTML")


def test_a_narrow_page_does_not_scroll_sideways(chat, aimlchat_emulator):
    long = "x" * 300
    wide = f"```\n{long}\n```\n\n| {long} | b |\n|---|---|\n| 1 | 2 |\n\n{long} `{long}` [{long}](http://e.org)"
    aimlchat_emulator.reply(wide, reasoning=long)
    metrics = {"width": PHONE_WIDTH, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    chat.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        chat.ask(long)
        chat.wait_for_state("done")
        chat.find("summary").click()
        assert chat.run_script("return document.documentElement.scrollWidth") == PHONE_WIDTH
    finally:
        chat.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_smallest_phone_has_all_buttons_of_the_composer_in_one_row(chat):
    metrics = {"width": 320, "height": 568, "deviceScaleFactor": 1, "mobile": True}
    chat.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        middles = [
            chat.find(selector).rect["y"] + chat.find(selector).rect["height"] / 2
            for selector in ("#thinking", "#open-settings", "#attach", "#send")
        ]
        assert max(middles) - min(middles) < 2
    finally:
        chat.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


# Relative luminance and contrast ratio, as WCAG 2 defines them.
LUMINANCE = """
const luminanceOf = name => {
  const color = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const long = color.length === 4 ? color.replace(/\\w/g, '$&$&') : color;
  const [red, green, blue] = long.match(/\\w\\w/g).map(part => parseInt(part, 16) / 255)
    .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
"""
CONTRAST = """
const [dark, light] = [...arguments].map(luminanceOf).sort((one, other) => one - other);
return (light + 0.05) / (dark + 0.05);
"""
MIN_CONTRASTS = [
    *[("--ink", background, 4.5) for background in ("--paper", "--tint", "--bad-tint")],
    *[("--muted", background, 4.5) for background in ("--paper", "--tint")],
    *[("--accent", background, 4.5) for background in ("--paper", "--on-accent")],
    *[(color, "--paper", 3) for color in ("--edge", "--bad")],
]


def test_a_page_that_is_zoomed_to_four_times_its_size_can_be_read(chat, aimlchat_emulator):
    aimlchat_emulator.reply("One line.\n\n" * 30)
    chat.ask("Why?")
    chat.wait_for_state("done")
    size = {"width": 320, "height": 256, "deviceScaleFactor": 1, "mobile": False}
    chat.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        # Again and again, since the page follows its end once it has noticed its new size.
        shown = "return document.elementFromPoint(100, innerHeight - 20).closest('.turn') !== null"
        chat.wait_until(lambda: chat.run_script(f"scrollTo(0, 300); {shown}"))

        chat.run_script("scrollTo(0, document.documentElement.scrollHeight)")
        chat.find("#model").click()
        chat.find("#model").send_keys(Keys.ARROW_DOWN)
        top = (
            "return document.querySelector('#model-list .active, #model-list [aria-selected=true]')"
        )
        chat.wait_until(lambda: chat.run_script(f"{top}.getBoundingClientRect().top") >= 0)
    finally:
        chat.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_light_and_dark_colors_have_enough_contrast(chat, scheme):
    is_light = chat.run_script("return matchMedia('(prefers-color-scheme: light)').matches")
    ink_is_darker = chat.run_script(
        LUMINANCE + "return luminanceOf('--ink') < luminanceOf('--paper')"
    )
    assert is_light == ink_is_darker == (scheme == "light")
    for color, background, minimum in MIN_CONTRASTS:
        contrast = chat.run_script(LUMINANCE + CONTRAST, color, background)
        assert contrast >= minimum, (color, background)

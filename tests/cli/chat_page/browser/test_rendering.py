"""How an answer looks: headings, formulas, colors of code, directions, print."""

from textwrap import indent

import pytest
from selenium.webdriver.common.by import By

# Shows texts one after the other in one view, and returns what a script finds in it at the end.
SHOW = """
const element = document.createElement('div');
element.className = 'prose';
document.getElementById('turns').append(element);
const view = new MarkdownView(element);
const show = (...parameters) => { view.show(...parameters); view.finish(); };
const texts = arguments[0];
"""


@pytest.fixture
def answer(chat, aimlchat_emulator):
    """Ask, and return the element of an answer with this text."""

    def answer(text):
        aimlchat_emulator.reply(text)
        chat.ask("Why?")
        chat.wait_until(lambda: chat.states()[-1:] == ["done"])
        return chat.find_all(".answer")[-1]

    return answer


FORMULAS = {
    r"\(x_i^{*} + y_i^{*}\)": "xi\N{ASTERISK OPERATOR}+yi\N{ASTERISK OPERATOR}",
    r"\[ a_1 * b_1 * c \]": "a1\N{ASTERISK OPERATOR}b1\N{ASTERISK OPERATOR}c",
    "$a_1 = b_1$": "a1=b1",
    "$$\nx\n- 5\n$$": "x\N{MINUS SIGN}5",
    r"$\mathbb{R}$": "\N{DOUBLE-STRUCK CAPITAL R}",
    "\\[\na\n+ b\n\\]": "a+b",
}
NO_FORMULAS = [
    "It costs $5 and $6, or US$7 to US$8.",
    "Set $HOME and $PATH, or $A/$B.",
    "From $5 apples to 6$ pears.",
    r"See \[1\] and \[2\].",
]
INVALID_FORMULAS = [r"\(\unknown_{x*} *y*\)", "$\\frac{1$", "$$" + "{" * 3000 + "$$"]


def test_a_formula_is_rendered_and_keeps_its_source(answer):
    items = [f"- item\n\n{indent(formula, '  ')}" for formula in FORMULAS]
    element = answer("\n\n".join([*FORMULAS, *items]))
    formulas = element.find_elements(By.TAG_NAME, "math")
    texts = ["".join(formula.get_attribute("textContent").split()) for formula in formulas]

    assert [text.replace("\N{WORD JOINER}", "") for text in texts] == [*FORMULAS.values()] * 2
    sources = [formula.get_attribute("alttext") for formula in formulas]
    assert sources[: len(FORMULAS)] == list(FORMULAS)


def test_a_price_or_a_variable_is_no_formula(answer):
    element = answer("\n\n".join(NO_FORMULAS))

    assert element.text.splitlines() == [text.replace("\\", "") for text in NO_FORMULAS]
    assert not element.find_elements(By.TAG_NAME, "math")


def test_a_formula_that_cannot_be_rendered_is_shown_as_its_source(answer):
    texts = [f"See {formula} here." for formula in INVALID_FORMULAS]

    assert answer("\n\n".join(texts)).text.splitlines() == texts


def test_a_formula_is_shown_as_text_while_it_streams(chat):
    shown = chat.run_script(
        SHOW + "return texts.map(text => { show(text, true); return element.textContent.trim(); })",
        [r"So \(x_i^{*", r"So \(x_i^{*} + _", "Then\n\n$$\na_1 *", "Then\n\n$$\na_1 *b* _c_\n"],
    )

    assert shown[:2] == [r"So \(x_i^{*", r"So \(x_i^{*} + _"]
    assert [text.replace("\n", "") for text in shown[2:]] == ["Then$$a_1 *", "Then$$a_1 *b* _c_"]


def test_a_copied_selection_has_the_source_of_its_formulas(answer, chat):
    answer("So $x^2$ is\n\n- small and\n- round.")
    copied = chat.run_script(
        """
        getSelection().selectAllChildren(document.querySelector('.answer'));
        const clipboardData = new DataTransfer();
        const event = new ClipboardEvent('copy', {clipboardData, bubbles: true});
        document.querySelector('.answer').dispatchEvent(event);
        return clipboardData.getData('text/plain');
        """
    )

    assert [line for line in copied.splitlines() if line] == ["So $x^2$ is", "small and", "round."]


def test_the_headings_of_an_answer_start_below_those_of_the_page(answer):
    element = answer("# One\n\n## Two\n\n#### Four\n\n## Two\n\n> # Quoted")
    headings = element.find_elements(By.CSS_SELECTOR, "h1, h2, h3, h4, h5, h6")

    assert [(heading.tag_name, heading.text) for heading in headings] == [
        ("h3", "One"),
        ("h4", "Two"),
        ("h5", "Four"),
        ("h4", "Two"),
        ("h5", "Quoted"),
    ]


def test_each_block_has_the_direction_of_its_text(answer, chat):
    element = answer(
        "Left `x`.\n\nאבג **דגב** `code`\n\n- אבג\n- left\n\n> مرحبا\n\n"
        "| مرحبا |\n|---|\n| left |\n\n```\nאבג\n```"
    )
    directions = chat.run_script(
        """
        return [...arguments[0].querySelectorAll('p, li, blockquote, table, td, pre, p > code')]
          .map(block => [block.localName, getComputedStyle(block).direction]);
        """,
        element,
    )

    assert directions == [
        ["p", "ltr"], ["code", "ltr"], ["p", "rtl"], ["code", "ltr"], ["li", "rtl"], ["li", "ltr"],
        ["blockquote", "rtl"], ["p", "rtl"], ["table", "rtl"], ["td", "ltr"], ["pre", "ltr"],
    ]  # fmt: skip


def test_a_column_is_at_the_side_of_its_table_whatever_the_direction_of_a_cell(answer, chat):
    element = answer("| אבג | ד | ה |\n|---|--:|:-:|\n| 3 | 4 | 5 |\n\nEnd\n\n| a |\n|---|\n| ד |")

    sides = chat.run_script(
        "return [...arguments[0].querySelectorAll('td')]"
        ".map(cell => getComputedStyle(cell).textAlign)",
        element,
    )
    assert sides == ["right", "right", "center", "left"]


def test_code_is_colored_and_copied_as_it_is(answer, chat):
    code = 'def f(x):\n    return "a" + 1  # sum\n'
    element = answer(f"```python\n{code}```\n\n- item\n  ```js\n  const a = 1;\n  ```")

    colors = chat.run_script(
        "return [...arguments[0].querySelectorAll('pre span')]"
        ".map(span => [span.textContent, getComputedStyle(span).color])",
        element,
    )
    assert {"def", "return", '"a"', "1", "# sum", "const"} <= {text for text, _ in colors}
    assert len({color for _, color in colors}) >= 4
    assert chat.find(".answer pre").get_attribute("textContent").strip() == code.strip()


@pytest.mark.parametrize("allowed", [True, False])
def test_a_copy_is_announced_and_shown_by_its_button(answer, chat, allowed):
    answer("```\ncode\n```")
    chat.run_script(
        "navigator.clipboard.writeText = async text => {"
        " if (!arguments[0]) throw new Error(); window.copied = text; }",
        allowed,
    )
    button, result = chat.find(".copy-code"), "Copied" if allowed else "Not allowed"
    assert button.accessible_name == "Copy code"
    button.click()

    chat.wait_until(lambda: chat.find("#announcement").get_attribute("textContent") == f"{result}.")
    assert (button.text, button.accessible_name) == (result, result)
    assert chat.run_script("return window.copied?.trim()") == ("code" if allowed else None)
    chat.wait_until(lambda: (button.text, button.accessible_name) == ("Copy", "Copy code"))


def test_print_shows_the_conversation_without_controls_and_with_nothing_cut_off(answer, chat):
    long = "word " * 100
    answer(
        f"[link](https://example.org/)\n\n```\n{long}\n```\n\n| {long} | b |\n|---|---|\n| 1 | 2 |"
    )
    chat.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        shown = "button, header, #composer, select"
        assert not [item for item in chat.find_all(shown) if item.is_displayed()]
        clipped = chat.run_script(
            "return [...document.querySelectorAll('.turn *')].filter(node => node.clientWidth"
            " && node.scrollWidth > node.clientWidth + 1"
            " && getComputedStyle(node).overflowX !== 'visible').map(node => node.outerHTML)"
        )
        assert clipped == []
        link = chat.run_script(
            "return getComputedStyle(document.querySelector('.answer a'), '::after').content"
        )
        assert "https://example.org/" in link
    finally:
        chat.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_no_word_of_a_printed_table_is_broken_where_there_is_room(answer, chat):
    answer("| a | b |\n|---|---|\n| Sonnet | " + "word " * 100 + "|")
    heights = (
        "const [cell] = document.querySelectorAll('.answer td'); const range = new Range();"
        "range.selectNodeContents(cell); return range.getClientRects().length"
    )
    chat.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert chat.run_script(heights) == 1
        assert (
            chat.run_script(
                "const { scrollWidth, clientWidth } = document.documentElement;"
                "return scrollWidth - clientWidth"
            )
            == 0
        )
    finally:
        chat.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_a_right_to_left_question_is_on_the_right(chat):
    for question in ("Why?", "لماذا؟"):
        chat.ask(question)
        chat.wait_for_state("done")

    sides = chat.run_script("""
        return [...document.querySelectorAll('.question')].map(question => {
          const own = question.getBoundingClientRect();
          const turn = question.parentElement.getBoundingClientRect();
          return [own.left === turn.left, own.right === turn.right];
        });
    """)
    assert sides == [[True, False], [False, True]]


def test_the_question_is_tinted(answer, chat):
    answer("Yes.")
    background = "return getComputedStyle(document.querySelector(arguments[0])).backgroundColor"

    assert chat.run_script(background, ".question") != chat.run_script(background, "body")
    assert chat.run_script(background, ".answer") == "rgba(0, 0, 0, 0)"

"""Answers that grow: what is shown stays, and what cannot be rendered is plain text."""

import re

import pytest

SAMPLE = r"""# Title

A paragraph with **bold**, [a link][ref], \(x_i^{*}\) and $5.

- one
- two [other][ref]
  - nested

  more $a+b$

1. [ ] task

| a | b |
|---|---|
| `x` | $y$ |
| 2 | 3 |

```python
def f():
    return "x"

```

$$
x
- 5
$$

> quote
> > deeper
lazy

Setext
===

    indented

[ref]: https://example.org/there "title"

مرحبا
"""
PREPARE = """
const element = document.createElement('div');
element.className = 'prose';
document.getElementById('turns').append(element);
const view = new MarkdownView(element);
const show = (...parameters) => { view.show(...parameters); view.finish(); };
"""
# Shows a text as it grows by a few characters, and then as a whole in another view.
GROW = (
    PREPARE
    + """
const text = arguments[0];
for (let end = 1; end < text.length; end += 3) show(text.slice(0, end), true);
show(text);
const grown = element.innerHTML;
view.clear();
show(text);
return [grown, element.innerHTML];
"""
)


def test_a_text_that_grew_looks_like_the_whole_text(chat):
    grown, whole = chat.run_script(GROW, SAMPLE)

    assert re.sub(r"\n\s*", "", grown) == re.sub(r"\n\s*", "", whole)
    assert whole.count('href="https://example.org/there"') == 2
    assert whole.count("<math") == 4


GROW_BY_STEPS = (
    PREPARE
    + """
for (const text of arguments[0]) show(text, true);
return [...element.querySelectorAll('ul, table')].map(block => block.dir);
"""
)


@pytest.mark.parametrize("beginning", ["- 1\n- ", "| 1 |\n|---|\n| "], ids=["list", "table"])
def test_a_growing_block_has_the_direction_of_its_first_letter(chat, beginning):
    steps = [beginning, beginning + "مرحبا", beginning + "مرحبا\n\nA text behind it"]

    assert chat.run_script(GROW_BY_STEPS, steps) == ["rtl"]


@pytest.mark.parametrize(
    ("before", "after", "selector"),
    [
        ("```python\nx = 'long' * 99\n", "y = 2\n", ".code [role=group]"),
        ("| a | b |\n|---|---|\n| word | 2 |\n", "| 3 | 4 |\n", ".table"),
        ("- [word](https://example.org)\n- two", " more\n- three", "a"),
        ("A [word](https://example.org) or", " two *more*", "a"),
    ],
    ids=["code", "table", "list", "paragraph"],
)
def test_a_growing_block_keeps_its_focus_its_scroll_position_and_its_selection(
    chat, before, after, selector
):
    before = before.replace("word", "word" * 60).replace("long", "long" * 60)
    result = chat.run_script(
        PREPARE
        + """
        const [before, after, selector] = arguments;
        show(before, true);
        const part = element.querySelector(selector);
        part.focus();
        part.scrollLeft = 50;
        const scrolled = part.scrollLeft;
        const walker = document.createTreeWalker(part, NodeFilter.SHOW_TEXT);
        let text = walker.nextNode();
        while (!text.data.trim()) text = walker.nextNode();
        getSelection().setBaseAndExtent(text, 0, text, 1);
        const selected = String(getSelection());
        for (let end = 0; end <= after.length; end += 1) {
          show(before + after.slice(0, end), true);
        }
        show(before + after);
        return [
          document.activeElement === part,
          part.isConnected && part.scrollLeft === scrolled,
          String(getSelection()) === selected && selected !== '',
        ];
        """,
        before,
        after,
        selector,
    )

    assert result == [True, True, True]


NESTED = {
    "quotes": "> " * 5000 + "word",
    "lists in a line": "- " * 5000 + "word",
    "nested lists": "\n".join("  " * depth + "- item" for depth in range(300)),
    "nested quotes and lists": "> - " * 2000 + "word",
    "brackets": "[" * 100_000,
    "images": "![" * 50_000,
    "links": "[a](" * 25_000,
    "closed links": "[" * 20_000 + "a" + "](b)" * 20_000,
    "stars": "a" + "*" * 100_000,
    "stars with words": "*a " * 30_000,
    "two kinds of emphasis": "*a _b " * 20_000,
    "closed emphasis": "**a *b " * 10_000 + "c* d**" * 10_000,
    "parentheses": "(" * 100_000,
    "backticks": "".join("`" * (1 + count % 300) + "a" for count in range(1000)),
    "less-than signs": "<" * 100_000,
    "open tags": "<a " * 30_000,
    "open comments": "<!-- " * 20_000,
    "dollars": "$" * 100_000,
    "dollars with words": "$a" * 50_000,
    "open formulas": r"\(" * 50_000,
    "formula of braces": "$" + "{" * 2400 + "}" * 2400 + "$",
    "formula of fractions": "$" + r"\frac{" * 400 + "1" + "}{2}" * 400 + "$",
    "underscores": "a" + "_" * 100_000,
    "tildes": "~a" * 30_000,
    "table of pipes": "|" * 20_000 + "\n" + "|-" * 20_000 + "|",
    "definitions": "[a]: b\n" * 10_000,
    "escapes": "\\*" * 50_000,
    "entities": "&amp" * 30_000,
    "addresses": "www." * 25_000,
    "mail addresses": "a@b." * 25_000,
    "spaces": "a" + " " * 100_000 + "b",
    "line ends": "a\n" * 50_000,
    "headings": "# " * 50_000,
    "code of quotes": "```js\n" + "`${" * 15_000,
    "code of braces": "```json\n" + "[{" * 20_000,
    "code of tags": "```html\n" + "<a " * 16_000,
}
# They take the rest of a text.
UNCLOSED = {"open comments", "code of quotes", "code of braces", "code of tags"}
MAX_TIME = 2000  # ms, on a machine that does other things, too
# The slowest of some showings while the text grows and at its end, in ms.
SHOW_SLOWLY = (
    PREPARE
    + """
const text = arguments[0];
let slowest = 0;
for (const part of [0.3, 0.6, 1]) {
  const start = performance.now();
  show(`First *one*.\\n\\n${text.slice(0, text.length * part)}`, part < 1);
  element.offsetHeight;
  slowest = Math.max(slowest, performance.now() - start);
}
show(`First *one*.\\n\\n${text}\\n\\nThe *end*.`);
const result = [slowest, element.textContent.length,
  view.blocks[0].element.textContent, view.blocks.at(-1).element.textContent];
element.remove();
return result;
"""
)


def test_a_text_that_is_hard_to_render_is_shown_and_does_not_block_the_page(chat):
    for name, text in NESTED.items():
        slowest, length, first, last = chat.run_script(SHOW_SLOWLY, text)

        assert slowest < MAX_TIME, name
        assert first.strip() == "First one."
        if name not in UNCLOSED:
            assert last.strip() == "The end.", name
        if name != "definitions":  # they show nothing
            assert length >= len(text) / 20, name


def test_a_deeply_nested_answer_is_plain_text_and_its_turn_stays_usable(chat, aimlchat_emulator):
    nested = "> " * 5000 + "word"
    aimlchat_emulator.reply(f"*Before*\n\n{nested}\n\n*after*")
    aimlchat_emulator.reply("Next.")

    chat.ask("Why?")
    chat.wait_for_state("done")
    assert chat.find(".answer").text == f"Before\n{nested}\nafter"
    assert chat.texts(".answer em") == ["Before", "after"]
    chat.ask("And then?")
    chat.wait_for_answer("Next.")

    chat.open()
    assert chat.states() == ["done", "done"]
    assert chat.find(".answer").text == f"Before\n{nested}\nafter"


def test_a_growing_text_renders_only_its_last_blocks_again(chat):
    """A text of 200 KB in 5,000 deltas: of each list, table or block, only the end."""
    counts = chat.run_script(
        PREPARE
        + """
        const [part, count] = arguments;
        const original = DOMPurify.sanitize;
        let size = 0;
        DOMPurify.sanitize = (html, ...rest) => {
          size += html.length;
          return original(html, ...rest);
        };
        const text = part.repeat(count);
        const largest = [];
        for (let end = 0; end < text.length; end += 997) {
          size = 0;
          show(text.slice(0, end), true);
          largest.push(size);
        }
        DOMPurify.sanitize = original;
        return Math.max(...largest);
        """,
        "- item with **bold** text and `code`\n" * 20
        + "\n| a | b |\n|---|---|\n"
        + "| 1 | 2 |\n" * 50
        + "\n",
        150,
    )

    assert counts < 12_000

"""Answers of megabytes: shown little by little, so that the page never stands still."""

import itertools

import pytest

PARAGRAPH = "Some words of a paragraph that is about as long as most are. " * 5
LENGTH = 2_000_000
TEXT = "\n\n".join(f"{number} {PARAGRAPH}" for number in range(LENGTH // len(PARAGRAPH)))
LAST_NUMBER = str(LENGTH // len(PARAGRAPH) - 1)
# ms; far above what it takes, since tests run on machines that do other things, too.
MAX_TASK = 500
WATCH_TASKS = """
window.longest = 0;
new PerformanceObserver(list => {
  for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
}).observe({ type: 'longtask', buffered: true });
"""
PREPARE = """
const element = document.createElement('div');
element.className = 'prose';
document.getElementById('turns').append(element);
const view = new MarkdownView(element);
"""


@pytest.fixture
def watched(open_chat, driver, serve_api, stepwise_upstream):
    """A page that measures its longest task, from its load on."""
    source = {"source": WATCH_TASKS}
    added = driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", source)
    yield open_chat(serve_api(stepwise_upstream.base_url))
    driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


@pytest.fixture
def long_answer(watched, stepwise_upstream):
    """The page with an answer of 2 MB."""
    for start in range(0, len(TEXT), LENGTH // 50):
        stepwise_upstream.send("content", TEXT[start : start + LENGTH // 50])
    stepwise_upstream.finish()
    watched.ask("Why?")
    watched.wait_for_state("done")
    wait_until_whole(watched)
    return watched


def wait_until_whole(chat):
    chat.wait_until(lambda: chat.run_script("return renderingQueue.views.size === 0"))


def load_again(chat):
    """Load the page again, and return its longest task, which a busy machine may have stopped."""
    chat.open()
    wait_until_whole(chat)
    assert last_paragraph(chat).startswith(LAST_NUMBER)
    chat.wait_until(lambda: find_distance(chat) < 2)  # a pass of the browser later
    return chat.run_script("return longest")


def last_paragraph(chat):
    return chat.run_script(
        "return [...document.querySelectorAll('.answer p')].at(-1)?.textContent ?? ''"
    )


def find_distance(chat):
    return chat.run_script(
        "const { scrollTop, scrollHeight } = document.scrollingElement;"
        "return scrollHeight - scrollTop - innerHeight"
    )


def test_an_answer_of_two_megabytes_does_not_block_the_page(long_answer):
    assert last_paragraph(long_answer).startswith(LAST_NUMBER)
    long_answer.wait_until(lambda: find_distance(long_answer) < 2)
    assert long_answer.run_script("return longest") < MAX_TASK

    assert any(load_again(long_answer) < MAX_TASK for _ in range(3))

    # Where the user was is found again, too, although the page is short at first.
    long_answer.run_script("scrollTo(0, 123456)")
    long_answer.open()
    long_answer.wait_until(lambda: long_answer.run_script("return scrollY") == 123456)
    wait_until_whole(long_answer)
    assert long_answer.run_script("return scrollY") == 123456


def test_a_text_that_is_not_shown_yet_is_printed(chat):
    shown = chat.run_script(
        PREPARE
        + """
        view.show(arguments[0]);
        // A handler that was added before this one has shown the rest.
        addEventListener('beforeprint', () => { window.printed = element.textContent.length; });
        return element.textContent.length;
        """,
        TEXT,
    )

    chat.driver.execute_cdp_cmd("Page.printToPDF", {"pageRanges": "1"})

    assert shown < chat.run_script("return printed")
    assert chat.run_script("return printed") > LENGTH * 0.98


def test_a_text_looks_the_same_whether_it_is_shown_at_once_or_in_pieces(chat):
    blocks = [
        "# Title\n\n",
        "A [link][ref] and **bold** <b>text\n\n",
        "- one\n- two\n\n",
        "```js\nx = 1\n\n```\n\n",
        "| a | b |\n|---|---|\n| 1 | 2 |\n\n",
        "$$\nx\n$$\n\n",
        "> quote\n\n",
    ]
    text = "".join(blocks * 30) + "\n[ref]: https://example.org/there\n"
    whole, in_pieces = chat.run_script(
        PREPARE
        + """
        view.show(arguments[0]);
        view.finish();
        const whole = element.innerHTML;
        view.clear();
        view.show(arguments[0].slice(0, 1), true);
        for (let end = 2; end < arguments[0].length; end += 211) {
          view.show(arguments[0].slice(0, end), true);
          view.work(0);
        }
        view.show(arguments[0]);
        view.finish();
        return [whole, element.innerHTML];
        """,
        text,
    )

    assert in_pieces.replace("\n", "") == whole.replace("\n", "")
    assert whole.count("https://example.org/there") == 30


def test_the_rest_of_a_turn_that_is_gone_is_not_rendered(chat):
    chat.run_script(PREPARE + "view.show(arguments[0]); element.remove();", TEXT * 2)

    wait_until_whole(chat)


LONG_BLOCKS = {
    "list": "- [a] and *some* words\n" * 2500,
    "table": "| a | b |\n|---|---|\n" + "| [a] | *some* words |\n" * 2500,
}
COUNT_PARTS = "const count = () => element.querySelectorAll('li, tbody tr').length;"


@pytest.mark.parametrize("text", LONG_BLOCKS.values(), ids=LONG_BLOCKS)
def test_a_long_list_or_table_is_rendered_a_few_parts_at_a_time(chat, text):
    counts, in_slices, whole = chat.run_script(
        PREPARE
        + COUNT_PARTS
        + """
        const counts = [0];
        view.setText = text => Object.assign(view, { text }).rewind(view.splitter.setText(text));
        view.setText(arguments[0]);
        while (!view.work(0)) counts.push(count());
        counts.push(count());
        const inSlices = element.innerHTML;
        view.clear();
        view.setText(arguments[0]);
        view.finish();
        return [counts, inSlices, element.innerHTML];
        """,
        text,
    )

    assert counts[-1] == 2500
    assert max(after - before for before, after in itertools.pairwise(counts)) < 1100
    assert in_slices == whole


@pytest.mark.parametrize("text", LONG_BLOCKS.values(), ids=LONG_BLOCKS)
def test_a_long_block_keeps_its_parts_while_a_link_in_them_becomes_known(chat, text):
    smallest, is_kept, link_count = chat.run_script(
        PREPARE
        + COUNT_PARTS
        + """
        view.show(arguments[0], true);
        view.finish();
        const first = element.querySelector('li, tbody tr');
        const counts = [];
        view.show(arguments[1]);
        do counts.push(count()); while (!view.work(0));
        return [Math.min(...counts), first.isConnected, element.querySelectorAll('a').length];
        """,
        text,
        f"{text}\n\nA text\n\n[a]: https://example.org/",
    )

    assert (smallest, is_kept) == (2500, True)
    assert link_count == text.count("[a]")

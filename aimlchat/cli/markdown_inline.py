"""Emphasis, code and links within a line of Markdown, cut into parts that are final."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import attrs

from .terminal import escape_for_terminal
from .word_wrap import CJK, CLOSING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it import MarkdownIt
    from markdown_it.token import Token

    from .word_wrap import Run

__all__ = ["BOLD", "CODE", "DIM", "UNDERLINED", "render_inline", "split_atoms"]

BOLD, DIM, ITALIC, UNDERLINED, STRUCK = "1", "2", "3", "4", "9"
CODE = "36"  # cyan
_STYLES = {"strong": BOLD, "em": ITALIC, "s": STRUCK, "link": UNDERLINED}

# Characters after which an opened emphasis or link counts as plain text. This bounds what may
# still change on the screen: three lines of 80 columns.
_MAX_OPEN = 200
_TOKEN = re.compile(
    rf"(?P<escape>\\[!-/:-@\[-`{{-~])|(?P<space>[ \t]+)|(?P<code>`{{1,80}})"
    rf"|(?P<mark>\*{{1,80}}|_{{1,80}}|~{{2,80}})"
    rf"|(?P<open>\[)|(?P<target>\]\()|(?P<close>\])|(?P<end>\))|(?P<cjk>[{CJK}])"
    rf"|(?P<text>[^ \t\\`*_~\[\])\n{CJK}]{{1,80}}|.)"
)
_MARKUP = re.compile(r"[*_`~\[<&\\!]")


@attrs.define
class _Openers:
    """What is open at a position: brackets, and marks of emphasis with their lengths."""

    code: int = 0  # the length of the run of backticks that began code
    stack: list[tuple[str, int]] = attrs.Factory(list)

    @property
    def is_empty(self) -> bool:
        return not self.code and not self.stack

    def take(self, token: re.Match[str], text: str) -> None:
        """Open or close what a token opens or closes."""
        word = token[0]
        match token.lastgroup:
            case "code" if self.code in (0, len(word)):
                self.code = 0 if self.code else len(word)
            case _ if self.code:
                pass
            case "mark":
                start, end = token.span()
                self._take_mark(word, text[max(0, start - 1) : start], text[end : end + 1])
            case "open":
                self.stack.append(("[", 0))
            case "close" | "target":
                has_opener = self._close("[")
                if has_opener and word == "](":
                    self.stack.append(("(", 0))
            case "end":
                self._close("(")

    def closers(self) -> str:
        """Return what would close the open emphasis and code."""
        if self.code:
            return "`" * self.code
        return "".join(mark * length for mark, length in reversed(self.stack) if length)

    def _take_mark(self, run: str, before: str, after: str) -> None:
        mark, length = run[0], len(run)
        can_open, can_close = after.strip() != "", before.strip() != ""
        if mark == "_":  # not within a word, as in snake_case
            can_open, can_close = (
                can_open and not before.isalnum(),
                can_close and not after.isalnum(),
            )
        while can_close and length:
            index = next(
                (i for i in reversed(range(len(self.stack))) if self.stack[i][0] == mark), None
            )
            if index is None:
                break
            opened = self.stack[index][1]
            del self.stack[index:]
            if opened > length:
                self.stack.append((mark, opened - length))
            length -= min(opened, length)
        if can_open and length:
            self.stack.append((mark, length))

    def _close(self, bracket: str) -> bool:
        for index in reversed(range(len(self.stack))):
            if self.stack[index][0] == bracket:
                del self.stack[index:]
                return True
        return False


def split_atoms(text: str) -> tuple[list[str], str, str]:
    """Cut a growing line into atoms, each of which can be rendered alone, and the rest.

    A cut is before white space or between CJK characters, where nothing is open. The atoms do not
    depend on how the line arrived.

    Returns:
        The atoms, the rest, and what would close the emphasis and code that the rest opens.
    """
    atoms: list[str] = []
    start = position = 0
    last_space = 0
    openers = _Openers()
    while (token := _TOKEN.match(text, position)) is not None:
        is_space = token.lastgroup == "space"
        after_cjk = position > 0 and re.match(f"[{CJK}]", text[position - 1])
        can_cut = is_space or (after_cjk and text[position] not in CLOSING)
        if can_cut and openers.is_empty and position > start:
            atoms.append(text[start:position])
            start = last_space = position
        if is_space and position > start:
            last_space = position
        if token.end() - start > _MAX_OPEN and token.end() < len(text):
            end = next(stop for stop in (last_space, position, token.end()) if stop > start)
            atoms.append(text[start:end])
            start = position = last_space = end
            openers = _Openers()
            continue
        openers.take(token, text)
        position = token.end()
    return atoms, text[start:], openers.closers()


def render_inline(text: str, style: str = "") -> list[Run]:
    """Render the emphasis, code and links of a text, with one more style for all of it."""
    if not _MARKUP.search(text):
        return [_make_run(text, [style])]
    body = text.lstrip(" \t")
    indent = [_make_run(text[: len(text) - len(body)], [style])] if body != text else []
    children = _parser().parseInline(body)[0].children or []
    return indent + _render_tokens(children, style)


def _render_tokens(tokens: Sequence[Token], style: str) -> list[Run]:
    runs: list[Run] = []
    styles = [style]
    links: list[tuple[str, int]] = []
    for token in tokens:
        kind, _, end = token.type.rpartition("_")
        if token.type == "code_inline":
            runs.append(_make_run(token.content, [*styles, CODE]))
        elif token.type == "image":
            runs.append(_make_run(token.content, styles))
            runs += _render_target(token.content, str(token.attrs.get("src", "")), style)
        elif end == "open":
            styles.append(_STYLES[kind])
            if kind == "link":
                links.append((str(token.attrs.get("href", "")), len(runs)))
        elif end == "close":
            styles.pop()
            if kind == "link":
                target, first = links.pop()
                runs += _render_target("".join(text for text, _ in runs[first:]), target, style)
        elif token.content:
            runs.append(_make_run(token.content, styles))
    return runs


def _render_target(label: str, target: str, style: str) -> list[Run]:
    """Return the target of a link, unless the link's text is the target itself."""
    if not target or target in (label, f"mailto:{label}"):
        return []
    return [_make_run(f" ({target})" if label else target, [style, DIM])]


def _make_run(text: str, styles: Sequence[str]) -> Run:
    # A character reference such as &#x202e; is a control character only now.
    text = escape_for_terminal(text).replace("\n", " ").replace("\t", "    ")
    return text, ";".join(dict.fromkeys(";".join(filter(None, styles)).split(";")))


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt  # noqa: PLC0415 - only a terminal needs it

    return MarkdownIt("commonmark", {"html": False}).enable("strikethrough")

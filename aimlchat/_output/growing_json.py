"""A JSON value that is read while its text arrives, in time linear in the text.

**What grows.** A later draft extends an earlier one: an object keeps its keys in their order, and
gets new ones after them; an array keeps its items, and gets new ones after them; only the last key
and the last item of an open container may grow, by the same rule; a string gets characters at its
end. Numbers, literals and keys are shown once they are whole, because a part of them means
something else. An escape or a surrogate pair that is cut is not shown. The one exception is an
object that repeats a key: the later value replaces the earlier one, as in every decoder.

**Drafts are values, not a view.** A draft that was handed out never changes again, so that it can
be kept, compared, or sent from another task. For this the open containers are copied for each
draft, while everything that is closed is shared between drafts. These copies, and those of a long
string, would make the whole quadratic. Therefore each piece of text makes a draft only up to
`_EVERY_PIECE` characters; beyond that, the text has to grow by 1/32 of the excess for the next one.
Text that makes no draft is only kept, and is then parsed in one go: complete values by the decoder
in C, runs of scalars by one search and one decoding. The last draft is always whole.
"""

from __future__ import annotations

import re
from json.decoder import scanstring  # type: ignore[attr-defined] # typeshed lacks it
from typing import Any

from .answer_json import MAX_DEPTH, is_too_deep, read_json, scan_json

__all__ = ["GrowingJson"]

_EVERY_PIECE = 16_384  # characters; copying this much costs no more than yielding a draft
_GROWTH = 5  # as a shift: a draft for each 1/32 of the excess
_RUN = 16_384  # characters; the search that comes before each nested value must not go further

# All quantifiers are possessive: nothing backtracks, so a match is linear in what it looks at.
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_SCALAR = rf'(?:{_STRING}|[^\s"\[\]{{}},:]++)'
_NUMBERS = re.compile(r'[^"\[\]{}:]*+')  # and literals, and what is between them
_ITEMS = re.compile(rf"(?:\s*+{_SCALAR}\s*+(?:,|(?=\])))*+", re.DOTALL)
_MEMBERS = re.compile(rf"(?:\s*+{_STRING}\s*+:\s*+{_SCALAR}\s*+(?:,|(?=\}})))*+", re.DOTALL)
_NEXT_ITEM = re.compile(r'\s*+()([\[{"\]])')
_NEXT_MEMBER = re.compile(rf'\s*+(?:({_STRING})\s*+:\s*+([\[{{"])|(\}}))', re.DOTALL)
_NEXT_NESTED = re.compile(r"\s*+,\s*+(?=[\[{])")
_SEPARATOR = re.compile(r"\s*+([,\]}])")
_BLANK = re.compile(r"\s*+\Z")
# What may still become an item or a member when more text arrives.
_CUT_ITEM = re.compile(r'\s*+[^\s"\[\]{},:]*+\s*+\Z')
_CUT_MEMBER = re.compile(
    r'\s*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+(?:\\?\Z|"\s*+(?::\s*+[^\s"\[\]{},:]*+\s*+)?))?\Z',
    re.DOTALL,
)
_HEX = "[0-9a-fA-F]"
_HIGH, _LOW = rf"u[dD][89abAB]{_HEX}{{2}}", rf"\\u[dD][c-fC-F]{_HEX}{{2}}"
# A high surrogate is read together with the low one after it, or once none can follow.
_ESCAPE = (
    rf'\\(?:["\\/bfnrt]|{_HIGH}(?:{_LOW}|(?!\\?\Z|\\u{_HEX}{{0,3}}\Z))'
    rf"|u(?![dD][89abAB]){_HEX}{{4}})"
)
_CHARACTERS = re.compile(rf'[^"\\]*+(?:{_ESCAPE}[^"\\]*+)*+')
_CUT_ESCAPE = re.compile(rf"\\(?:u(?:{_HEX}{{0,4}}|{_HEX}{{4}}\\(?:u{_HEX}{{0,3}})?))?\Z")
# An object may follow other text; an array may only follow a fence, since texts cite as in "[1]".
_ROOT = re.compile(r'\{(?=\s*+["}])|\[')
_CUT_ROOT = re.compile(r"\{\s*+\Z")
_LEAD = re.compile(r"[\s\ufeff]*+(?:`{3,}+[ \t]*+\w*+\s*+)?")

_NOTHING = object()


class _MalformedError(Exception):
    """The text is not JSON."""


class GrowingJson:
    """Reads the one JSON object or array in a text that arrives in pieces.

    Text before it, a fence and a byte order mark are skipped, and text after it is ignored. Once
    the text is broken, or nested deeper than 64 levels, nothing grows any more. An empty object or
    array is shown only once it is closed, since a text may contain brackets of its own.

    Args:
        wrapper: the key of the object around the value, if the value was requested in one. If the
            object begins with it, the drafts are the value inside.
    """

    def __init__(self, wrapper: str | None = None) -> None:
        self._wrapper = wrapper
        self._pending: list[str] = []  # not read yet
        self._size = 0  # of all text
        self._next_size = 0  # the size from which on it is read
        self._searched = 0  # the part of the text, kept whole until then, that has no root
        self._holders: list[Any] = []  # the open containers, the outermost first, without what ...
        self._keys: list[Any] = []  # ... is open in them: the key of that, for each container
        self._string: list[str] | None = None  # the pieces of an open string
        self._is_after_value = False  # whether a comma has to follow, or the end of the container
        self._is_new = False  # whether there is something that no draft has shown
        self._is_shown = False  # whether there was a draft
        self._whole: Any = _NOTHING
        self._is_over = False  # complete or broken

    @property
    def is_complete(self) -> bool:
        """Whether the whole value has been read."""
        return self._whole is not _NOTHING

    @property
    def whole(self) -> Any:
        """The whole value, with its wrapper; only if it is complete."""
        return self._whole

    def feed(self, text: str) -> bool:
        """Take a piece of the text; return whether `draft` returns something new."""
        self._pending.append(text)
        size = self._size = self._size + len(text)
        return size >= self._next_size and self._advance()

    def end(self) -> bool:
        """Read what is left after the last piece; return whether `draft` returns something new.

        A text without any object or array is one scalar, or is read as leniently as the answer.
        """
        if self._advance():
            return True
        if not self._is_over and not self._holders:
            try:
                self._whole = read_json("".join(self._pending))
            except ValueError:
                pass
            else:
                self._is_new = True
            self._is_over = True
        return self._is_new

    def draft(self) -> Any:
        """Return the value as far as it has been read; only after `feed` or `end` returned True.

        What is returned shares its closed parts with other drafts, so do not change it.
        """
        self._is_new, self._is_shown = False, True
        value: Any = self._whole
        if value is _NOTHING:
            if self._string is not None:
                value = "".join(self._string)
                self._string = [value]
            for holder, key in zip(reversed(self._holders), reversed(self._keys), strict=True):
                copied = holder.copy()
                if value is not _NOTHING:
                    _put(copied, key, value)
                value = copied
        wrapper = self._wrapper
        if wrapper is not None and type(value) is dict and next(iter(value), None) == wrapper:
            return value[wrapper]
        return value

    def _advance(self) -> bool:
        excess = self._size - _EVERY_PIECE
        self._next_size = self._size + (excess >> _GROWTH if excess > 0 else 0)
        if self._is_over:
            self._pending.clear()
            return self._is_new
        text, position = "".join(self._pending), 0
        while not self._is_over:
            if not self._holders:
                position = self._find_root(text, position)
                if not self._holders:
                    break
            try:
                position = self._read(text, position)
                break
            except _MalformedError as error:
                position = error.args[0]
                self._give_up()
        self._pending = [text[position:]] if position < len(text) else []
        return self._is_new

    def _find_root(self, text: str, position: int) -> int:
        """Open the first object or array; return the position after its bracket, or before it."""
        lead = _LEAD.match(text).end()  # type: ignore[union-attr] # it matches the empty text
        found = _ROOT.search(text, max(position, self._searched))
        while found is not None and found[0] == "[" and found.start() != lead:
            found = _ROOT.search(text, found.end())
        if found is None:
            cut = _CUT_ROOT.search(text, max(0, text.rfind("{")))
            self._searched = cut.start() if cut else len(text)
            return 0  # all is kept: it may be a scalar
        self._open(found[0])
        self._is_new = False
        return found.end()

    def _give_up(self) -> None:
        """Stop for good; after an array of which nothing was shown, a root may still follow."""
        self._is_over = self._is_shown or self._is_new or type(self._holders[0]) is dict
        if not self._is_over:
            self._holders, self._keys, self._string = [], [], None
            self._searched, self._is_after_value = 0, False

    def _read(self, text: str, position: int) -> int:
        """Read as much as is possible; return the position up to which it was read."""
        goes_on = True
        while goes_on and not self._is_over:
            if self._string is not None:
                position = self._read_string(text, position)
                goes_on = self._string is None
            elif self._is_after_value:
                position, goes_on = self._read_separator(text, position)
            else:
                position, goes_on = self._read_next(text, position)
        return position

    def _read_separator(self, text: str, position: int) -> tuple[int, bool]:
        """Read what separates values; return the position, and False if more text is needed."""
        separator = _SEPARATOR.match(text, position)
        if separator is None:
            if not _BLANK.match(text, position):
                raise _MalformedError(position)
            return position, False
        if separator[1] == ",":
            self._is_after_value = False
        else:
            self._close(separator[1], position)
        return separator.end(), True

    def _read_next(self, text: str, position: int) -> tuple[int, bool]:
        """Read scalars up to a nested, growing or closing part; return as `_read_separator`."""
        is_dict = type(self._holders[-1]) is dict
        position = self._read_scalars(text, position, is_dict=is_dict)
        found = (_NEXT_MEMBER if is_dict else _NEXT_ITEM).match(text, position)
        if found is None:
            if not (_CUT_MEMBER if is_dict else _CUT_ITEM).match(text, position):
                raise _MalformedError(position)
            return position, False
        end = found.end()
        mark = text[end - 1]
        if mark in "]}":
            self._close(mark, position)
            return end, True
        if is_dict:
            self._keys[-1] = self._decode(found[1], position)
        if mark == '"':
            self._string, self._is_new = [], True
            return end, True
        return self._read_nested(text, end - 1), True

    def _read_scalars(self, text: str, position: int, *, is_dict: bool) -> int:
        """Read complete strings, numbers and literals of the innermost container."""
        if not is_dict:
            position = self._read_strings(text, self._read_numbers(text, position))
        end = (_MEMBERS if is_dict else _ITEMS).match(text, position).end()  # type: ignore[union-attr]
        if end > position:
            run = text[position : end - (text[end - 1] == ",")]
            holder = self._holders[-1]
            if is_dict:
                holder.update(self._decode(f"{{{run}}}", position))
            else:
                holder.extend(self._decode(f"[{run}]", position))
            self._is_new = True
        return end

    def _read_numbers(self, text: str, position: int) -> int:
        """Read numbers and literals of an array up to their last comma.

        They are found in one go: the search for all scalars goes item by item.
        """
        numbers = _NUMBERS.match(text, position)
        comma = text.rfind(",", position, numbers.end())  # type: ignore[union-attr]
        if comma < 0:
            return position
        try:
            values = self._decode(f"[{text[position:comma]}]", position)
        except _MalformedError:  # the other search finds where
            return position
        if not values:  # nothing but a comma, which is malformed
            return position
        self._holders[-1].extend(values)
        self._is_new = True
        return comma + 1

    def _read_strings(self, text: str, position: int) -> int:
        """Read strings and other scalars of an array up to a comma after a string.

        Many are decoded in one go, which fails if that quote and comma are within a string. Then
        the other search finds the scalars.
        """
        while True:
            end = text.rfind('",', position, position + _RUN) + 1
            if not end or text.find("[", position, end) >= 0 or text.find("{", position, end) >= 0:
                return position
            try:
                values = self._decode(f"[{text[position:end]}]", position)
            except _MalformedError:
                return position
            self._holders[-1].extend(values)
            self._is_new = True
            position = end + 1

    def _decode(self, text: str, position: int) -> Any:
        try:
            value, end = scan_json(text, 0)
        except (ValueError, StopIteration):
            end = 0
        if end != len(text):
            raise _MalformedError(position)
        return value

    def _read_nested(self, text: str, start: int) -> int:
        """Read an object or array, and those that follow it directly if they are complete."""
        holder, room = self._holders[-1], MAX_DEPTH - len(self._holders)
        is_list, mark = type(holder) is list, text[start]
        last = text.rfind("}" if mark == "{" else "]")  # a later value is not complete
        comma, length = f", {mark}", 2  # the same in a text, and faster than a search
        while start < last:
            try:
                value, end = scan_json(text, start)
            except (ValueError, StopIteration, RecursionError):
                break
            if end - start > 2 * room and is_too_deep(text[start:end], room):
                break
            if not is_list:
                holder[self._keys[-1]] = value
                self._is_after_value = self._is_new = True
                return end
            holder.append(value)
            if text.startswith(comma, end):
                start = end + length
                continue
            following = _NEXT_NESTED.match(text, end)
            if following is None:
                self._is_after_value = self._is_new = True
                return end
            start = following.end()
            comma, length = text[end : start + 1], start - end
        if len(self._holders) >= MAX_DEPTH:
            raise _MalformedError(start)
        self._open(text[start])
        return start + 1

    def _read_string(self, text: str, position: int) -> int:
        """Read an open string up to its end, or up to where it is cut."""
        parts: Any = self._string
        quote = text.find('"', position)
        end = len(text) if quote < 0 else quote
        has_escapes = text.find("\\", position, end) >= 0
        if has_escapes:  # only then the slower search is needed
            end = _CHARACTERS.match(text, position).end()  # type: ignore[union-attr]
        if end > position:
            piece = text[position:end]
            parts.append(scanstring(f'{piece}"', 0, False)[0] if has_escapes else piece)  # noqa: FBT003
            self._is_new = True
        if end == len(text):
            return end
        if text[end] == '"':
            _put(self._holders[-1], self._keys[-1], "".join(parts))
            self._string, self._is_after_value = None, True
            return end + 1
        if not _CUT_ESCAPE.match(text, end):
            raise _MalformedError(end)
        return end

    def _open(self, mark: str) -> None:
        self._holders.append({} if mark == "{" else [])
        self._keys.append(None)
        self._is_after_value, self._is_new = False, True

    def _close(self, mark: str, position: int) -> None:
        if mark != ("}" if type(self._holders[-1]) is dict else "]"):
            raise _MalformedError(position)
        closed = self._holders.pop()
        self._keys.pop()
        self._is_after_value = True
        if self._holders:
            _put(self._holders[-1], self._keys[-1], closed)
            return
        self._whole, self._is_over = closed, True
        self._is_new = self._is_new or not self._is_shown


def _put(holder: Any, key: Any, value: Any) -> None:
    if type(holder) is dict:
        holder[key] = value
    else:
        holder.append(value)

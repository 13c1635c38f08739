"""The table of `aimlchat models` on a terminal of any width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .terminal import style, to_one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aimlchat.model_types import Model

__all__ = ["format_table"]

_GAP = "  "
_HEADERS = ("model", "$ in", "$ out", "context", "developer", "endpoint")
_RIGHT = ("$ in", "$ out", "context")
# The columns that are left out first, where the terminal is narrow.
_LEAST_NEEDED = ("endpoint", "developer", "context")


def format_table(models: Sequence[Model], width: int, *, with_type: bool) -> Iterator[str]:
    """Yield the lines of a table that fits into ``width`` columns.

    A narrow terminal gets fewer columns, and a very narrow one gets the facts below each id. An id
    is never cut, so that it can be copied.
    """
    if not models:
        return
    rows = [dict(zip(_HEADERS, _cells_of(model), strict=True)) for model in models]
    headers = [name for name in _HEADERS if with_type or name != "endpoint"]
    widths = {name: max([len(name), *(len(row[name]) for row in rows)]) for name in headers}
    for name in _LEAST_NEEDED:
        if _width_of(headers, widths) > width and name in headers:
            headers.remove(name)
    if _width_of(headers, widths) > width:
        for row in rows:
            yield from _format_entry(row, width)
        return
    header = _format_row({name: name for name in headers}, headers, widths)
    yield style(header, bold=True)
    for row in rows:
        yield _format_row(row, headers, widths)


def _cells_of(model: Model) -> tuple[str, ...]:
    return (
        to_one_line(model.id),
        _format_price(model.input_price),
        _format_price(model.output_price),
        f"{model.context_length:,}" if model.context_length else "",
        to_one_line(model.developer),
        to_one_line(model.type),
    )


def _format_price(price: float | None) -> str:
    """Return a price with two decimals, or with more where these would round it."""
    if price is None:
        return ""
    return f"{price:.2f}" if round(price, 2) == price else f"{price:g}"


def _width_of(headers: Sequence[str], widths: dict[str, int]) -> int:
    return sum(widths[name] for name in headers) + len(_GAP) * (len(headers) - 1)


def _format_row(row: dict[str, str], headers: Sequence[str], widths: dict[str, int]) -> str:
    cells = (
        row[name].rjust(widths[name]) if name in _RIGHT else row[name].ljust(widths[name])
        for name in headers
    )
    return _GAP.join(cells).rstrip()


def _format_entry(row: dict[str, str], width: int) -> Iterator[str]:
    yield row["model"]
    facts = [f"${row[name]} {name[2:]}" for name in ("$ in", "$ out") if row[name]]
    if row["context"]:
        facts.append(f"{row['context']} context")
    line = f"{_GAP}{', '.join(facts)}"
    lines = [line] if len(line) <= width else [f"{_GAP}{fact}" for fact in facts]
    if facts:
        yield from (style(line, dim=True) for line in lines)

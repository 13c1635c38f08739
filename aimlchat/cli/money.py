"""Amounts of money, as the command line prints them."""

from __future__ import annotations

__all__ = ["format_dollars"]

# US dollars with six decimals; a smaller amount would read as zero.
_SMALLEST_SHOWN = 0.000_001


def format_dollars(usd: float) -> str:
    """Return an amount in US dollars, with two to six decimals."""
    if 0 < usd < _SMALLEST_SHOWN:
        return f"less than ${_SMALLEST_SHOWN:.6f}"
    dollars, _, fraction = f"{usd:z,.6f}".rstrip("0").partition(".")
    sign, dollars = ("-", dollars[1:]) if dollars.startswith("-") else ("", dollars)
    return f"{sign}${dollars}.{fraction:0<2}"

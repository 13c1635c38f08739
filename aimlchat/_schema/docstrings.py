"""Docstrings: what a function does, and what its parameters are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Docstring", "read_docstring"]


@attrs.frozen
class Docstring:
    """What a docstring says.

    Attributes:
        description: the text before its sections; None if there is none.
        parameters: the descriptions of the parameters, or of the attributes, by name.
    """

    description: str | None = None
    parameters: Mapping[str, str] = attrs.field(factory=dict)


def read_docstring(text: str | None) -> Docstring:
    """Read a docstring in the style of Google, NumPy or reST.

    Only the first paragraph is read where the parser, docstring-parser, is not installed, or if it
    cannot read the docstring.
    """
    if not text or not text.strip():
        return Docstring()
    try:
        from docstring_parser import parse  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - an extra
    except ImportError:
        return Docstring(_first_paragraph(text))
    try:
        parsed = parse(text)
    except Exception:  # noqa: BLE001 - on a broken section it fails in several ways
        return Docstring(_first_paragraph(text))
    parts = (parsed.short_description, parsed.long_description)
    # The first line is the short description, even if its paragraph continues.
    separator = "\n\n" if parsed.blank_after_short_description else "\n"
    parameters = {
        name.strip(" *"): " ".join(parameter.description.split())
        for parameter in parsed.params
        if parameter.description
        for name in parameter.arg_name.split(",")  # NumPy's style describes several at once
    }
    return Docstring(separator.join(part for part in parts if part) or None, parameters)


def _first_paragraph(text: str) -> str:
    return " ".join(text.strip().partition("\n\n")[0].split())

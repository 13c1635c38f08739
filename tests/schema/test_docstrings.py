"""Descriptions from docstrings, with the parser of the extra and without it."""

import sys

import pytest

from aimlchat._schema.docstrings import Docstring, read_docstring

GOOGLE = """Search the web.

It takes a while.

Args:
    query: what to
        look for.
    limit (int): the most results.

Returns:
    The results.
"""
NUMPY = """Search the web.

It takes a while.

Parameters
----------
query, other : str
    what to look for.
limit : int
    the most results.
"""
REST = """Search the web.

It takes a while.

:param query: what to look for.
:param int limit: the most results.
:returns: the results.
"""


@pytest.mark.parametrize("text", [GOOGLE, NUMPY, REST])
def test_each_style_is_read(text):
    docstring = read_docstring(text)

    assert docstring.description == "Search the web.\n\nIt takes a while."
    assert docstring.parameters["query"] == "what to look for."
    assert docstring.parameters["limit"] == "the most results."


def test_parameters_that_are_described_together_share_their_words():
    assert read_docstring(NUMPY).parameters["other"] == "what to look for."


def test_a_first_paragraph_of_two_lines_stays_one():
    assert read_docstring("Search\nthe web.\n\nTwice.").description == "Search\nthe web.\n\nTwice."


@pytest.mark.parametrize("text", [None, "", " \n "])
def test_without_a_docstring_there_is_no_description(text):
    assert read_docstring(text) == Docstring()


@pytest.mark.parametrize("text", [GOOGLE, NUMPY, REST])
def test_without_the_parser_the_first_paragraph_is_the_description(text, monkeypatch):
    monkeypatch.setitem(sys.modules, "docstring_parser", None)

    assert read_docstring(text) == Docstring("Search the web.")


def test_a_docstring_that_the_parser_cannot_read_has_a_first_paragraph():
    assert read_docstring(":  :") == Docstring(": :")

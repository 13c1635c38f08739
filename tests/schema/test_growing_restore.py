"""Drafts of a value by a strict schema."""

import copy
import itertools
import json
import sys

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strict_values import TYPES, inline, make_values, write_strictly
from type_samples import SAMPLES, Folder, Line, Tree

from aimlchat._schema.output_types import read_output_type
from aimlchat._schema.subsets import OPENAI


def grow(value):
    """Yield the drafts of a value: each container without its parts, and with more and more."""
    if isinstance(value, dict):
        closed = {}
        yield {}
        for key, item in value.items():
            for part in grow(item):
                yield closed | {key: part}
            closed[key] = item
    elif isinstance(value, list):
        closed = []
        yield []
        for item in value:
            for part in grow(item):
                yield [*closed, part]
            closed = [*closed, item]
    else:
        yield value


def check_drafts(output_type, value):
    rewritten = output_type.rewrite(OPENAI)
    written = write_strictly(value, rewritten)
    if rewritten.wrapper is not None:
        written = written[rewritten.wrapper]
    growing = rewritten.grow()
    drafts = [growing.restore(draft) for draft in grow(written)]
    copies = copy.deepcopy(drafts)
    assert drafts == copies
    assert drafts[-1] == rewritten.restore(written)
    return drafts


@pytest.mark.parametrize(
    ("kind", "value"),
    [(kind, value) for kind, values in SAMPLES for value in values],
    ids=str,
)
def test_the_last_draft_is_the_restored_value(kind, value):
    check_drafts(read_output_type(kind), value)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_drafts_of_any_type_end_in_the_restored_value(data):
    output_type = read_output_type(data.draw(TYPES))
    check_drafts(output_type, data.draw(make_values(inline(output_type.schema))))


def test_each_draft_extends_the_one_before():
    value = {"a": {"article": "x", "price": "1"}, "b": {"article": "y", "price": "2", "count": 3}}

    drafts = check_drafts(read_output_type(dict[str, Line]), value)

    for before, after in itertools.pairwise(drafts):
        for key, item in before.items():
            assert item.items() <= after[key].items()


def test_a_draft_that_was_returned_never_changes():
    rewritten = read_output_type(Folder).rewrite(OPENAI)
    value = {"name": "a", "folders": [{"name": "b", "folders": [], "parent": None}], "parent": None}
    growing = rewritten.grow()
    drafts = [(restored := growing.restore(draft), json.dumps(restored)) for draft in grow(value)]

    assert [json.dumps(draft) for draft, _ in drafts] == [text for _, text in drafts]


@attrs.define
class Report:
    lines: list[Line]
    trees: dict[str, list[Tree]] = attrs.Factory(dict)


@pytest.mark.parametrize("key", ["lines", "trees"])
def test_a_draft_costs_only_what_is_new_in_it(key):
    line = {"article": "a", "price": "1", "count": None}
    entry = {"key": "k", "value": [{"value": 1, "children": None}]}
    item = line if key == "lines" else entry

    def count_calls(items):
        """Return how many functions the next draft calls."""
        growing = read_output_type(Report).rewrite(OPENAI).grow()
        value = {"lines": [], "trees": []} | {key: [dict(item) for _ in range(items)]}
        value = {name: value[name] for name in sorted(value, key=lambda name: name == key)}
        growing.restore(value)
        calls = 0

        def count(_, event, __):
            nonlocal calls
            calls += event == "call"

        sys.setprofile(count)
        try:
            growing.restore(value | {key: [*value[key], dict(item)]})
        finally:
            sys.setprofile(None)
        return calls

    assert count_calls(1000) == count_calls(10)

"""Types of parameters, drawn by hypothesis, each with JSON values of the type."""

import dataclasses
import enum
import string
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, TypedDict
from uuid import UUID

import attrs
import msgspec
from hypothesis import strategies as st

__all__ = ["JSON_VALUES", "make_function", "typed_values"]

TEXTS = st.text(string.ascii_letters + " é€", max_size=4)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 2.0, "a", "b", "name"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abx"), inner, max_size=3)
    ),
    max_leaves=6,
)


class Color(enum.Enum):
    RED = "a"
    DEEP = 2


def _scalars(*, with_formats):
    plain = [
        (str, TEXTS),
        (int, st.integers(-(2**40), 2**40)),
        (float, st.floats(allow_nan=False, allow_infinity=False, width=32)),
        (bool, st.booleans()),
        (Literal["a", 3] | None, st.sampled_from(["a", 3, None])),
        (Color, st.sampled_from(["a", 2])),
        (Annotated[int, msgspec.Meta(ge=1, le=9), "A count."], st.integers(1, 9)),
        (Annotated[str, msgspec.Meta(min_length=1, max_length=4)], TEXTS.filter(bool)),
        (Any, JSON_VALUES),
    ]
    formatted = [
        (date, st.dates().map(date.isoformat)),
        (datetime, st.datetimes().map(datetime.isoformat)),
        (timedelta, st.sampled_from(["P1D", "PT2S"])),
        (UUID, st.uuids().map(str)),
        (Decimal, st.decimals(-99, 99, places=2).map(str)),
        (bytes, st.sampled_from(["", "AAE="])),
    ]
    return st.sampled_from(plain + (formatted if with_formats else []))


def _extend(inner):
    """Return types made of others; each draws the types first, and then their values."""
    pairs = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        inner.map(lambda pair: (list[pair[0]], st.lists(pair[1], max_size=3))),
        inner.map(lambda pair: (Sequence[pair[0]] | None, st.none() | st.lists(pair[1]))),
        inner.map(lambda pair: (dict[str, pair[0]], st.dictionaries(TEXTS, pair[1], max_size=3))),
        inner.map(lambda pair: (Mapping[str, pair[0]], st.dictionaries(TEXTS, pair[1]))),
        pairs.map(
            lambda found: (
                tuple[tuple(kind for kind, _ in found)],
                st.tuples(*(values for _, values in found)).map(list),
            )
        ),
        st.tuples(st.sampled_from(CLASSES), pairs).map(lambda drawn: _make_class(*drawn)),
    )


def _make_class(make, pairs):
    """Return a class of a kind; all but its first field may be left out."""
    names = [f"f{index}" for index, _ in enumerate(pairs)]
    required = {names[0]: pairs[0][1]}
    optional = {name: values for name, (_, values) in zip(names[1:], pairs[1:], strict=True)}
    kinds = {name: kind for name, (kind, _) in zip(names, pairs, strict=True)}
    return make(kinds), st.fixed_dictionaries(required, optional=optional)


def _split(kinds):
    (name, kind), *rest = kinds.items()
    return name, kind, rest


def _make_dataclass(kinds):
    name, kind, rest = _split(kinds)
    defaults = [(key, value, dataclasses.field(default=None)) for key, value in rest]
    return dataclasses.make_dataclass("Data", [(name, kind), *defaults])


def _make_struct(kinds):
    name, kind, rest = _split(kinds)
    return msgspec.defstruct("Struct", [(name, kind), *((key, item, None) for key, item in rest)])


def _make_attrs(kinds):
    name, kind, rest = _split(kinds)
    fields = {name: attrs.field(type=kind)}
    return attrs.make_class(
        "Attrs", fields | {key: attrs.field(type=item, default=None) for key, item in rest}
    )


def _make_typed_dict(kinds):
    name, kind, rest = _split(kinds)
    return TypedDict("Typed", {name: kind} | {key: NotRequired[item] for key, item in rest})


def _make_named_tuple(kinds):
    made = NamedTuple("Named", [*kinds.items()])
    made.__new__.__defaults__ = (None,) * (len(kinds) - 1)
    made._field_defaults = dict.fromkeys([*kinds][1:])
    return made


CLASSES = (_make_dataclass, _make_struct, _make_attrs, _make_typed_dict, _make_named_tuple)


def typed_values(*, with_formats=True):
    """Draw pairs of a type and a strategy of its JSON values."""
    return st.recursive(_scalars(with_formats=with_formats), _extend, max_leaves=5)


def make_function(annotation):
    """Return a function whose one parameter has a type."""

    def function(value): ...

    function.__annotations__["value"] = annotation
    return function

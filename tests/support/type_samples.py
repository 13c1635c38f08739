"""Types of every kind that an answer can have, each with values of it in JSON."""

import collections
import dataclasses
import datetime as dt
import enum
import typing
import uuid
from collections import abc
from decimal import Decimal
from pathlib import Path
from typing import (
    Annotated,
    Any,
    ClassVar,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    Required,
    TypedDict,
    TypeVar,
)

import attrs
import msgspec
import pydantic

T = TypeVar("T")
UserId = NewType("UserId", int)


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Mixed(enum.Enum):
    NONE = None
    ONE = 1
    TEXT = "one"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an invoice.

    Attributes:
        article: what was bought.
    """

    article: str
    price: Decimal
    count: Annotated[int, msgspec.Meta(ge=1, description="How many")] = 1


class Invoice(msgspec.Struct, rename="camel"):
    lines: list[Line]
    due_date: dt.date | None = None
    paid_by: str | msgspec.UnsetType = msgspec.UNSET


class Cat(msgspec.Struct, tag=True):
    name: str


class Dog(msgspec.Struct, tag=True):
    name: str
    age: int = 3


class Folder(msgspec.Struct):
    name: str
    folders: "list[Folder]" = []
    parent: "Folder | None" = None


class Page(msgspec.Struct, Generic[T]):
    items: list[T]
    next: int | None = None


def _is_positive(_, attribute, value):
    if value <= 0:
        msg = f"{attribute.name} has to be positive"
        raise ValueError(msg)


@attrs.frozen(kw_only=True)
class Account:
    owner: str = attrs.field(converter=str.strip)
    balance: int = attrs.field(default=1, validator=_is_positive)
    _secret: str = attrs.field(default="s")
    tags: dict[str, int] = attrs.Factory(dict)


@attrs.define
class SavingsAccount(Account):
    rate: float = 0.5


@attrs.define
class Tree:
    value: int
    children: "list[Tree]" = attrs.Factory(list)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    x: float
    y: float = 0.0
    kind: Literal["point"] = "point"
    count: ClassVar[int] = 0


@dataclasses.dataclass
class Box(Generic[T]):
    content: T
    label: Annotated[str, msgspec.Meta(max_length=5)] = ""
    size: tuple[int, str] = (1, "a")


class Movie(TypedDict, total=False):
    title: Required[str]
    year: int


class Sequel(Movie):
    first: NotRequired[Movie]
    number: Required[int]


class Pair(TypedDict, Generic[T]):
    left: T
    right: T


class Place(NamedTuple):
    name: str
    height: int


class Poodle(pydantic.BaseModel):
    kind: Literal["poodle"]


class Tabby(pydantic.BaseModel):
    kind: Literal["tabby"]
    age: int = 3


class Rating(pydantic.BaseModel):
    """A rating."""

    stars: int = pydantic.Field(ge=1, le=5)
    text: str | None = None
    by: Poodle | None = pydantic.Field(default=None, alias="ratedBy", description="Who")
    replies: "list[Rating]" = []
    scores: dict[str, Decimal] = {}


class Article(pydantic.BaseModel):
    day: dt.date
    pet: Annotated[Poodle | Tabby, pydantic.Field(discriminator="kind")] | None = None


class Words(pydantic.RootModel):
    root: list[str]


SAMPLES: list[tuple[Any, list[Any]]] = [
    (int, [0, -3, 10**20]),
    (float, [1.5, 2]),
    (str, ["", "x", "ü\n"]),
    (bool, [True, False]),
    (None, [None]),
    (bytes, ["", "aGk="]),
    (bytes | str | None, ["aGk=", None]),
    (Decimal, ["1.50", "-3", "1e5"]),
    (dt.date, ["2030-01-31"]),
    (dt.datetime, ["2030-01-31T12:00:00Z", "2030-01-31T12:00:00"]),
    (dt.time, ["12:30:00"]),
    (dt.timedelta, ["P1DT7200S"]),
    (uuid.UUID, ["12345678-1234-5678-1234-567812345678"]),
    (Path, ["a/b"]),
    (UserId, [7]),
    (Color, ["red"]),
    (Level, [2]),
    (Mixed, [None, 1, "one"]),
    (Literal["a", 1, True] | None, ["a", 1, None, True]),
    (Literal[Color.RED], ["red"]),
    (int | str, [1, "a"]),
    (Optional[int], [None, 3]),  # noqa: UP045 - the older form
    (Decimal | float | int, [1, 1.5, "1.5"]),
    (dt.date | str, ["2030-01-31", "soon"]),
    (list[int], [[], [1, 2]]),
    (list, [[], [1, "a", None]]),
    (set[str], [["a"], []]),
    (frozenset[int], [[1]]),
    (collections.deque[int], [[1, 1]]),
    (abc.Sequence[int], [[1]]),
    (tuple[int, ...], [[], [1, 2]]),
    (tuple[int, str], [[1, "a"]]),
    (tuple[()], [[]]),
    (dict[str, int], [{}, {"a": 1, "key": 2}]),
    (dict[int, str], [{"-1": "a", "20": "b"}]),
    (dict[Color, Any], [{"red": [1, None]}]),
    (dict[dt.date, list[int]], [{"2030-01-31": [1]}]),
    (abc.Mapping[str, bool], [{"a": True}]),
    (list[dict[str, tuple[int, str]]], [[{"a": [1, "b"]}, {}]]),
    (dict[str, list[Line]] | list[Line] | int, [{"a": []}, 3, [{"article": "a", "price": "1"}]]),
    (Line, [{"article": "a", "price": "1.0"}, {"article": "a", "price": "1", "count": 2}]),
    (Invoice, [{"lines": []}, {"lines": [], "dueDate": "2030-01-31", "paidBy": "x"}]),
    (Cat | Dog, [{"type": "Cat", "name": "C"}, {"type": "Dog", "name": "D", "age": 4}]),
    (list[Cat | Dog | None], [[None, {"type": "Dog", "name": "D"}]]),
    (Folder, [{"name": "a", "folders": [{"name": "b", "parent": {"name": "c"}}]}]),
    (Page[Line], [{"items": [{"article": "a", "price": "1"}]}]),
    (Page[Page[int]], [{"items": [{"items": [1], "next": 2}], "next": None}]),
    (Account, [{"owner": " o "}, {"owner": "o", "balance": 5, "secret": "t", "tags": {"a": 1}}]),
    (SavingsAccount, [{"owner": "o", "rate": 2}]),
    (Tree, [{"value": 1, "children": [{"value": 2}, {"value": 3, "children": []}]}]),
    (list[Tree], [[{"value": 1}]]),
    (Point, [{"x": 1.5}, {"x": 1, "y": 2, "kind": "point"}]),
    (Box[list[int]], [{"content": [1]}, {"content": [], "label": "l", "size": [2, "b"]}]),
    (Sequel, [{"title": "t", "number": 2}, {"title": "t", "number": 2, "first": {"title": "u"}}]),
    (Pair[int], [{"left": 1, "right": 2}]),
    (Rating, [{"stars": 3, "replies": [{"stars": 1, "ratedBy": {"kind": "poodle"}}]}]),
    (list[Rating], [[{"stars": 3, "scores": {"a": "1.5"}}]]),
    (Article, [{"day": "2030-01-31", "pet": {"kind": "tabby"}}]),
    (dict[str, Article | Words], [{"a": {"day": "2030-01-31"}, "b": ["x"]}]),
    (Place, [{"name": "n", "height": 3}]),
    (Annotated[list[int], msgspec.Meta(max_length=3)], [[1, 2, 3]]),
    (Annotated[int, ["unhashable"]], [3]),
    (Annotated[str, msgspec.Meta(pattern="^a(?=b)")], ["ab"]),
    (Any, [None, {"a": [1]}, "x"]),
    (typing.List[int], [[1]]),  # noqa: UP006 - the older form
]

"""JSON values, which are frozen when added to a request, and checked and copied when sent."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, Self

import attrs

from aimlchat.errors import InvalidRequestError
from aimlchat.tool_types import Tool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aimlchat.content import Message

__all__ = [
    "MAX_DEPTH",
    "MAX_INTEGER",
    "MIN_INTEGER",
    "FrozenDict",
    "check_text",
    "describe",
    "freeze",
    "freeze_bias",
    "freeze_choice",
    "freeze_mapping",
    "freeze_messages",
    "freeze_texts",
    "freeze_tools",
    "is_mapping",
    "refuse",
    "suggest_dict",
    "to_json_value",
]

_Mapping = Mapping[str, Any]

# Deeper than any real schema or message, and far from Python's recursion limit even if the caller
# has already used half of the stack.
MAX_DEPTH = 100
# The integers that JSON encoders such as msgspec accept: from the lowest int64 to the highest
# uint64.
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**64 - 1
# How objects become JSON, by an attribute of their classes: first objects that become a dict.
_DICT_CONVERSIONS = {
    "model_dump": "give its .model_dump(mode='json')",  # pydantic
    "as_message": "give its .as_message()",  # a Completion
    "__dataclass_fields__": "give dataclasses.asdict(...) of it",
}
_CONVERSIONS = _DICT_CONVERSIONS | {
    "__members__": "give its .value",  # an Enum
    "tolist": "give its .tolist()",  # numpy, also its numbers
    "isoformat": "give its .isoformat()",  # dates and times
    "get_secret_value": "give its .get_secret_value()",
    "as_integer_ratio": "give float(...) or str(...) of it",  # Decimal, Fraction
    "__fspath__": "give str(...) of it",  # a path
    "bytes_le": "give str(...) of it",  # a UUID
    "decode": "give its .decode()",  # bytes
    "send": "give list(...) of it",  # a generator
    "isdisjoint": "give list(...) of it",  # a set
}
_MAX_DESCRIBED_BITS = 256
_MAX_DESCRIBED_CHARACTERS = 60


def refuse(message: str, field: str) -> NoReturn:
    """Raise `InvalidRequestError` for a field that the API would refuse."""
    raise InvalidRequestError(message, field=field)


def describe(value: Any) -> str:
    """Describe a value in a few words, for an error message.

    Never raises, however odd or large the value is.
    """
    if isinstance(value, str):
        is_long = len(value) > _MAX_DESCRIBED_CHARACTERS
        return repr(value[:_MAX_DESCRIBED_CHARACTERS]) + ("..." if is_long else "")
    if isinstance(value, int) and value.bit_length() > _MAX_DESCRIBED_BITS:
        return "a huge integer"
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    kind = type(value)
    # numpy has a `bool` of its own.
    is_namesake = kind.__module__ != "builtins" and hasattr(builtins, kind.__name__)
    return f"an object of type {f'{kind.__module__}.' * is_namesake}{kind.__name__}"


def suggest_dict(value: Any, otherwise: str) -> str:
    """Return how an object becomes a dict, or ``otherwise`` if its class offers no way."""
    return _suggest(value, _DICT_CONVERSIONS, otherwise)


def _suggest(value: Any, conversions: Mapping[str, str], otherwise: str) -> str:
    kind = type(value)
    found = (advice for name, advice in conversions.items() if hasattr(kind, name))
    return next(found, otherwise)


class FrozenDict(dict[str, Any]):
    """A dict that cannot be changed, so that requests can share it.

    It can be pickled; a deep copy of it is the same object.
    """

    __slots__ = ()

    def _refuse_change(self, *_: Any, **__: Any) -> NoReturn:
        msg = "a request cannot be changed; .options() returns a changed copy"
        raise TypeError(msg)

    __setitem__ = __delitem__ = __ior__ = _refuse_change
    clear = pop = popitem = setdefault = update = _refuse_change

    def __reduce__(self) -> tuple[type[Self], tuple[dict[str, Any]]]:
        return type(self), (dict(self),)

    def __deepcopy__(self, _: dict[int, Any]) -> Self:
        return self


def is_mapping(value: Any) -> bool:
    """Return whether the value is a mapping, which JSON calls an object."""
    return isinstance(value, dict) or isinstance(value, Mapping)  # noqa: SIM101 - dict is faster


def freeze(value: Any) -> Any:
    """Return a copy that cannot be changed: `FrozenDict` for mappings, tuples for sequences.

    Other values are returned unchanged; `to_json_value` refuses those that cannot be JSON.
    """
    return _freeze(value, set())


def _freeze(value: Any, ancestor_ids: set[int]) -> Any:
    if value is None or isinstance(value, (str, FrozenDict)):
        return value
    mapping = is_mapping(value)
    if not mapping and not isinstance(value, (list, tuple)):
        return value
    if id(value) in ancestor_ids or len(ancestor_ids) > MAX_DEPTH:
        return value  # It contains itself or is too deep; `to_json_value` refuses both.
    ancestor_ids.add(id(value))
    if mapping:
        frozen: Any = FrozenDict({key: _freeze(item, ancestor_ids) for key, item in value.items()})
    else:
        frozen = tuple([_freeze(item, ancestor_ids) for item in value])
    ancestor_ids.discard(id(value))
    return frozen


# The converters of a request copy whatever the caller could still change. Each has its own
# annotations, since type checkers take the types of the constructor's arguments from them.
def _freeze_items(items: Any) -> Any:
    if items is None:
        return ()
    if isinstance(items, (str, bytes, Mapping)) or not isinstance(items, Iterable):
        return items  # Not a list; `payload` refuses it.
    return tuple([_freeze_item(item) for item in items])


def _freeze_item(item: Any) -> Any:
    if isinstance(item, Tool):
        return attrs.evolve(item, parameters=freeze(item.parameters))
    return freeze(item)


def freeze_messages(
    messages: Iterable[Message | _Mapping] | None,
) -> tuple[Message | _Mapping, ...]:
    """Return an immutable copy of a list of messages."""
    frozen: tuple[Message | _Mapping, ...] = _freeze_items(messages)
    return frozen


def freeze_tools(
    tools: Iterable[Tool | _Mapping | Callable[..., Any]] | None,
) -> tuple[Tool | _Mapping, ...]:
    """Return an immutable copy of a list of tools, in which functions are tools.

    Raises `InvalidRequestError` for a function that cannot be a tool.
    """
    frozen: tuple[Tool | _Mapping, ...] = _freeze_items(tools)
    if isinstance(frozen, tuple) and any(map(callable, frozen)):
        return tuple([_make_tool(item, index) for index, item in enumerate(frozen)])
    return frozen


def _make_tool(item: Any, index: int) -> Tool | _Mapping:
    if not callable(item):
        unchanged: Tool | _Mapping = item
        return unchanged
    try:
        tool = Tool.from_function(item)
    except InvalidRequestError as error:
        inner = "" if error.field == "function" else f".{error.field}"
        raise InvalidRequestError(str(error.args[0]), field=f"tools[{index}]{inner}") from error
    return attrs.evolve(tool, parameters=freeze(tool.parameters))


def freeze_choice(
    choice: str | Tool | _Mapping | Callable[..., Any] | None,
) -> str | Tool | _Mapping | None:
    """Return an immutable copy of a tool choice; a function is chosen by its name."""
    if callable(choice):
        from aimlchat._schema.functions import find_name  # noqa: PLC0415 - few requests need it

        return Tool(find_name(choice))
    frozen: str | Tool | _Mapping | None = None if choice is None else _freeze_item(choice)
    return frozen


def freeze_mapping(mapping: _Mapping | None) -> _Mapping | None:
    """Return an immutable copy of a dict."""
    frozen: _Mapping | None = None if mapping is None else freeze(mapping)
    return frozen


def freeze_bias(
    biases: Mapping[int, float] | Mapping[str, float] | None,
) -> Mapping[Any, float] | None:
    """Return an immutable copy of biases by token id."""
    frozen: Mapping[Any, float] | None = None if biases is None else freeze(biases)
    return frozen


def freeze_texts(texts: Sequence[str] | None) -> Sequence[str] | None:
    """Return an immutable copy of a list of texts; a single text stays as it is."""
    frozen: Sequence[str] | None = None if texts is None else freeze(texts)
    return frozen


def check_text(value: Any, field: str) -> str:
    """Check that a value is text that UTF-8 can encode, and return it as a plain `str`.

    Raises `InvalidRequestError` for any other type, and for a lone surrogate.
    """
    if type(value) is str and value.isascii():
        return value
    if not isinstance(value, str):
        refuse(f"{describe(value)} is not text; give a str", field)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            msg = (
                f"the text has a lone surrogate, {value[error.start]!r} at index {error.start},"
                " which UTF-8 cannot carry; correct it where the text was cut or decoded, or use"
                " text.encode(errors='replace').decode()"
            )
            raise InvalidRequestError(msg, field=field) from error
    return value if type(value) is str else str.__str__(value)


def to_json_value(value: Any, field: str) -> Any:
    """Return a copy of a JSON value in plain types: str, int, float, bool, None, list and dict.

    Raises `InvalidRequestError` for what cannot be JSON; its ``field`` is the path to that value.
    """
    return _convert(value, field, field, 0)


def _convert(value: Any, field: str, root: str, depth: int) -> Any:
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return check_text(value, field)
    if isinstance(value, int):
        if not MIN_INTEGER <= value <= MAX_INTEGER:
            refuse(f"{describe(value)} does not fit into 64 bits; send it as a string", field)
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            refuse(f"{value!r} is not a number that JSON can hold; give a finite one", field)
        return float(value)
    mapping = is_mapping(value)
    if not mapping and not isinstance(value, (list, tuple)):
        advice = _suggest(value, _CONVERSIONS, "give a str, int, float, bool, None, list or dict")
        refuse(f"{describe(value)} is not a JSON value; {advice}", field)
    if depth >= MAX_DEPTH:
        # The error names the root, since a path of this depth would fill a page.
        msg = f"it is nested deeper than {MAX_DEPTH} levels, or contains itself; make it flatter"
        refuse(msg, root)
    if mapping:
        return {
            key if type(key) is str and key.isascii() else _check_key(key, field): (
                # An ASCII text is always valid, so its path is not built, which saves time.
                item
                if type(item) is str and item.isascii()
                else _convert(item, f"{field}.{key}", root, depth + 1)
            )
            for key, item in value.items()
        }
    return [
        _convert(item, f"{field}[{index}]", root, depth + 1) for index, item in enumerate(value)
    ]


def _check_key(key: Any, field: str) -> str:
    if not isinstance(key, str):
        refuse(f"the key {describe(key)} is not text; JSON has only str keys", field)
    return check_text(key, field)

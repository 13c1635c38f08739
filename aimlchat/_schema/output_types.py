"""The type of an answer: its JSON schema, and how a JSON value becomes a value of it."""

from __future__ import annotations

import functools
import re
import types
import typing
from typing import TYPE_CHECKING, Any

import attrs

from .definitions import build_schema
from .errors import DecodeError, SchemaError
from .strict import RewrittenSchema, rewrite_strictly, wrap_root
from .type_nodes import NodeBuilder

if TYPE_CHECKING:
    from .nodes import Node
    from .subsets import Subset

__all__ = ["OutputType", "read_output_type"]

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9]+")
_MAX_NAME = 48  # of the 64 characters that the API accepts, so that a number can follow
_MAX_TYPES = 256


@attrs.frozen(eq=False, slots=False)  # slots would leave no room for the cache
class OutputType:
    """A type that answers can have.

    Attributes:
        name: a name for the API, 1 to 48 of ``A-Z a-z 0-9 _``.
    """

    name: str
    _node: Node

    @functools.cached_property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of the type; do not change it."""
        return build_schema(self._node)

    def decode(self, value: Any) -> Any:
        """Return the value of the type that a JSON value stands for.

        Raises `DecodeError`, which has the path of the first field that is wrong.
        """
        try:
            return self._node.decode(value)
        except RecursionError as error:
            msg = "it is nested too deeply"
            raise DecodeError(msg) from error

    def rewrite(self, subset: Subset | None) -> RewrittenSchema:
        """Return the schema as it is sent, and the way back.

        Args:
            subset: the subset that the vendor enforces. A schema outside of it, such as one that
                allows any value, is sent as it is, and then nothing is enforced. None for the
                parameters of a tool, which may have any schema of an object.
        """
        rewritten = self._rewritten.get(subset)
        if rewritten is None:
            rewritten = self._rewritten[subset] = _rewrite(self.schema, subset)
        return rewritten

    @functools.cached_property
    def _rewritten(self) -> dict[Subset | None, RewrittenSchema]:
        return {}


def _rewrite(schema: dict[str, Any], subset: Subset | None) -> RewrittenSchema:
    if subset is not None:
        try:
            return rewrite_strictly(schema, subset)
        except SchemaError:  # the vendor would refuse it as well
            pass
    return wrap_root(schema)


def read_output_type(output_type: Any) -> OutputType:
    """Return what is needed for typed answers; it is made once for each type.

    Raises:
        SchemaError: a `TypeError`; JSON schema cannot describe the type. It has the path of the
            offending field.
    """
    if isinstance(output_type, OutputType):
        return output_type
    try:
        return _read_cached(output_type)
    except SchemaError:
        raise
    except TypeError:  # it cannot be hashed, such as an Annotated with a list
        return _read(output_type)


def _read(output_type: Any) -> OutputType:
    return OutputType(_choose_name(output_type), NodeBuilder().build(output_type))


_read_cached = functools.lru_cache(maxsize=_MAX_TYPES)(_read)


def _choose_name(output_type: Any) -> str:
    name = _NOT_IN_NAMES.sub("_", _describe(output_type)).strip("_")[:_MAX_NAME].strip("_")
    return name or "answer"


def _describe(output_type: Any) -> str:
    """Return the names of a type and of its arguments, without their modules."""
    while hasattr(output_type, "__metadata__"):
        output_type = output_type.__origin__
    if isinstance(output_type, list | tuple):  # an argument of a form that takes a list
        return "_".join(map(_describe, output_type))
    origin = typing.get_origin(output_type) or output_type
    is_union = origin in (typing.Union, types.UnionType)
    name = "Union" if is_union else getattr(origin, "__name__", "")
    if typing.get_origin(output_type) is typing.Literal:
        return "_".join([name, *map(str, typing.get_args(output_type))])
    return "_".join([name, *map(_describe, typing.get_args(output_type))])

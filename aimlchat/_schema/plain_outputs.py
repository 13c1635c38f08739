"""Types of answers whose values stay as they are in JSON, once they have been checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from .nodes import AnyNode, Node
from .output_types import OutputType

if TYPE_CHECKING:
    from collections.abc import Callable

    from .errors import DecodeError
    from .nodes import References

__all__ = ["PlainOutput", "SchemaNode"]


@attrs.frozen(eq=False, slots=False)
class PlainOutput(OutputType):
    """A type whose values are checked, and stay as the model wrote them.

    They can be written as JSON, whatever the type is, and a reader can decode them by the same
    type.
    """

    @classmethod
    def of(cls, output_type: OutputType) -> PlainOutput:
        """Return the plain form of a type."""
        return cls(output_type.name, output_type._node)  # noqa: SLF001 - of the class below

    def decode(self, value: Any) -> Any:
        """Return the value; raise `DecodeError` if it does not fit."""
        super().decode(value)
        return value


@attrs.frozen(eq=False)
class SchemaNode(Node):
    """The values of a JSON schema, which stay as they are.

    Attributes:
        own_schema: the schema.
        find_fault: returns what is wrong with a value, None if nothing is.
    """

    own_schema: dict[str, Any]
    find_fault: Callable[[Any], DecodeError | None]

    def schema(self, _: References) -> dict[str, Any]:
        """Return the schema."""
        return self.own_schema

    def decode(self, value: Any) -> Any:
        """Return the value; raise `DecodeError` if it does not fit."""
        if (fault := self.find_fault(value)) is not None:
            raise fault
        return value

    def json_types(self) -> frozenset[str]:
        """Return all types of JSON, since the schema may allow any."""
        return AnyNode().json_types()

"""Types of answers whose values stay as they are in JSON, once they have been checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from .output_types import OutputType

if TYPE_CHECKING:
    from collections.abc import Callable

    from .errors import DecodeError

__all__ = ["PlainOutput", "SchemaOutput"]


@attrs.frozen(eq=False, slots=False)
class PlainOutput(OutputType):
    """A type whose values are checked by it, and stay what the model wrote.

    They can be written as JSON, whatever the type is, and whoever reads them can decode them by the
    same type.
    """

    @classmethod
    def of(cls, output_type: OutputType) -> PlainOutput:
        """Return the plain form of a type."""
        return cls(output_type.name, output_type._node)  # noqa: SLF001 - of the class below

    def decode(self, value: Any) -> Any:
        """Return the value; raise `DecodeError` if it does not fit."""
        super().decode(value)
        return value


@attrs.frozen(eq=False, slots=False)
class SchemaOutput(OutputType):
    """The values of a JSON schema.

    Attributes:
        find_fault: returns what is wrong with a value, None if nothing is.
    """

    _schema: dict[str, Any] = attrs.field(kw_only=True)
    find_fault: Callable[[Any], DecodeError | None] = attrs.field(kw_only=True)

    @property
    def schema(self) -> dict[str, Any]:
        """The schema."""
        return self._schema

    def decode(self, value: Any) -> Any:
        """Return the value; raise `DecodeError` if it does not fit."""
        if (fault := self.find_fault(value)) is not None:
            raise fault
        return value

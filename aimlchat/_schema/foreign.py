"""Models of pydantic, which describe and decode themselves; pydantic is not imported."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

from .errors import DecodeError, SchemaError, describe_raised, join_errors
from .nodes import Node

if TYPE_CHECKING:
    from .nodes import References

__all__ = ["PydanticNode", "is_pydantic_model"]


def is_pydantic_model(python_type: Any) -> bool:
    """Return whether a class is a model of pydantic, version 2."""
    return isinstance(python_type, type) and all(
        callable(getattr(python_type, name, None))
        for name in ("model_json_schema", "model_validate_json")
    )


@attrs.frozen(eq=False)
class PydanticNode(Node):
    """A model of pydantic.

    Attributes:
        model: its class.
        own_schema: its JSON schema, with its own ``$defs``, closed unless the model allows further
            keys.
    """

    model: Any
    own_schema: dict[str, Any]

    @classmethod
    def of(cls, model: Any) -> PydanticNode:
        """Return the node of a model; `SchemaError` if it has no JSON schema."""
        try:
            schema = model.model_json_schema()
        except Exception as error:  # pydantic's own errors, which cannot be named here
            msg = f"{model.__name__} has no JSON schema: {str(error).splitlines()[0]}"
            raise SchemaError(msg) from error
        return cls(model, _tidy(schema))

    def schema(self, definitions: References) -> dict[str, Any]:
        """Return the JSON schema of the model."""
        return definitions.include(self.own_schema)

    def decode(self, value: Any) -> Any:
        """Return an instance of the model, validated by its own rules for JSON."""
        if not isinstance(value, dict) and self.json_types() == {"object"}:
            raise self.refuse(value)
        try:
            return self.model.model_validate_json(json.dumps(value))
        except Exception as error:  # a validator may raise anything
            raise _translate(error) from error

    def json_types(self) -> frozenset[str]:
        """Return the types of JSON; a model of one value may have any."""
        if "$ref" in self.own_schema or self.own_schema.get("type") == "object":
            return frozenset(["object"])
        return frozenset(("string", "integer", "number", "boolean", "null", "array", "object"))


def _tidy(schema: Any, *, is_schema: bool = True) -> Any:
    """Return a schema without the titles that pydantic makes from names, with closed objects."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if not is_schema:  # the keys are names of properties and definitions
        return {key: _tidy(item) for key, item in schema.items()}
    tidied = {
        key: item
        if key in ("default", "const", "enum", "examples")
        else _tidy(item, is_schema=key not in ("properties", "$defs", "patternProperties"))
        for key, item in schema.items()
        if key != "title"
    }
    if tidied.get("default", ...) is None:
        del tidied["default"]
    if "properties" in tidied:
        tidied.setdefault("additionalProperties", False)
    return tidied


def _translate(error: Exception) -> DecodeError:
    """Return an error as ours; all problems that pydantic found are in one message."""
    read_problems = getattr(error, "errors", None)
    problems = read_problems(include_url=False) if callable(read_problems) else []
    found = []
    for problem in problems:
        path = ""
        for key in problem.get("loc", ()):
            path += f"[{key}]" if isinstance(key, int) else f".{key}" if path else str(key)
        found.append(DecodeError(str(problem.get("msg", "")), path))
    return join_errors(found) if found else DecodeError(describe_raised(error))

"""The fields of classes: dataclasses, attrs, msgspec structs, typed dicts and named tuples."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from .errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["MISSING", "ClassField", "read_fields", "substitute"]

MISSING: Any = object()


@attrs.frozen
class ClassField:
    """A field of a class.

    Attributes:
        name: the key in JSON.
        argument: the name of the constructor's argument.
        annotation: the type.
        default: the default; `MISSING` if there is none, or none that is known.
        required: whether the constructor needs it.
        description: its description, from its metadata.
        keeps_text: whether the constructor accepts a value that is text in JSON, such as a date,
            as that text.
    """

    name: str
    argument: str
    annotation: Any
    default: Any = MISSING
    required: bool = True
    description: str | None = None
    keeps_text: bool = False


def read_fields(python_type: Any) -> list[ClassField] | None:
    """Return the fields of a class, or of a generic class with its arguments.

    Returns None for a class of another kind; raises `SchemaError` for a type that is not known.
    """
    origin = typing.get_origin(python_type) or python_type
    if not isinstance(origin, type):
        return None
    for is_kind, read in _KINDS:
        if is_kind(origin):
            return read(python_type, origin)
    return None


def _read_struct(python_type: Any, origin: Any) -> list[ClassField]:
    try:
        fields = msgspec.structs.fields(python_type)
    except NameError as error:
        raise _unresolved(origin, error) from error
    return [
        ClassField(
            field.encode_name,
            field.name,
            field.type,
            _find_default(field.default, field.default_factory, msgspec.NODEFAULT),
            required=field.required,
        )
        for field in fields
    ]


def _read_dataclass(python_type: Any, origin: Any) -> list[ClassField]:
    hints = _resolve_hints(python_type, origin)
    fields = {field.name: field for field in dataclasses.fields(origin)}
    found = []
    for name, parameter in inspect.signature(origin).parameters.items():  # InitVars are there too
        field = fields.get(name)
        default = parameter.default
        if field is not None:
            default = _find_default(field.default, field.default_factory, dataclasses.MISSING)
        found.append(
            ClassField(
                name,
                name,
                hints.get(name, MISSING),
                MISSING if default is inspect.Parameter.empty else default,
                required=parameter.default is inspect.Parameter.empty,
                description=_read_description(field.metadata if field is not None else {}),
            )
        )
    return found


def _read_attrs(python_type: Any, origin: Any) -> list[ClassField]:
    hints = _resolve_hints(python_type, origin)
    found = []
    for field in attrs.fields(origin):
        if not field.init:
            continue
        default: Any = field.default
        if default is attrs.NOTHING:
            default = MISSING
        elif isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # it is a class
            default = MISSING if default.takes_self else _make_default(default.factory)
        annotation = hints.get(field.name, MISSING if field.type is None else field.type)
        keeps_text = False
        if field.converter is not None:
            taken = _read_converter(field.converter)
            keeps_text = taken is MISSING and not _is_python(field.converter)
            annotation = annotation if taken is MISSING else taken
        found.append(
            ClassField(
                field.alias or field.name,
                field.alias or field.name,
                annotation,
                default,
                required=field.default is attrs.NOTHING,
                description=_read_description(field.metadata),
                keeps_text=keeps_text,
            )
        )
    return found


def _read_converter(converter: Any) -> Any:
    """Return the annotation of a converter's parameter, or `MISSING` if it has none."""
    function = getattr(converter, "converter", converter)  # the function of an `attrs.Converter`
    try:
        hints = typing.get_type_hints(function, include_extras=True)
        first = next(iter(inspect.signature(function).parameters))
    except (NameError, StopIteration, TypeError, ValueError):  # a class, or a function written in C
        return MISSING
    return hints.get(first, MISSING)


def _is_python(converter: Any) -> bool:
    """Return whether a converter is written in Python.

    Other converters, such as ``date.fromisoformat`` and ``UUID``, get the text; a Python function
    without an annotation gets a value of the type of its field.
    """
    function = getattr(converter, "converter", converter)
    return inspect.isfunction(inspect.unwrap(function)) or inspect.ismethod(function)


def _read_typed_dict(python_type: Any, origin: Any) -> list[ClassField]:
    found = []
    for name, hint in _resolve_hints(python_type, origin).items():
        required = name in origin.__required_keys__
        annotation = hint
        # With postponed annotations the class itself does not see these.
        while (wrapper := typing.get_origin(annotation)) is not None:
            wrapper_name = getattr(wrapper, "_name", getattr(wrapper, "__name__", ""))
            if wrapper_name not in ("Required", "NotRequired", "ReadOnly"):
                break
            if wrapper_name != "ReadOnly":
                required = wrapper_name == "Required"
            (annotation,) = typing.get_args(annotation)
        found.append(ClassField(name, name, annotation, required=required))
    return found


def _read_named_tuple(python_type: Any, origin: Any) -> list[ClassField]:
    hints = _resolve_hints(python_type, origin)
    defaults = origin._field_defaults
    return [
        ClassField(
            name,
            name,
            hints.get(name, MISSING),
            defaults.get(name, MISSING),
            required=name not in defaults,
        )
        for name in origin._fields
    ]


_KINDS: tuple[tuple[Callable[[Any], bool], Callable[[Any, Any], list[ClassField]]], ...] = (
    (lambda origin: issubclass(origin, msgspec.Struct), _read_struct),
    (attrs.has, _read_attrs),
    (dataclasses.is_dataclass, _read_dataclass),
    (lambda origin: hasattr(origin, "__required_keys__"), _read_typed_dict),
    (lambda origin: issubclass(origin, tuple) and hasattr(origin, "_fields"), _read_named_tuple),
)


def _find_default(default: Any, factory: Any, nothing: Any) -> Any:
    if factory is not nothing:
        return _make_default(factory)
    return MISSING if default is nothing else default


def _make_default(factory: Any) -> Any:
    """Return the value of a factory; `MISSING` if it may differ each time, as a new id does."""
    return factory() if factory in (list, dict, set, frozenset, tuple) else MISSING


def _read_description(metadata: Mapping[Any, Any]) -> str | None:
    description = metadata.get("description")
    return description if isinstance(description, str) else None


def _resolve_hints(python_type: Any, origin: Any) -> dict[str, Any]:
    """Return the types of the fields, with the arguments of a generic class put in."""
    # The names of the class and of its type parameters are not in its module if it is local.
    names = {origin.__name__: origin}
    names |= {parameter.__name__: parameter for parameter in getattr(origin, "__type_params__", ())}
    try:
        hints = typing.get_type_hints(origin, localns=names, include_extras=True)
    except (NameError, AttributeError, SyntaxError, TypeError) as error:
        raise _unresolved(origin, error) from error
    arguments: dict[Any, Any] = {}
    _collect_arguments(python_type, arguments)
    return {name: substitute(hint, arguments) for name, hint in hints.items()}


def _unresolved(origin: Any, error: Exception) -> SchemaError:
    msg = (
        f"the annotations of {origin.__name__} cannot be resolved ({error}); define the types in"
        f" its module, {origin.__module__}, and not only for type checkers"
    )
    return SchemaError(msg)


def _collect_arguments(python_type: Any, arguments: dict[Any, Any]) -> None:
    """Add the argument of each type variable, of a class and of its base classes."""
    origin = typing.get_origin(python_type)
    if origin is not None:
        given = (substitute(argument, arguments) for argument in typing.get_args(python_type))
        arguments.update(zip(getattr(origin, "__parameters__", ()), given, strict=False))
    bases: Iterable[Any] = vars(origin or python_type).get("__orig_bases__", ())
    for base in bases:
        if typing.get_origin(base) is not typing.Generic:
            _collect_arguments(base, arguments)


def substitute(annotation: Any, arguments: Mapping[Any, Any]) -> Any:
    """Return a type in which each type variable is replaced by its argument."""
    if isinstance(annotation, typing.TypeVar):
        return arguments.get(annotation, annotation)
    parameters = getattr(annotation, "__parameters__", ())
    if not arguments or not parameters or isinstance(annotation, type):
        return annotation
    return annotation[tuple(arguments.get(parameter, parameter) for parameter in parameters)]

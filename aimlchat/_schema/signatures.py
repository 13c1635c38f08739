"""Functions to the schemas of their parameters, and JSON arguments to arguments of a call."""

from __future__ import annotations

import functools
import inspect
import sys
import types
import typing
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import attrs

from .class_fields import MISSING
from .definitions import build_schema
from .docstrings import Docstring, read_docstring
from .errors import DecodeError, SchemaError
from .nodes import AnyNode
from .objects import ObjectNode
from .strict import rewrite_strictly
from .subsets import OPENAI
from .type_nodes import NodeBuilder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .objects import ObjectField
    from .strict import RewrittenSchema
    from .subsets import Subset

__all__ = ["Signature", "read_signature"]


@attrs.frozen(eq=False)
class Signature:
    """The parameters of a function, as JSON has them.

    Attributes:
        description: what the docstring says about the function.
        problem: why the function cannot have a schema; None if it can.
        positional: the names of the positional-only parameters, in their order.
    """

    description: str | None
    problem: SchemaError | None
    positional: tuple[str, ...]
    _node: ObjectNode
    # Made on first use.
    _schema: dict[str, Any] = attrs.field(init=False, factory=dict)
    _strict_forms: dict[Subset, RewrittenSchema | None] = attrs.field(init=False, factory=dict)

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of the arguments, which is shared and not to be changed.

        Raises `SchemaError` for a function without one.
        """
        if self.problem is not None:
            raise SchemaError(self.problem.reason, self.problem.path) from self.problem.__cause__
        if not self._schema:
            self._schema.update(build_schema(self._node))
        return self._schema

    def strict_form(self, subset: Subset = OPENAI) -> RewrittenSchema | None:
        """Return the schema in a subset that vendors enforce; None if that cannot hold it.

        The forms for all subsets differ in keywords only, so any of them can restore arguments.
        """
        if subset not in self._strict_forms:
            try:
                form = rewrite_strictly(self.schema(), subset)
            except SchemaError:
                form = None
            # With a wrapper, the arguments could not be told from those by the plain schema.
            has_wrapper = form is not None and form.wrapper is not None
            self._strict_forms[subset] = None if has_wrapper else form
        return self._strict_forms[subset]

    def decode(self, arguments: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Return the positional arguments and those by keyword, decoded by their types.

        Arguments by the strict form of the schema are accepted as well. Parameters that cannot have
        a schema get the JSON values as they are. Raises `DecodeError`, which lists every problem.
        """
        strict = self.strict_form()
        try:
            plain = dict(arguments) if strict is None else strict.restore(dict(arguments))
            decoded = self._node.decode_arguments(plain)
        except RecursionError as error:
            msg = "the arguments are nested too deeply"
            raise DecodeError(msg) from error
        # A positional-only parameter can be given only if those before it are.
        positional: list[Any] = []
        for name in self.positional:
            if name not in decoded:
                break
            positional.append(decoded.pop(name))
        for name in self.positional[len(positional) :]:
            if name in decoded:
                missing = self.positional[len(positional)]
                msg = f"it is missing, and {name} is given"
                raise DecodeError(msg, missing)
        return positional, decoded


# The signatures that were read: of functions, of methods by their functions, and of objects by
# their classes. A signature does not refer to its function.
_of_functions: WeakKeyDictionary[Any, Signature] = WeakKeyDictionary()
_of_methods: WeakKeyDictionary[Any, Signature] = WeakKeyDictionary()
_of_objects: WeakKeyDictionary[Any, Signature] = WeakKeyDictionary()


def read_signature(function: Callable[..., Any]) -> Signature:
    """Read, once, the parameters of a function, a method, a partial or another callable object."""
    key: Any
    match function:
        case types.FunctionType() | functools.partial():
            known, key = _of_functions, function
        case types.MethodType(__func__=types.FunctionType() as key):
            known = _of_methods
        case _ if _has_signature_of_class(function):
            known, key = _of_objects, type(function)
        case _:
            return _read(function)
    signature = known.get(key)
    if signature is None:
        signature = known[key] = _read(function)
    return signature


def _has_signature_of_class(function: Any) -> bool:
    if inspect.isroutine(function) or isinstance(function, type):
        return False
    is_written = isinstance(getattr(type(function), "__call__", None), types.FunctionType)  # noqa: B004
    return is_written and "__signature__" not in getattr(function, "__dict__", ())


def _read(function: Callable[..., Any]) -> Signature:
    fixed: set[str] = set()  # the model must not see arguments that partials have set
    inner: Any = function
    while isinstance(inner, functools.partial):
        fixed |= inner.keywords.keys()
        inner = inner.func
    docstring = read_docstring(_read_own_docstring(inner))
    try:
        parameters = _inspect_parameters(function)
    except (TypeError, ValueError) as error:
        problem = SchemaError(f"its signature cannot be read: {error}")
        node = ObjectNode((), dict, rest=AnyNode())
        return Signature(docstring.description, problem, (), node)
    reader = _ParameterReader(inner, docstring)
    for parameter in parameters:
        if parameter.name not in fixed:
            reader.read(parameter)
    return Signature(
        docstring.description,
        reader.problem,
        tuple(reader.positional),
        ObjectNode(tuple(reader.fields), dict, rest=reader.rest),
    )


def _read_own_docstring(function: Any) -> str | None:
    """Return the docstring of a function, or of the method that makes an object callable."""
    if inspect.isroutine(function):
        return inspect.getdoc(function)
    # `inspect.getdoc` would return Python's own docstring of any `__call__`.
    own = type(function).__call__.__doc__
    return inspect.cleandoc(own) if own else inspect.getdoc(type(function))


def _inspect_parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    if sys.version_info >= (3, 14):  # the annotation of the result may be for type checkers only
        import annotationlib  # noqa: PLC0415

        lazy = annotationlib.Format.FORWARDREF
        return [*inspect.signature(function, annotation_format=lazy).parameters.values()]
    return [*inspect.signature(function).parameters.values()]


class _ParameterReader:
    """Collects the parameters of one function, and keeps the first problem."""

    def __init__(self, function: Any, docstring: Docstring) -> None:
        function = inspect.unwrap(function)
        if not inspect.isroutine(function):
            function = type(function).__call__
        self._names: dict[str, Any] = getattr(inspect.unwrap(function), "__globals__", {})
        self._local_names = {
            parameter.__name__: parameter for parameter in getattr(function, "__type_params__", ())
        }
        if isinstance(function, types.FunctionType | types.MethodType):
            self._local_names |= inspect.getclosurevars(function).nonlocals
        self._docstring = docstring
        self._builder = NodeBuilder()
        self.fields: list[ObjectField] = []
        self.positional: list[str] = []
        self.rest: AnyNode | Any = None
        self.problem: SchemaError | None = None

    def read(self, parameter: inspect.Parameter) -> None:
        """Add a parameter."""
        name, kind = parameter.name, parameter.kind
        if kind is parameter.VAR_POSITIONAL:
            self._note(SchemaError("it takes any number of values; give it a list instead", name))
            return
        annotation = parameter.annotation
        if kind is parameter.VAR_KEYWORD and annotation is parameter.empty:
            annotation = Any
        required = parameter.default is parameter.empty
        default = MISSING if required else parameter.default
        description = self._docstring.parameters.get(name)
        build = self._builder.build_field
        try:
            annotation = self._resolve(annotation, name)
            field = build(name, name, annotation, default, description, required=required)
        except SchemaError as error:
            self._note(error)
            field = build(name, name, Any, default, description, required=required)
        if kind is parameter.VAR_KEYWORD:
            self.rest = field.node
            return
        if kind is parameter.POSITIONAL_ONLY:
            self.positional.append(name)
        self.fields.append(field)

    def _note(self, problem: SchemaError) -> None:
        if self.problem is None:
            self.problem = problem

    def _resolve(self, annotation: Any, name: str) -> Any:
        """Return the type that an annotation names; each alone, since others may be unknown."""
        if annotation is inspect.Parameter.empty:
            return annotation
        holder: Any = types.SimpleNamespace(__annotations__={name: annotation})
        try:
            hints = typing.get_type_hints(
                holder, self._names, self._local_names, include_extras=True
            )
        except Exception as error:  # an annotation may be any expression
            msg = (
                f"its annotation, {str(annotation)!r}, cannot be resolved ({error}); define the"
                " type in the module of the function, and not only for type checkers"
            )
            raise SchemaError(msg, name) from error
        return hints[name]

"""Tools, and the calls of them that a model requests."""

from __future__ import annotations

import copy
import functools
import json
import re
from typing import TYPE_CHECKING, Any, Self, TypedDict, Unpack

import attrs

from .errors import ConfigurationError, InvalidRequestError, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["TOOL_NAME", "Tool", "ToolCall", "render_tool_call"]

# The names that the API accepts, as a regular expression. Not compiled, since `re` makes an import
# slower.
TOOL_NAME = "[A-Za-z0-9_-]{1,64}"
_MAX_QUOTED = 60


class _ToolChanges(TypedDict, total=False):
    name: str
    description: str | None
    parameters: Mapping[str, Any] | None
    strict: bool | None
    timeout: float | None
    sequential: bool


@attrs.frozen
class Tool:
    """A function that the model may call.

    A field that is None is not sent. The fields are checked when a request builds its payload.

    Attributes:
        name: 1 to 64 of ``A-Z a-z 0-9 _ -``, unique within a request.
        description: what the function does and when to call it, for the model.
        parameters: the JSON schema of the arguments, of type ``object``; None for a function
            without arguments.
        strict: whether the model must follow the schema; True only in the openai dialect. With
            None, the schema that `from_function` made is sent in its strict form there, if it has
            one.
        function: what `ChatSession.run` calls, a plain function or a coroutine function; None for a
            tool that your own code, or a page, executes. It is never sent.
        timeout: the seconds that one call of the function may take in a run; None for no limit.
        sequential: whether, in a run, no other call may run beside a call of this tool.
    """

    name: str
    description: str | None = attrs.field(default=None, kw_only=True)
    parameters: Mapping[str, Any] | None = attrs.field(default=None, kw_only=True)
    strict: bool | None = attrs.field(default=None, kw_only=True)
    function: Callable[..., Any] | None = attrs.field(default=None, kw_only=True)
    timeout: float | None = attrs.field(default=None, kw_only=True)
    sequential: bool = attrs.field(default=False, kw_only=True)

    @classmethod
    def from_function(cls, function: Callable[..., Any], **changes: Unpack[_ToolChanges]) -> Self:
        """Return a function as a tool, with its name, its docstring and its parameters.

        The parameters are annotated with builtin types, ``Literal``, ``Enum``, dates, ``Decimal``,
        ``UUID``, dataclasses, attrs classes, msgspec structs, ``TypedDict``, ``NamedTuple`` or
        pydantic models, with unions and collections of them; ``Annotated`` adds limits
        (`msgspec.Meta`) and descriptions. A default makes a parameter optional. Descriptions of
        parameters are read from docstrings in the style of Google, NumPy or reST if
        docstring-parser is installed (the extra ``tools``); without it, the first paragraph is the
        description of the tool.

        Args:
            function: a function, a coroutine function, a method, a `functools.partial`, or another
                object that can be called.
            **changes: fields of the tool that replace what was found: ``name``, ``description``,
                ``parameters``, ``strict``, ``timeout``, ``sequential``.

        Raises:
            InvalidRequestError: a parameter cannot be described, the API would refuse the name, or
                the function is a class or a generator. ``field`` is ``parameters.<name>``,
                ``parameters``, ``name`` or ``function``.
        """
        from ._schema.errors import SchemaError  # noqa: PLC0415 - few programs need it
        from ._schema.functions import check_function, find_name  # noqa: PLC0415
        from ._schema.signatures import read_signature  # noqa: PLC0415

        try:
            check_function(function)
        except SchemaError as error:
            raise InvalidRequestError(error.reason, field="function") from error.__cause__
        name = changes.setdefault("name", find_name(function))
        if not isinstance(name, str) or not re.fullmatch(TOOL_NAME, name):
            msg = (
                f"{str(name)[:_MAX_QUOTED]!r} is not a name that the API takes; give another one of"
                " 1 to 64 of A-Z a-z 0-9 _ -, as in Tool.from_function(f, name='search')"
            )
            raise InvalidRequestError(msg, field="name")
        signature = read_signature(function)
        if "parameters" not in changes:
            try:
                changes["parameters"] = copy.deepcopy(signature.schema())
            except SchemaError as error:
                path = f"parameters.{error.path}" if error.path else "parameters"
                msg = f"{name}() cannot be described to a model: {error.reason}"
                raise InvalidRequestError(msg, field=path) from error.__cause__
        changes.setdefault("description", signature.description)
        return cls(function=function, **changes)

    def bind(self, call: ToolCall) -> Callable[[], Any]:
        """Return the function with the arguments of a call bound to it, to be called without any.

        The arguments are checked, and decoded by the types of the function's parameters. That is
        needed even for types of JSON: in the strict form of a schema, a null stands for an argument
        that is left out. `ChatSession.run` does the same.

        Args:
            call: a call of this tool, from a completion.

        Raises:
            ProtocolError: the arguments are not a JSON object, or do not fit the parameters; the
                message lists every problem, and is meant for the model.
            ConfigurationError: the tool has no function.
        """
        from ._schema.errors import DecodeError  # noqa: PLC0415 - as above
        from ._schema.signatures import read_signature  # noqa: PLC0415

        if self.function is None:
            msg = f"the tool {self.name!r} has no function; give it one, as in Tool(function=f)"
            raise ConfigurationError(msg)
        try:
            positional, named = read_signature(self.function).decode(call.arguments)
        except DecodeError as error:
            msg = f"the arguments of tool call {call.name[:_MAX_QUOTED]!r} do not fit: {error}"
            raise ProtocolError(msg) from error
        return functools.partial(self.function, *positional, **named)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # A copy of a method would belong to a copy of its object.
        return attrs.evolve(self, parameters=copy.deepcopy(self.parameters, memo))


@attrs.frozen
class ToolCall:
    """A call that the model requests, of a function or of a custom tool.

    Attributes:
        id: what the result has to name to refer to the call; never empty in a completion.
        name: the name of the function, or of the custom tool.
        raw_arguments: the arguments as text, as received; it should be a JSON object. For a custom
            tool it is the input, which is free text.
        complete: False if the call was cut: its stream ended too early, or the model was stopped
            (``length``, ``content_filter``) before the arguments were whole. Do not act on such a
            call.
        type: ``function``, ``custom``, or the server's own word.
        extra: the keys of the call that have no field here, as the server sent them, such as
            ``extra_content`` with Gemini's ``thought_signature``; those inside ``function`` are in
            ``extra["function"]``. They are sent back in the openai dialect.
    """

    id: str
    name: str
    raw_arguments: str = ""
    complete: bool = True
    type: str = attrs.field(default="function", kw_only=True)
    extra: Mapping[str, Any] = attrs.field(factory=dict, kw_only=True, hash=False)

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments, parsed at each access; ``{}`` if the text is blank or ``null``.

        Control characters in strings, such as a raw line break, are allowed. An object that is
        encoded twice, as a JSON string, is decoded twice.

        Raises:
            ProtocolError: the call is not complete, it is a call of a custom tool, or its text is
                not a JSON object.
        """
        name = repr(self.name[:_MAX_QUOTED])
        if not self.complete:
            msg = f"tool call {name} was cut off; see .raw_arguments"
            raise ProtocolError(msg)
        if self.type == "custom":
            msg = f"tool call {name} is of a custom tool: its input is .raw_arguments"
            raise ProtocolError(msg)
        try:
            arguments = json.loads(self.raw_arguments.strip() or "{}", strict=False)
            if isinstance(arguments, str) and arguments.lstrip().startswith("{"):
                arguments = json.loads(arguments, strict=False)
        except (ValueError, RecursionError) as error:
            msg = f"the arguments of tool call {name} are not JSON: {error}"
            raise ProtocolError(msg) from error
        if arguments is None:
            return {}
        if not isinstance(arguments, dict):
            msg = f"the arguments of tool call {name} are not a JSON object"
            raise ProtocolError(msg)
        return arguments


def render_tool_call(call: ToolCall) -> dict[str, Any]:
    """Return a tool call in OpenAI's format, as an assistant message has it."""
    if call.type == "custom":
        key, inner = "custom", {"name": call.name, "input": call.raw_arguments}
    else:
        arguments = call.raw_arguments if call.raw_arguments.strip() else "{}"
        key, inner = "function", {"name": call.name, "arguments": arguments}
    extra = dict(call.extra)
    inner_extra = extra.pop(key, None)
    if isinstance(inner_extra, dict):
        inner = inner_extra | inner
    return extra | {"id": call.id, "type": call.type, key: inner}

"""The options ``output_type`` and ``output_retries`` of a call, checked before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from aimlchat._payload.json_values import describe, refuse
from aimlchat._schema.errors import SchemaError, join_path
from aimlchat._schema.output_types import read_output_type
from aimlchat.errors import InvalidRequestError

if TYPE_CHECKING:
    from aimlchat._schema.output_types import OutputType

__all__ = ["check_output", "refuse_retries"]

_FIELD = "output_type"


def check_output(output_type: Any, output_retries: Any) -> OutputType | None:
    """Return what is needed for typed answers; None for answers that are texts.

    Raises `InvalidRequestError`, with the path of the field that JSON schema cannot describe.
    """
    is_count = isinstance(output_retries, int) and not isinstance(output_retries, bool)
    if not is_count or output_retries < 0:
        msg = f"{describe(output_retries)} is not a number of attempts; give 0 or more"
        refuse(msg, "output_retries")
    if output_type is None:
        if output_retries:
            refuse("it requires an output_type; leave it out", "output_retries")
        return None
    try:
        return read_output_type(output_type)
    except SchemaError as error:
        field = join_path(_FIELD, error.path)
        raise InvalidRequestError(error.reason, field=field) from error.__cause__


def refuse_retries(method: str) -> NoReturn:
    """Raise the `TypeError` for a stream with ``output_retries``."""
    msg = (
        f"{method}() cannot request an answer again, since its deltas have been yielded by then;"
        " leave out output_retries, or use complete()"
    )
    raise TypeError(msg)

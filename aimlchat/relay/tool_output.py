"""Results of tools in the AI SDK's form, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aimlchat.content import Text

if TYPE_CHECKING:
    from aimlchat.content import Audio, Document, Image
    from aimlchat.run_events import ToolResult

__all__ = ["are_parts", "render_error", "render_output"]

_KEYS = {"text": frozenset(("text",)), "file": frozenset(("mediaType", "url", "filename"))}


def render_output(result: ToolResult) -> Any:
    """Return the output of a call that succeeded: any JSON value.

    A text that is a JSON object or a list is sent as such, so that the code of the page can use
    its fields. Texts and files have the form of the parts of a message, for the page to show them
    in the same way.
    """
    content = result.content
    if not isinstance(content, str):
        return [_render_part(part) for part in content]
    if not content.lstrip().startswith(("{", "[")):
        return content
    try:
        return json.loads(content, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return content


def render_error(result: ToolResult) -> str:
    """Return the text of a call that failed."""
    output = render_output(result)
    return output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)


def are_parts(output: list[Any]) -> bool:
    """Return whether an output consists of texts and files, as `render_output` renders them.

    The JSON of a tool may have the same types, such as the entries of a folder.
    """
    return bool(output) and all(map(_is_part, output))


def _is_part(item: Any) -> bool:
    if not isinstance(item, Mapping):
        return False
    fields = {key: value for key, value in item.items() if key != "type"}
    known = _KEYS.get(str(item.get("type")), frozenset())
    has_all = fields.keys() >= known - {"filename"}
    is_text = all(isinstance(value, str) for value in fields.values())
    return bool(known) and fields.keys() <= known and has_all and is_text


def _render_part(part: Text | Image | Document | Audio) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    rendered = {
        "type": "file",
        "mediaType": part.media_type or "image/*",  # of remote data, which only images can be
        "url": part.url or part.data_uri(),
    }
    return rendered | ({"filename": part.filename} if part.filename else {})


def _refuse_constant(name: str) -> None:
    """Refuse NaN and the infinities, which JSON in a browser cannot hold."""
    raise ValueError(name)

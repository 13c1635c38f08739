"""The tools of a server that speaks the Model Context Protocol, as tools of a request."""

from __future__ import annotations

import inspect
import json
import re
import typing
from typing import TYPE_CHECKING, Any

from .content import Audio, Document, Image, Text, decode_base64, detect_media_type
from .errors import AIMLChatError, InvalidRequestError, ProtocolError
from .tool_types import TOOL_NAME, Tool

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ToolError", "tools_of"]

_Part = Text | Image | Document | Audio
_MAX_NAME = 64
_KINDS: dict[str, type[Image | Document | Audio]] = {"image": Image, "audio": Audio}


class ToolError(AIMLChatError):
    """A tool reported that it failed; the message is the server's.

    `ChatSession.run` turns it into an error result, which the model reads.
    """


async def tools_of(client_session: Any) -> list[Tool]:
    """Return all tools of a server, each with a function that calls it.

    Name, description and schema are those of the server. In a name that the API would refuse, other
    characters become ``_``, and the name is cut after 64 characters. Texts, images, audio and PDFs
    of a result become parts; a link, and a file of any other kind, becomes a text with its address.
    If a result has no content, its structured content is used. The server checks the arguments. A
    call may take as long as the session allows, and can be cancelled.

    Args:
        client_session: an initialized ``ClientSession`` or ``Client`` of the package ``mcp``,
            version 1 or 2. It is never closed here, and has to be open while the tools are called.

    Raises:
        ProtocolError: the server sends the same page of tools again.
        InvalidRequestError: ``client_session`` is not a session.
    """
    if not callable(getattr(client_session, "list_tools", None)):
        kind = type(client_session).__name__
        msg = f"an object of type {kind} is not a session of MCP; give an mcp.ClientSession"
        raise InvalidRequestError(msg, field="client_session")
    listed = await _list_tools(client_session)
    taken = {tool.name for tool in listed if re.fullmatch(TOOL_NAME, tool.name)}
    return [
        Tool(
            _make_name(tool.name, taken),
            description=tool.description or getattr(tool, "title", None),
            parameters=_read(tool, "input_schema", "inputSchema"),
            function=_build_function(client_session, tool.name),
        )
        for tool in listed
    ]


async def _list_tools(client_session: Any) -> list[Any]:
    page = await client_session.list_tools()
    listed, cursors = [*page.tools], set()
    while cursor := _read(page, "next_cursor", "nextCursor"):
        if cursor in cursors:
            msg = f"the server of the tools sends the page {cursor[:60]!r} a second time"
            raise ProtocolError(msg)
        cursors.add(cursor)
        page = await client_session.list_tools(**_build_cursor(client_session.list_tools, cursor))
        listed += page.tools
    return listed


def _build_cursor(list_tools: Callable[..., Any], cursor: str) -> dict[str, Any]:
    """Return the arguments that request a page; a session of version 2 takes them in an object."""
    if "cursor" in inspect.signature(list_tools).parameters:
        return {"cursor": cursor}
    kind = typing.get_args(typing.get_type_hints(list_tools)["params"])[0]
    return {"params": kind(cursor=cursor)}


def _make_name(name: str, taken: set[str]) -> str:
    if re.fullmatch(TOOL_NAME, name):
        return name
    base = re.sub(r"[^A-Za-z0-9_-]", "_", name) or "tool"
    found, number = base[:_MAX_NAME], 1
    while found in taken:
        number += 1
        found = f"{base[: _MAX_NAME - len(str(number)) - 1]}_{number}"
    taken.add(found)
    return found


def _build_function(client_session: Any, name: str) -> Callable[..., Any]:
    async def call(**arguments: Any) -> Any:
        result = await client_session.call_tool(name, arguments)
        parts = [_build_part(block) for block in result.content]
        if _read(result, "is_error", "isError"):
            texts = [part.text for part in parts if isinstance(part, Text)]
            raise ToolError("\n".join(texts) or "the tool has failed and does not say why")
        return parts or _read(result, "structured_content", "structuredContent")

    return call


def _build_part(block: Any) -> _Part:
    """Return a block of a result as a part, or as a text that says what it is."""
    match block.type:
        case "text":
            return Text(block.text)
        case "image" | "audio":
            return _build_file(block, block.data) or Text(f"({block.type} of an unknown format)")
        case "resource" if hasattr(block.resource, "text"):
            return Text(block.resource.text)
        case "resource":
            file = _build_file(block.resource, block.resource.blob)
            return file or Text(f"(a file: {block.resource.uri})")
        case "resource_link":
            words = (block.name, block.description, str(block.uri))
            return Text(": ".join(word for word in words if word))
    return Text(json.dumps(block.model_dump(mode="json", exclude_none=True), ensure_ascii=False))


def _build_file(holder: Any, encoded: str) -> Image | Document | Audio | None:
    """Return a file as the part that its bytes or its type indicate; None for any other."""
    try:
        data = decode_base64(encoded, "data")
        media_type = detect_media_type(data) or _read(holder, "mime_type", "mimeType") or ""
        kind = _KINDS.get(media_type.partition("/")[0], Document)
        return kind.from_bytes(data, media_type or None)
    except InvalidRequestError:  # broken, empty, or in a format that no model accepts
        return None


def _read(holder: Any, name: str, old_name: str) -> Any:
    """Return an attribute by its name in version 2 of the package, or in version 1."""
    return getattr(holder, name, getattr(holder, old_name, None))

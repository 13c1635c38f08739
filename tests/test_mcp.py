"""Tools of a server of the Model Context Protocol, through the real package's client and server."""

import base64
import types
from contextlib import asynccontextmanager

import mcp_types
import pytest
from mcp import Client
from mcp.server import Server
from mcp.server.mcpserver import MCPServer

from aimlchat import (
    Audio,
    ChatRequest,
    ChatSession,
    Document,
    Image,
    InvalidRequestError,
    ProtocolError,
    Text,
    ToolResult,
)
from aimlchat.emulator import Emulator
from aimlchat.mcp import ToolError, tools_of

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 16
WAV = b"RIFF\0\0\0\0WAVEfmt "
PDF = b"%PDF-1.7 x"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def encode(data):
    return base64.b64encode(data).decode()


def text(words):
    return mcp_types.TextContent(text=words, type="text")


def resource(contents):
    return mcp_types.EmbeddedResource(type="resource", resource=contents)


def blob(data, media_type):
    return resource(
        mcp_types.BlobResourceContents(uri="file:///a", blob=encode(data), mime_type=media_type)
    )


def tool(name, **fields):
    return mcp_types.Tool(name=name, input_schema=SCHEMA, **fields)


@asynccontextmanager
async def connect(*pages, result=None, next_cursor=None):
    """Yield the tools' session of a server with pages of tools, and the calls that it gets."""
    calls = []

    async def list_tools(_, params):
        index = int(params.cursor) if params is not None and params.cursor else 0
        after = str(index + 1) if index + 1 < len(pages) else next_cursor
        return mcp_types.ListToolsResult(tools=pages[index], next_cursor=after)

    async def call_tool(_, params):
        calls.append((params.name, params.arguments))
        return result

    server = Server("s", on_list_tools=list_tools, on_call_tool=call_tool)
    async with Client(server) as client:
        yield client, calls


async def call_one(*blocks, **fields):
    result = mcp_types.CallToolResult(content=[*blocks], **fields)
    async with connect([tool("f")], result=result) as (client, _):
        (found,) = await tools_of(client)
        return await found.function(city="Ulm")


async def test_a_tool_has_the_name_the_words_and_the_schema_of_the_server():
    async with connect([tool("a", description="Does it."), tool("b", title="B")]) as (client, _):
        first, second = await tools_of(client)

    assert (first.name, first.description, first.parameters) == ("a", "Does it.", SCHEMA)
    assert second.description == "B"
    for model in ("gpt-4o", "claude-sonnet-4-5"):
        (sent,) = ChatRequest(model, tools=[first]).user("Hi").payload()["tools"]
        assert sent.get("function", sent).get("strict") is None
        assert SCHEMA in sent.get("function", sent).values()


@pytest.mark.parametrize("kind", ["Client", "ClientSession"])
async def test_all_pages_are_read(kind):
    async with connect([tool("a")], [tool("b"), tool("c")], [tool("d")]) as (client, _):
        found = await tools_of(client if kind == "Client" else client.session)

    assert [tool.name for tool in found] == ["a", "b", "c", "d"]


async def test_a_server_that_repeats_a_page_is_refused():
    async with connect([tool("a")], [tool("b")], next_cursor="1") as (client, _):
        with pytest.raises(ProtocolError, match="'1' a second time"):
            await tools_of(client)


async def test_names_that_the_api_refuses_are_changed_and_stay_unique():
    names = ["a.b", "a/b", "a_b", "x" * 70, "x" * 71, "x" * 64]
    result = mcp_types.CallToolResult(content=[])
    async with connect([tool(name) for name in names], result=result) as (client, calls):
        found = await tools_of(client)
        for each in found:
            await each.function()

    assert [tool.name for tool in found] == [
        "a_b_2",
        "a_b_3",
        "a_b",
        f"{'x' * 62}_2",
        f"{'x' * 62}_3",
        "x" * 64,
    ]
    assert [name for name, _ in calls] == names
    assert ChatRequest(tools=found).user("Hi").payload()["tools"]


async def test_arguments_go_to_the_server_as_they_are():
    arguments = {"self": 1, "name": None, "client_session": {"a": [True]}, "é x": "y"}
    result = mcp_types.CallToolResult(content=[text("ok")])
    async with connect([tool("f")], result=result) as (client, calls):
        (found,) = await tools_of(client)
        assert await found.function(**arguments) == [Text("ok")]

    assert calls == [("f", arguments)]


@pytest.mark.parametrize(
    ("block", "part"),
    [
        (text("It rains."), Text("It rains.")),
        (
            mcp_types.ImageContent(type="image", data=encode(PNG), mime_type="image/webp"),
            Image.from_bytes(PNG),
        ),
        (
            mcp_types.AudioContent(type="audio", data=encode(WAV), mime_type="audio/wav"),
            Audio.from_bytes(WAV),
        ),
        (blob(PDF, None), Document.from_bytes(PDF)),
        (blob(PNG, "image/png"), Image.from_bytes(PNG)),
        (blob(b"\0\1", "application/x-thing"), Text("(a file: file:///a)")),
        (
            mcp_types.ImageContent(type="image", data="!", mime_type="image/png"),
            Text("(image of an unknown format)"),
        ),
        (
            resource(mcp_types.TextResourceContents(uri="file:///a", text="Notes")),
            Text("Notes"),
        ),
        (
            mcp_types.ResourceLink(
                type="resource_link", name="Map", uri="https://example.com/a", description="Of Ulm"
            ),
            Text("Map: Of Ulm: https://example.com/a"),
        ),
    ],
)
async def test_each_kind_of_content_becomes_a_part(block, part):
    assert await call_one(block) == [part]


async def test_a_result_without_content_is_its_structured_content():
    assert await call_one(structured_content={"sun": True}) == {"sun": True}
    assert await call_one(text("sun"), structured_content={"sun": True}) == [Text("sun")]
    assert await call_one() is None


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([text("There is no such"), text("city.")], "There is no such city."),
        ([], "the tool has failed and does not say why"),
    ],
)
async def test_a_failure_is_an_error_with_the_words_of_the_server(blocks, message):
    result = mcp_types.CallToolResult(content=blocks, is_error=True)
    async with connect([tool("f")], result=result) as (client, _):
        (found,) = await tools_of(client)
        with pytest.raises(ToolError) as caught:
            await found.function()

    assert str(caught.value) == message


async def test_functions_of_a_server_are_called_with_their_arguments():
    server = MCPServer("s")

    @server.tool()
    def add(a: int, b: int = 2) -> int:
        """Add two numbers."""
        return a + b

    async with Client(server) as client:
        (found,) = await tools_of(client)
        assert found.description == "Add two numbers."
        assert await found.function(a=1) == [Text("3")]
        with pytest.raises(ToolError, match="validation error"):
            await found.function(a="x")


async def test_a_run_calls_the_tools_of_a_server():
    image = mcp_types.ImageContent(type="image", data=encode(PNG), mime_type="image/png")
    result = mcp_types.CallToolResult(content=[text("Ulm"), image])
    async with (
        connect([tool("maps.show")], result=result) as (client, calls),
        Emulator() as emulator,
        ChatSession("k", base_url=emulator.base_url) as session,
    ):
        emulator.reply(tool_calls=[("maps_show", {"city": "Ulm"})])
        run = session.run("Hi", tools=await tools_of(client), model="claude-sonnet-4-5")
        events = [event async for event in run]

    (shown,) = (event for event in events if isinstance(event, ToolResult))
    assert (shown.content, shown.is_error) == ((Text("Ulm"), Image.from_bytes(PNG)), False)
    assert calls == [("maps.show", {"city": "Ulm"})]


async def test_version_1_of_the_package_has_other_names():
    """Its sessions take a cursor, and its fields are in camel case."""

    class Session:
        async def list_tools(self, cursor=None):
            listed = types.SimpleNamespace(name=f"f{cursor}", description="", inputSchema=SCHEMA)
            return types.SimpleNamespace(tools=[listed], nextCursor=None if cursor else "2")

        async def call_tool(self, name, _):
            return types.SimpleNamespace(content=[], isError=name == "f2", structuredContent=5)

    first, second = await tools_of(Session())

    assert (first.name, second.name, second.parameters) == ("fNone", "f2", SCHEMA)
    assert await first.function() == 5
    with pytest.raises(ToolError):
        await second.function()


@pytest.mark.parametrize("session", [None, "stdio", object()])
async def test_what_is_no_session_is_refused(session):
    with pytest.raises(InvalidRequestError, match=r"not a session of MCP; give an mcp\.Client"):
        await tools_of(session)

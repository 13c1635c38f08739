"""Which tools a generated answer calls: those that the prompt names, or what they do."""

import json

import pytest

GPT = "openai/gpt-4o"


def tool(name, description="", *parameters):
    properties = {parameter: {"type": "string"} for parameter in parameters}
    schema = {"type": "object", "properties": properties, "required": list(parameters)}
    function = {"name": name, "description": description, "parameters": schema}
    return {"type": "function", "function": function}


WEATHER = tool("get_weather", "The weather of a city", "city")


@pytest.mark.parametrize(
    ("prompt", "offered"),
    [
        ("Use get_weather for Oslo", WEATHER),
        ("What is the weather in Oslo?", WEATHER),
        ("Do I need an umbrella in Ulm?", WEATHER),
        ("Where is my order 4711?", tool("lookup_order", "", "number")),
        ("List the invoices of May", tool("f", "Finds an invoice by its month.", "month")),
        ("What is 2 plus 3?", tool("add", "Adds two numbers", "a", "b")),
    ],
)
async def test_a_tool_is_called_if_the_prompt_names_what_it_does(client, prompt, offered):
    message = (await client.ask(prompt, model=GPT, tools=[offered])).message
    names = [call["function"]["name"] for call in message.get("tool_calls") or ()]
    assert names == [offered["function"]["name"]]


@pytest.mark.parametrize(
    ("prompt", "offered"),
    [
        ("Why is the sky blue?", WEATHER),
        ("Which city is the capital of France?", WEATHER),
        ("What do I get for it?", WEATHER),
        ("Tell me about whales", tool("find_user", "Finds a user. Whales are not users.", "id")),
    ],
)
async def test_no_tool_is_called_for_its_parameters_or_for_common_words(client, prompt, offered):
    message = (await client.ask(prompt, model=GPT, tools=[offered])).message
    assert not message.get("tool_calls")


async def test_the_name_of_a_place_is_the_argument(client):
    prompt = "Do I need an umbrella in Ulm?"
    message = (await client.ask(prompt, model=GPT, tools=[WEATHER])).message
    assert json.loads(message["tool_calls"][0]["function"]["arguments"]) == {"city": "Ulm"}

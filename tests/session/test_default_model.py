"""The model of requests that name none."""

import pytest

from aimlchat import ChatRequest, ChatSession

SEED = "anthropic/claude-3.7-sonnet"


@pytest.fixture
def named(monkeypatch):
    monkeypatch.setenv("AIMLAPI_MODEL", "openai/gpt-4o")


async def test_the_environment_names_the_model_of_all_requests_that_name_none(named, emulator):
    async with ChatSession("k", base_url=emulator.base_url) as session:
        assert session.model == "openai/gpt-4o"
        await session.complete("Hi")
        await session.complete(ChatRequest().user("Hi"))
        await session.stream([{"role": "user", "content": "Hi"}]).collect()
        async for outcome in session.complete_many(["Hi"]):
            outcome.unwrap()

    assert [request.body["model"] for request in emulator.requests] == ["openai/gpt-4o"] * 4


def test_a_request_without_a_session_has_it_too(named):
    assert ChatRequest().user("Hi").payload()["model"] == "openai/gpt-4o"


def test_it_decides_about_the_dialect(monkeypatch):
    monkeypatch.setenv("AIMLAPI_MODEL", "claude-sonnet-4.5")

    assert ChatRequest(system="S").user("Hi").payload()["system"] == "S"


async def test_the_argument_and_the_request_win(named, emulator):
    async with ChatSession("k", base_url=emulator.base_url, model="openai/o3") as session:
        assert session.model == "openai/o3"
        await session.complete("Hi")
        await session.complete("Hi", model="minimax/minimax-m3")

    assert [request.body["model"] for request in emulator.requests] == [
        "openai/o3",
        "minimax/minimax-m3",
    ]


@pytest.mark.parametrize("blank", ["", " ", "\n"])
def test_a_blank_variable_is_as_good_as_none(monkeypatch, blank):
    monkeypatch.setenv("AIMLAPI_MODEL", blank)

    assert ChatSession("k").model == SEED
    assert ChatRequest().user("Hi").payload()["model"] == SEED


def test_white_space_around_the_name_is_ignored(monkeypatch):
    monkeypatch.setenv("AIMLAPI_MODEL", " openai/gpt-4o\n")

    assert ChatSession("k").model == "openai/gpt-4o"

"""The commands of a conversation on a terminal."""

import json

import pytest

from aimlchat.cli.chat_commands import Conversation, Quit, run_command, split_command
from aimlchat.cli.errors import CommandInputError
from aimlchat.request import ChatRequest

GPT, CLAUDE = "openai/gpt-4o", "anthropic/claude-3.7-sonnet"


@pytest.fixture
def conversation():
    request = ChatRequest(GPT, system="Be brief.").user("Why?").assistant("So.\né")
    return Conversation(request, "Be brief.")


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("/help", ("help", "")),
        ("/MODEL a/b ", ("model", "a/b")),
        ("/system one\ntwo", ("system", "one\ntwo")),
        ("//help", None),
        ("/etc/hosts is what?", None),
        ("/", None),
        ("help", None),
    ],
)
def test_a_command_is_a_slash_and_letters(line, command):
    assert split_command(line) == command


def test_an_unknown_command_is_told_with_the_nearest_one(conversation):
    with pytest.raises(CommandInputError, match="/modl; did you mean /model") as raised:
        run_command("modl", "", conversation)
    assert "//modl" in raised.value.advice
    with pytest.raises(CommandInputError, match="/help lists"):
        run_command("zzz", "", conversation)


def test_help_lists_every_command_and_the_keys(conversation, capsys):
    run_command("help", "", conversation)
    shown = capsys.readouterr().err
    for text in (
        "/help",
        "/model",
        "/system",
        "/save",
        "/clear",
        "/new",
        "/quit",
        "Alt-Enter",
        "//",
    ):
        assert text in shown


def test_the_model_is_shown_and_changed_and_the_turns_stay(conversation, capsys):
    run_command("model", "", conversation)
    run_command("model", CLAUDE, conversation)
    assert capsys.readouterr().err == f"The model is {GPT}.\nThe model is {CLAUDE}.\n"
    assert conversation.request.model == CLAUDE
    assert len(conversation.request.messages) == 2


def test_a_model_that_does_not_take_the_options_is_refused(conversation):
    conversation.request = ChatRequest(CLAUDE, thinking=2048)
    with pytest.raises(CommandInputError, match="thinking"):
        run_command("model", GPT, conversation)
    assert conversation.request.model == CLAUDE


def test_the_system_prompt_is_shown_changed_and_removed(conversation, capsys):
    run_command("system", "", conversation)
    run_command("system", "Be kind.", conversation)
    assert conversation.request.payload()["messages"][0]["content"] == "Be kind."
    run_command("system", "-", conversation)
    assert [m["role"] for m in conversation.request.payload()["messages"]] == ["user", "assistant"]
    assert capsys.readouterr().err == (
        "The system prompt is: Be brief.\n"
        "The system prompt is: Be kind.\n"
        "There is no system prompt.\n"
    )


@pytest.mark.parametrize("name", ["clear", "new"])
def test_clear_forgets_the_turns_and_keeps_model_and_system_prompt(conversation, name):
    run_command(name, "", conversation)
    assert conversation.request == ChatRequest(GPT, system="Be brief.")


@pytest.mark.parametrize("name", ["quit", "exit"])
def test_quit_ends(conversation, name):
    with pytest.raises(Quit):
        run_command(name, "", conversation)


def test_a_conversation_is_saved_as_markdown(conversation, tmp_path):
    conversation.system = "Be brief\ud83d."
    run_command("save", str(tmp_path / "my talk.md"), conversation)
    assert (tmp_path / "my talk.md").read_text(encoding="utf-8") == (
        f"# Conversation with {GPT}\n\n## System\n\nBe brief\\ud83d.\n\n## You\n\nWhy?\n\n"
        "## Assistant\n\nSo.\né\n"
    )


def test_a_conversation_is_saved_as_json(conversation, tmp_path):
    run_command("save", str(tmp_path / "talk.json"), conversation)
    assert json.loads((tmp_path / "talk.json").read_bytes()) == {
        "model": GPT,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Why?"},
            {"role": "assistant", "content": "So.\né"},
        ],
    }


def test_a_file_is_overwritten_only_if_that_is_asked_for(conversation, tmp_path):
    path = tmp_path / "talk.md"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(CommandInputError, match="exists") as raised:
        run_command("save", str(path), conversation)
    assert f"/save --overwrite {path}" in raised.value.advice
    assert path.read_text(encoding="utf-8") == "mine"
    run_command("save", f"--overwrite {path}", conversation)
    assert path.read_text(encoding="utf-8").startswith("# Conversation")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "ends in .md or .json"),
        ("talk.txt", "ends in .md or .json"),
        ("no/such/folder.md", "No such file or directory"),
        ("a\0b.md", "null byte"),
    ],
)
def test_a_file_that_cannot_be_saved_is_an_error(
    conversation, tmp_path, monkeypatch, name, message
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CommandInputError, match=message):
        run_command("save", name, conversation)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_conversation_is_not_saved(conversation, tmp_path):
    conversation.clear()
    with pytest.raises(CommandInputError, match="nothing to save"):
        run_command("save", str(tmp_path / "talk.md"), conversation)

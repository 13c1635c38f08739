"""Typing questions: keys, several lines, and the history."""

import io
import stat

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from aimlchat.cli import line_editor
from aimlchat.cli.line_editor import LineEditor, PromptInterruptedError


@pytest.fixture(autouse=True)
def _state(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(line_editor, "create_output", lambda **_: DummyOutput())


async def read(*questions, has_history=False):
    """Type keys for one question after the other; return what the editor reads."""
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        editor = LineEditor(has_history=has_history)
        answers = []
        for question in questions:
            keys.send_text(question)
            answers.append(await editor.read())
        return answers


@pytest.mark.parametrize(
    ("keys", "question"),
    [
        ("Why?\r", "Why?"),
        ("Why?\n", "Why?"),
        ("one\x1b\rtwo\r", "one\ntwo"),
        ("one\\\rtwo\r", "one\ntwo"),
        ("\x1b[200~one\r\ntwo\nthree\x1b[201~\r", "one\ntwo\nthree"),
        ("wrong\x03right\r", "right"),
        ("ab\x1b[D\x7fc\r", "cb"),
        ("青空\r", "青空"),
    ],
)
async def test_keys_and_pastes(keys, question):
    assert await read(keys) == [question]


@pytest.mark.parametrize(("key", "error"), [("\x03", PromptInterruptedError), ("\x04", EOFError)])
async def test_at_an_empty_prompt_ctrl_c_and_ctrl_d_end(key, error):
    with pytest.raises(error):
        await read(key)


async def test_the_history_is_kept_in_a_file_that_only_the_user_can_read(tmp_path):
    await read("one\r", "two\x1b\rlines\r", has_history=True)
    path = tmp_path / "aimlchat" / "chat_history"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert await read("\x10\r", has_history=True) == ["two\nlines"]  # Ctrl-P: the previous one


async def test_without_history_nothing_is_written_but_earlier_questions_come_back(tmp_path):
    assert await read("one\r", "\x10\r") == ["one", "one"]
    assert list(tmp_path.iterdir()) == []


async def test_a_history_that_cannot_be_written_is_told_and_does_not_end_the_conversation(
    monkeypatch, tmp_path, capsys
):
    (tmp_path / "aimlchat").write_text("a file", encoding="utf-8")
    assert await read("one\r", "two\r", has_history=True) == ["one", "two"]
    assert capsys.readouterr().err.count("are not kept") == 1
    (tmp_path / "aimlchat").unlink()

    def fail(*_):
        raise OSError(28, "no space")

    monkeypatch.setattr(line_editor.FileHistory, "store_string", fail)
    assert await read("one\r", "two\r", has_history=True) == ["one", "two"]
    assert capsys.readouterr().err.count("No space left on device") == 1


def test_the_position_of_the_cursor_is_not_asked_for(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr("sys.stderr", io.StringIO())
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr.fileno", lambda: 0, raising=False)
    assert not line_editor._open_output().responds_to_cpr

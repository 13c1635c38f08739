"""The files and URLs that ``aimlchat ask --attach`` sends with the prompt."""

import os

import pytest

GPT = "openai/gpt-4o"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 16
FILES = {
    "picture.txt": PNG,
    "paper.dat": b"%PDF-1.7 x",
    "voice": b"RIFF\0\0\0\0WAVEfmt ",
    "notes.md": b"\xef\xbb\xbfBuy milk.",
}


async def content_of(ask, emulator, *paths):
    """Return the parts of the message with these attachments."""
    options = [word for path in paths for word in ("--attach", str(path))]
    result = await ask("--model", GPT, *options, "What is it?")
    assert result.exit_code == 0, result.stderr
    return emulator.requests[0].body["messages"][-1]["content"]


async def test_the_bytes_of_a_file_decide_what_it_is(ask, emulator, tmp_path):
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    parts = await content_of(ask, emulator, *(tmp_path / name for name in FILES))
    assert [part["type"] for part in parts] == ["image_url", "file", "input_audio", "text", "text"]
    assert parts[0]["image_url"]["url"].startswith("data:image/png;base64,")
    assert parts[3]["text"] == "notes.md:\n\nBuy milk."


async def test_a_url_is_passed_on(ask, emulator):
    url = "https://example.org/a.png"
    picture, _ = await content_of(ask, emulator, url)
    assert picture["image_url"]["url"] == url


async def test_a_pipe_is_refused_without_waiting_for_its_writer(ask, emulator, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    result = await ask("--attach", str(tmp_path / "pipe"), "What is it?")
    assert result.exit_code == 2
    assert result.stderr.endswith("pipe: it is a pipe or a device; give a file\n")
    assert emulator.requests == []


async def test_a_url_with_a_broken_host_is_no_traceback(ask, emulator):
    picture, _ = await content_of(ask, emulator, "https://[broken/a.png")
    assert picture["image_url"]["url"] == "https://[broken/a.png"


async def test_the_url_of_a_pdf_is_refused(ask, emulator):
    result = await ask("--attach", "https://example.org/A.PDF?page=2", "What is it?")
    assert result.exit_code == 2
    assert "a document cannot be sent by URL; download it" in result.stderr
    assert emulator.requests == []


async def test_the_data_uri_of_a_pdf_is_a_document(ask, emulator):
    document, _ = await content_of(ask, emulator, "data:application/pdf;base64,JVBERi0xLjcg")
    assert document["type"] == "file"


async def test_a_file_that_cannot_be_read_is_an_error_in_one_line(ask, emulator, tmp_path):
    missing = tmp_path / "missing.png"
    result = await ask("--attach", str(missing), "What is it?")
    assert result.exit_code == 2
    assert result.stderr == (
        f"aimlchat: --attach {missing}: it cannot be read: No such file or directory\n"
    )
    assert emulator.requests == []


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom"])
async def test_a_device_without_an_end_is_refused(ask, emulator, device):
    result = await ask("--attach", device, "What is it?")
    assert result.exit_code == 2
    assert f"--attach {device}: it is a pipe or a device; give a file" in result.stderr
    assert emulator.requests == []


async def test_a_file_that_no_model_takes_is_not_read(ask, emulator, tmp_path):
    path = tmp_path / "large.png"
    path.write_bytes(PNG)
    with path.open("r+b") as file:
        file.truncate(1 << 40)  # takes no room on the disk
    result = await ask("--attach", str(path), "What is it?")
    assert result.exit_code == 2
    assert f"it has {1 << 40:,} bytes, and no model takes" in result.stderr
    assert emulator.requests == []


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02", b"caf\xe9"])
async def test_a_file_of_no_known_kind_is_an_error_in_one_line(ask, emulator, tmp_path, content):
    path = tmp_path / "file.png"
    path.write_bytes(content)
    result = await ask("--attach", str(path), "What is it?")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"aimlchat: --attach {path}: ")
    assert result.stderr.count("\n") == 1
    assert emulator.requests == []

"""Files of a question: by button, paste and drop."""

import base64
import struct
import zlib

import pytest
from selenium.webdriver.common.keys import Keys

# Sends the event of a paste or a drop with a file to an element, and returns whether the page took
# it, so that the browser does not.
GIVE_FILE = """
const [kind, selector, name, base64, text] = arguments;
const bytes = Uint8Array.from(atob(base64), character => character.charCodeAt(0));
const data = new DataTransfer();
data.items.add(new File([bytes], name));
for (const type of text ? ['text/plain', 'text/html'] : []) data.setData(type, text);
const name_of_data = kind === 'paste' ? 'clipboardData' : 'dataTransfer';
const Event_ = kind === 'paste' ? ClipboardEvent : DragEvent;
const event = new Event_(kind, {[name_of_data]: data, bubbles: true, cancelable: true});
return !document.querySelector(selector).dispatchEvent(event);
"""


def make_png(width=64, height=48):
    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = (b"\0" + bytes([200]) * width) * height
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*pair) for pair in chunks)


PNG = make_png()


@pytest.fixture
def choose_files(chat, tmp_path):
    """Choose files as the dialog of the browser does."""

    def choose_files(**contents):
        paths = [tmp_path / name.replace("_", ".") for name in contents]
        for path, content in zip(paths, contents.values(), strict=True):
            path.write_bytes(content)
        chat.find("#file-input").send_keys("\n".join(map(str, paths)))

    return choose_files


@pytest.fixture
def give_file(chat):
    def give_file(kind, name, content, selector="#question", text=""):
        data = base64.b64encode(content).decode()
        return chat.run_script(GIVE_FILE, kind, selector, name, data, text)

    return give_file


def names(chat, within="#files"):
    # In one step, because each file that is added draws the list anew.
    script = "return [...document.querySelectorAll(arguments[0])].map(name => name.textContent)"
    return chat.run_script(script, f"{within} .file-name")


def sent_messages(emulator):
    posts = [request.body for request in emulator.requests if request.method == "POST"]
    return posts[-1]["messages"]


def test_files_are_shown_sent_and_sent_again_after_a_reload(chat, choose_files, aimlchat_emulator):
    choose_files(cat_png=PNG, notes_md=b"Buy milk.")
    chat.wait_until(lambda: names(chat) == ["cat.png", "notes.md"])
    thumbnail = chat.find("#files img")
    assert thumbnail.get_attribute("src").startswith("data:image/")
    chat.wait_until(lambda: chat.run_script("return arguments[0].naturalWidth", thumbnail) == 64)
    chat.ask("What is it?")
    chat.wait_for_state("done")

    assert names(chat) == []
    assert names(chat, ".turn") == ["cat.png", "notes.md"]
    kinds = [part["type"] for part in sent_messages(aimlchat_emulator)[0]["content"]]
    assert kinds == ["image", "text", "text"]

    chat.driver.refresh()
    chat.wait_until(lambda: chat.find("#model").get_attribute("value"))
    assert names(chat, ".turn") == ["cat.png", "notes.md"]
    chat.ask("And now?")
    chat.wait_until(lambda: chat.states() == ["done", "done"])
    first, _, last = sent_messages(aimlchat_emulator)
    assert first["content"][0]["source"]["data"] == base64.b64encode(PNG).decode()
    assert first["content"][1]["text"] == "notes.md:\n\nBuy milk."
    assert "And now?" in str(last["content"])
    assert chat.console_messages() == []


def test_files_can_be_pasted_and_dropped_anywhere(chat, give_file):
    assert give_file("paste", "a.png", PNG)
    assert give_file("dragover", "b.png", PNG, "main")
    assert give_file("drop", "b.png", PNG, "main")  # else the browser would open the file
    chat.wait_until(lambda: sorted(names(chat)) == ["a.png", "b.png"])
    # An office program copies a picture of its text, too.
    assert not give_file("paste", "c.png", PNG, text="Some text")
    assert sorted(names(chat)) == ["a.png", "b.png"]


def test_a_file_can_be_removed_by_keyboard(chat, choose_files, aimlchat_emulator):
    choose_files(a_txt=b"A", b_txt=b"B")
    chat.wait_until(lambda: len(names(chat)) == 2)
    remove = chat.find("#files .remove")
    assert remove.accessible_name == "Remove a.txt"
    remove.send_keys(Keys.ENTER)
    assert names(chat) == ["b.txt"]
    chat.driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert names(chat) == []
    assert chat.focused_id() == "question"


def test_a_file_that_no_model_takes_is_refused_by_name(chat, choose_files):
    choose_files(a_zip=b"PK\x03\x04\xff", empty_txt=b"", good_txt=b"A")
    chat.wait_until(lambda: names(chat) == ["good.txt"])
    error = chat.wait_until(lambda: chat.find("#file-error").text)
    assert "a.zip cannot be sent: it has to be PNG" in error
    assert "empty.txt is empty." in error


def test_the_end_of_the_chat_stays_in_view_beside_attached_files(
    chat, choose_files, aimlchat_emulator
):
    aimlchat_emulator.reply("A paragraph.\n\n" * 40)
    chat.ask("Why?")
    chat.wait_for_state("done")

    choose_files(cat_png=PNG)
    chat.wait_until(lambda: names(chat) == ["cat.png"])

    distance = "const {scrollTop, scrollHeight} = document.scrollingElement;"
    distance += "return scrollHeight - scrollTop - innerHeight"
    chat.wait_until(lambda: chat.run_script(distance) < 2)


def test_a_picture_waits_for_a_model_that_takes_it(chat, choose_files, aimlchat_emulator):
    chat.choose_model("deepseek/deepseek-r1")
    choose_files(cat_png=PNG)
    chat.wait_until(lambda: names(chat) == ["cat.png"])
    chat.type("What is it?", Keys.ENTER)
    sentence = "deepseek/deepseek-r1 takes no images. Remove cat.png, or choose another model."
    assert chat.find("#problem").text == sentence
    assert chat.states() == []

    chat.choose_model("openai/gpt-4o")
    assert not chat.find("#problem").is_displayed()
    chat.type(Keys.ENTER)
    chat.wait_for_state("done")
    assert sent_messages(aimlchat_emulator)[0]["content"][0]["type"] == "image_url"

    chat.choose_model("deepseek/deepseek-r1")
    assert "this conversation has cat.png" in chat.find("#problem").text

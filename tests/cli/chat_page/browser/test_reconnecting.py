"""The page when it is reloaded or closed, and when it loses its connection."""

import contextlib
import re
import socket
import threading

import pytest
from selenium.webdriver.common.keys import Keys


class Cable:
    """A connection between the browser and a server that can be cut and mended."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        self._target_port = 0
        self._is_cut = False
        self._sockets = []
        threading.Thread(target=self._accept, daemon=True).start()

    def connect_to(self, url):
        self._target_port = int(re.search(r":(\d+)/", url)[1])

    def cut(self):
        """Break all connections, and refuse new ones."""
        self._is_cut = True
        for end in self._sockets:
            with contextlib.suppress(OSError):  # it has ended already
                end.shutdown(socket.SHUT_RDWR)

    def mend(self):
        self._is_cut = False

    def close(self):
        self.cut()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in self._sockets:
            end.close()

    def _accept(self):
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                near, _ = self._listener.accept()
                self._sockets.append(near)
                if self._is_cut:
                    near.close()
                else:
                    self._join(near)

    def _join(self, near):
        try:
            far = socket.create_connection(("127.0.0.1", self._target_port))
        except ConnectionRefusedError:
            near.close()
            return
        self._sockets.append(far)
        for ends in ((near, far), (far, near)):
            threading.Thread(target=self._forward, args=ends, daemon=True).start()

    def _forward(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def cable():
    cable = Cable()
    yield cable
    cable.close()


@pytest.fixture
def serve_behind_cable(cable, serve, key):
    """Start a server at the far end of the cable."""

    def serve_behind_cable(base_url):
        process = serve("--base-url", base_url, AIMLAPI_API_KEY=key)
        cable.connect_to(process.url)
        return process

    return serve_behind_cable


def test_a_reload_keeps_the_conversation_and_the_draft(chat, aimlchat_emulator):
    aimlchat_emulator.reply("It **scatters**.", reasoning="Light.")
    aimlchat_emulator.reply("Red.")
    chat.ask("Why?")
    chat.wait_for_state("done")
    before = chat.find(".turn").text
    chat.type("And at sun")

    chat.driver.refresh()

    chat.wait_until(lambda: chat.texts(".turn") == [before])
    chat.type("set?", Keys.ENTER)
    chat.wait_for_answer("Red.")
    assert chat.texts(".question") == ["Why?", "And at sunset?"]
    assert len(aimlchat_emulator.requests[-1].body["messages"]) == 3


def test_after_a_reload_an_unfinished_answer_continues(chat, aimlchat_emulator, reply_and_hang):
    reply_and_hang("One two", "Let me think.")
    chat.ask("Why?")
    chat.wait_for_state("answering")
    before = chat.wait_until(lambda: chat.find(".answer").text)

    chat.driver.refresh()

    chat.wait_for_state("answering")
    chat.wait_for_answer(before)
    assert chat.find("summary").text.startswith("Thought")
    posts = [request for request in aimlchat_emulator.requests if request.method == "POST"]
    assert [request.outcome for request in posts] == [None]
    chat.type(Keys.ESCAPE)
    chat.wait_for_state("stopped")


def test_a_lost_connection_loses_no_text(open_chat, cable, serve_behind_cable, stepwise_upstream):
    serve_behind_cable(stepwise_upstream.base_url)
    chat = open_chat(cable.url)

    chat.ask("Count.")
    stepwise_upstream.send("content", "1 2 3")
    chat.wait_for_answer("1 2 3")
    cable.cut()
    chat.wait_until(lambda: chat.find("#disconnected").is_displayed())
    stepwise_upstream.send("content", " 4 5 6")
    assert chat.states() == ["answering"]
    cable.mend()
    chat.wait_until(lambda: not chat.find("#disconnected").is_displayed())
    chat.wait_for_answer("1 2 3 4 5 6")
    stepwise_upstream.send("content", " 7")
    stepwise_upstream.finish()
    chat.wait_for_state("done")

    assert chat.find(".answer").text == "1 2 3 4 5 6 7"
    assert stepwise_upstream.request_count == 1


def test_after_a_restart_of_the_server_the_page_keeps_its_text(
    open_chat, cable, serve_behind_cable, aimlchat_emulator, reply_and_hang
):
    reply_and_hang()
    process = serve_behind_cable(aimlchat_emulator.base_url)
    chat = open_chat(cable.url)
    chat.ask("Why?")
    chat.wait_for_state("answering")
    before = chat.wait_until(lambda: chat.find(".answer").text)
    process.end()
    serve_behind_cable(aimlchat_emulator.base_url)

    chat.wait_for_state("failed")
    assert "restarted" in chat.find(".error").text
    assert chat.find(".answer").text == before
    chat.ask("And now?")
    chat.wait_for_state("done")

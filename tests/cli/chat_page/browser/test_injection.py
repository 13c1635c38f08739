"""Thousands of hostile texts on the page, wherever a server can put them."""

import itertools
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from injections import SNIPPETS, make_texts, mix_texts
from soak import SEED

pytestmark = pytest.mark.soak

MIXED = 3000
ALLOWED = set(
    """a b blockquote br button code del div em h1 h2 h3 h4 h5 h6 hr i kbd li mark ol p pre s span
    strong sub sup table tbody td th thead tr u ul
    math menclose merror mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow
    ms mspace msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover none
    semantics""".split()
)
ALLOWED_ATTRIBUTES = set(
    """align aria-label class dir href rel role start tabindex target title type
    accent accentunder alttext columnalign columnlines columnspacing columnspan depth display
    displaystyle fence form height largeop linethickness lspace mathbackground mathcolor mathsize
    mathvariant maxsize minsize movablelimits notation rowlines rowspacing rowspan rspace
    scriptlevel separator side stretchy style symmetric voffset width xmlns""".split()
)
# Renders each text as a whole and as it grows, and returns the elements and attributes that were
# made, and the schemes of all links.
RENDER = """
const [texts, cuts] = arguments;
const names = new Set(), attributes = new Set(), schemes = new Set();
const stage = document.createElement('div');
document.body.append(stage);
for (const text of texts) {
  stage.replaceChildren(document.createElement('div'));
  const view = new MarkdownView(stage.firstChild);
  for (let part = 1; part <= cuts; part += 1) {
    view.show(text.slice(0, Math.ceil((text.length * part) / cuts)));
    view.finish();
    for (const node of stage.firstChild.querySelectorAll('*')) {
      names.add(node.localName);
      for (const name of node.getAttributeNames()) attributes.add(name);
      if (node.href !== undefined) schemes.add(node.protocol); // ":" if it is no URL
    }
  }
}
stage.remove();
return [[...names], [...attributes], [...schemes]];
"""
WATCH = """
window.violations = [];
document.addEventListener('securitypolicyviolation', event => {
  violations.push(`${event.violatedDirective}: ${event.blockedURI}`);
});
"""
# Handlers and requests of what was rendered run behind this.
SETTLE = "const done = arguments[0]; setTimeout(() => requestAnimationFrame(() => done()), 300);"
STATE = """
const own = location.origin;
return {
  hacked: window.hacked ?? null,
  violations: window.violations,
  frames: window.length,
  title: document.title,
  loaded: performance.getEntriesByType('resource').map(entry => entry.name)
    .filter(name => new URL(name).origin !== own),
};
"""
CALM = {"hacked": None, "violations": [], "frames": 0, "title": "aimlchat", "loaded": []}


class Thief:
    """A server that only counts who connects to it."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.connections = 0
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:  # closed
                return
            self.connections += 1
            connection.close()

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture
def thief():
    thief = Thief()
    yield thief
    thief.close()


class HostileUpstream:
    """An API whose models, answers and errors are hostile texts."""

    def __init__(self, there) -> None:
        texts = [snippet.replace("THERE", there) for snippet in SNIPPETS]
        listed = [{"id": t, "type": "chat-completions", "info": {"developer": t}} for t in texts]
        responses = itertools.cycle((self._build_answer(texts), self._build_error(texts)))

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self._send(200, json.dumps({"data": listed}).encode())

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                self._send(*next(responses))

            def _send(self, status, body):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @staticmethod
    def _build_answer(texts):
        """Return a stream with texts in each field that the page shows."""
        text = "\n\n".join(texts)
        deltas = [
            {key: text[start : start + 7]}
            for key in ("reasoning_content", "content")
            for start in range(0, len(text), 7)
        ]
        chunks = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": texts[0]}]})
        chunks = [{"id": texts[1], "model": texts[4]} | chunk for chunk in chunks]
        return 200, b"".join(b"data: %b\n\n" % json.dumps(chunk).encode() for chunk in chunks)

    @staticmethod
    def _build_error(texts):
        return 400, json.dumps({"message": "\n".join(texts), "requestId": texts[0]}).encode()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def hostile_chat(serve_api, open_chat, thief):
    upstream = HostileUpstream(thief.url)
    yield open_chat(serve_api(upstream.base_url))
    upstream.close()


def check_calm(chat, thief):
    chat.driver.execute_async_script(SETTLE)
    assert chat.run_script(STATE) == CALM
    assert len(chat.driver.window_handles) == 1
    assert thief.connections == 0


def check_elements(names, attributes, schemes):
    assert set(names) <= ALLOWED
    assert set(attributes) <= ALLOWED_ATTRIBUTES
    assert set(schemes) <= {"http:", "https:", "mailto:", ":"}


def test_no_text_of_thousands_runs_or_loads_anything(chat, thief, record_property):
    chat.run_script(WATCH)
    texts, mixed = make_texts(thief.url), mix_texts(thief.url, MIXED, SEED)

    check_elements(*chat.run_script(RENDER, texts, 3))
    check_elements(*chat.run_script(RENDER, mixed, 2))

    check_calm(chat, thief)
    record_property(
        "note",
        f"{len(texts) + MIXED:,} hostile texts, {3 * len(texts) + 2 * MIXED:,} renderings while"
        " they grew: no script ran, no request left, nothing for the policy to stop",
    )


def test_no_answer_error_model_or_restored_conversation_runs_or_loads_anything(hostile_chat, thief):
    chat = hostile_chat
    chat.run_script(WATCH)
    for state in ("done", "failed"):
        chat.ask(SNIPPETS[0])
        chat.wait_for_state(state)
        check_calm(chat, thief)
    assert SNIPPETS[0] in chat.find(".answer").text
    chat.find("#model-toggle").click()
    assert len(chat.find_all("#model-list [role=option]")) >= len(SNIPPETS) / 2

    chat.open()
    assert chat.states() == ["done", "failed"]
    chat.run_script(WATCH)
    chat.run_script("for (const part of document.querySelectorAll('details')) part.open = true")
    check_calm(chat, thief)


def test_the_check_notices_what_does_get_through(chat, thief):
    chat.run_script(WATCH)
    chat.run_script("new Image().src = arguments[0]", f"{thief.url}/i.png")
    chat.driver.execute_async_script(SETTLE)

    assert chat.run_script(STATE)["violations"] == [f"img-src: {thief.url}/i.png"]
    assert thief.connections == 0

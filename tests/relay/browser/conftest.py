"""`useChat` in Chromium reads the relay on FastAPI and uvicorn, with an emulator behind it."""

import json
import socket
import threading
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest
import uvicorn
from ai_sdk import bundle
from chromium import forget_storage
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse
from selenium.webdriver.support.ui import WebDriverWait

from aimlchat import ChatRequest, ChatSession, InvalidRequestError, RetryPolicy, Tool
from aimlchat.relay import SSE_HEADERS, Broadcasts, request_from_ui, sse_events

HTML = "<!doctype html><title>Chat</title><main id=page></main><script src=page.js></script>"
# Seconds; only a test that hangs waits so long.
PATIENCE = 60
WEATHER = Tool("weather", parameters={"type": "object", "properties": {"city": {"type": "string"}}})


@pytest.fixture(autouse=True)
def _no_task_is_left():
    """Replace the check of the other tests: the service has an event loop of its own."""


class Service:
    """A service for `useChat`, with the bodies that pages have posted."""

    def __init__(self, base_url, script) -> None:
        self.base_url = base_url
        self.posts = []
        self.resumed = 0
        self.cut_at = b""
        self.options = {}
        self.app = app = FastAPI(lifespan=self._run)

        @app.post("/plain")
        async def plain(request: Request):
            stream = await self._read(request)
            return StreamingResponse(sse_events(stream, **self.options), headers=SSE_HEADERS)

        @app.post("/chat")
        async def chat(request: Request):
            stream = await self._read(request)
            answer = await self.broadcasts.start(self.posts[-1]["id"], stream, **self.options)
            return StreamingResponse(self._send(answer.sse_events()), headers=SSE_HEADERS)

        @app.get("/chat/{chat_id}/stream")
        async def resume(chat_id: str):
            self.resumed += 1
            answer = await self.broadcasts.follow(chat_id)
            if answer is None:
                return Response(status_code=204)
            return StreamingResponse(answer.sse_events(), headers=SSE_HEADERS)

        @app.post("/chat/{chat_id}/stop")
        async def stop(chat_id: str):
            await self.broadcasts.stop(chat_id)

        @app.get("/")
        async def page():
            return HTMLResponse(HTML)

        @app.get("/page.js")
        async def page_script():
            return Response(script, media_type="text/javascript")

    @asynccontextmanager
    async def _run(self, _):
        retry = RetryPolicy(attempts=1)
        async with (
            ChatSession("any-key", base_url=self.base_url, retry=retry) as self.session,
            Broadcasts(grace=60) as self.broadcasts,
        ):
            yield

    async def _send(self, events):
        async for event in events:
            yield event
            if self.cut_at and self.cut_at in event:
                raise ConnectionError  # so uvicorn closes the connection

    async def _read(self, request):
        """Return the stream for what a page has posted."""
        self.posts.append(await request.json())
        try:
            question = request_from_ui(
                self.posts[-1]["messages"], base=ChatRequest(tools=[WEATHER])
            )
        except InvalidRequestError as error:
            raise HTTPException(422, str(error)) from error
        return self.session.stream(question)


@pytest.fixture
def serve_in_thread():
    """Serve an ASGI application on uvicorn, in a thread with an event loop of its own."""
    running = []

    def serve(app):
        listener = socket.create_server(("127.0.0.1", 0))
        # At its end it cancels the responses that are still being sent, and logs each of them.
        config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=0)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        running.append((server, thread, listener))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield serve
    for server, thread, listener in running:
        # A connection that is accepted as uvicorn closes would be lost with its socket open.
        loop = server.servers[0].get_loop()
        loop.call_soon_threadsafe(loop.remove_reader, listener.fileno())
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def page_script(ai_sdk_folder):
    """The script of page.jsx, with one version of the AI SDK."""
    return bundle(ai_sdk_folder, Path(__file__).with_name("page.jsx"))


@pytest.fixture
def service(aimlchat_emulator, page_script):
    return Service(aimlchat_emulator.base_url, page_script)


class ChatPage:
    """The page in the browser."""

    def __init__(self, driver, url) -> None:
        self.driver = driver
        self.url = url

    def open(self, **settings):
        self.driver.get(f"{self.url}/?{urlencode(settings)}")
        self.wait_until(lambda: self.get("window.chat !== undefined"))

    def reload(self):
        self.driver.refresh()
        self.wait_until(lambda: self.get("window.chat !== undefined"))

    def get(self, expression):
        """Return the value of an expression of JavaScript."""
        return json.loads(self.driver.execute_script(f"return JSON.stringify({expression})"))

    def call(self, expression):
        """Evaluate an expression whose result is not needed."""
        self.driver.execute_script(f"void ({expression})")

    def ask(self, text, files=None):
        """Send a question and wait for the end of its answer."""
        self.send(text, files)
        self.wait_for_end()

    def send(self, text, files=None):
        """Send a question."""
        message = {"text": text} | ({"files": files} if files else {})
        self.call(f"chat.sendMessage({json.dumps(message)})")

    def wait_for_end(self, count=None):
        """Wait until one more answer has ended, or so many."""
        self.wait_until(lambda: self.get("log.ends.length") >= (count or 1))
        self.wait_until(lambda: self.get("chat.status") in ("ready", "error"))

    def wait_until(self, condition):
        return WebDriverWait(self.driver, PATIENCE, poll_frequency=0.02).until(
            lambda _: condition()
        )

    def messages(self):
        return self.get("chat.messages")

    def parts(self, index=-1):
        """Return the parts of a message, without the starts of its steps."""
        parts = self.messages()[index]["parts"]
        return [part for part in parts if part["type"] != "step-start"]

    def texts(self, kind="text"):
        """Return the texts of all parts of a type that the page shows."""
        script = "return [...document.getElementsByClassName(arguments[0])].map(e => e.textContent)"
        return self.driver.execute_script(script, kind)

    def wait_for_text(self, text):
        self.wait_until(lambda: self.texts()[-1:] == [text])


@pytest.fixture
def open_page(driver):
    """Return the page of a URL, not loaded yet. At the end the console may hold no error."""
    driver.get_log("browser")
    yield lambda url: ChatPage(driver, url)
    forget_storage(driver)
    driver.get("about:blank")
    # What React and the AI SDK complain about; the browser itself reports each status of an error.
    errors = [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    assert [text for text in errors if "Failed to load resource" not in text] == []


@pytest.fixture
def page(open_page, service, serve_in_thread):
    """The page of the service, without any chat yet."""
    return open_page(serve_in_thread(service.app))

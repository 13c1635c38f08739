"""The options and files that the page sends with a question, and their check before that."""

import base64
import json

import pytest

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 8
GPT = "openai/gpt-4o"


def attach(name, data):
    return {"name": name, "data": base64.b64encode(data).decode()}


async def ask(browser, question="Why?", **fields):
    message = {"type": "ask", "answer_id": "a", "model": GPT, "question": question}
    async with browser.open_page() as page:
        await page.send(**message | fields)
        return await page.read_to_end()


@pytest.mark.parametrize(
    ("model", "fields", "sent"),
    [
        (GPT, {"system": "Be brief."}, {}),
        (GPT, {"temperature": 0.5, "max_tokens": 9}, {"temperature": 0.5, "max_tokens": 9}),
        (GPT, {"reasoning_effort": "high"}, {"reasoning_effort": "high"}),
        ("anthropic/claude-opus-4.8", {"thinking": "adaptive"}, {"thinking": {"type": "adaptive"}}),
        ("anthropic/claude-opus-4.8", {"thinking": False}, {"thinking": {"type": "disabled"}}),
    ],
)
async def test_the_options_are_sent_upstream(browser, emulator, model, fields, sent):
    await ask(browser, model=model, **fields)

    body = emulator.requests[0].body
    assert sent.items() <= body.items()
    prompts = [part["content"] for part in body["messages"] if part["role"] == "system"]
    assert prompts == [value for name, value in fields.items() if name == "system"]


async def test_the_files_of_each_question_are_sent_upstream(browser, emulator):
    turn = {"question": "What?", "answer": "A cat.", "files": [attach("a.png", PNG)]}
    files = [attach("b.pdf", b"%PDF-1.7"), attach("c.md", b"Buy milk.")]

    await ask(browser, "And now?", turns=[turn], files=files)

    first, _, last = emulator.requests[0].body["messages"]
    image, text = first["content"]
    assert image["image_url"]["url"] == f"data:image/png;base64,{turn['files'][0]['data']}"
    assert text["text"] == "What?"
    document, note, text = last["content"]
    assert document["file"]["filename"] == "b.pdf"
    assert note["text"] == "c.md:\n\nBuy milk."
    assert text["text"] == "And now?"


async def test_a_file_alone_is_a_question(browser, emulator):
    await ask(browser, "", model="anthropic/claude-sonnet-4.5", files=[attach("a.png", PNG)])

    (message,) = emulator.requests[0].body["messages"]
    assert [part["type"] for part in message["content"]] == ["image"]


async def test_a_file_of_an_unknown_format_is_refused(browser, emulator):
    frames = await ask(browser, files=[attach("a.zip", b"PK\x03\x04\xff")])

    assert "give a PDF or UTF-8 text" in frames[-1]["errorText"]
    assert emulator.requests == []


async def check(browser, **fields):
    origin = {"Origin": browser.origin}
    body = json.dumps({"model": GPT} | fields)
    async with browser.http.post(f"{browser.url}check", data=body, headers=origin) as response:
        return response.status, await response.text()


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"temperature": 3}, "temperature", "it is 3; give a number from 0 to 2"),
        ({"max_tokens": 0}, "max_tokens", "at least 1"),
        (
            {"model": "anthropic/claude-sonnet-4.5", "thinking": 2048, "max_tokens": 500},
            "thinking.budget_tokens",
            "not below max_tokens, 500",
        ),
        (
            {"model": "anthropic/claude-3.7-sonnet", "thinking": 2048, "files": ["audio"]},
            "messages[0].content[0]",
            "takes no audio",
        ),
    ],
)
async def test_a_check_names_the_field_that_is_wrong(browser, emulator, fields, field, message):
    status, text = await check(browser, **fields)

    error = json.loads(text)["error"]
    assert (status, error["field"]) == (200, field)
    assert message in error["message"]
    assert emulator.requests == []


async def test_a_check_of_what_can_be_sent_finds_nothing(browser):
    fields = {"system": "Be brief.", "temperature": 0.5, "files": ["image", "pdf"]}
    assert await check(browser, **fields) == (200, '{"error": null}')


@pytest.mark.parametrize(
    "body", [b'{"model":null,"files":["video"]}', b'{"model":"\xff"}', b'{"x":' + b"[" * 100_000]
)
async def test_a_check_that_is_not_valid_is_a_bad_request(browser, body):
    origin = {"Origin": browser.origin}
    async with browser.http.post(f"{browser.url}check", data=body, headers=origin) as response:
        assert response.status == 400

"""The Python examples of the README and the docs run as printed, against the emulator.

`nox -s types` checks them with mypy and pyright.
"""

import asyncio
import json
import re
import runpy
import socket
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import aiohttp
import pytest
import uvicorn
from aiohttp import web
from snippets import DOCS, PAGES, page_id, read_excerpts, read_outputs, read_snippets

from aimlchat.emulator import Cut

SNIPPETS = read_snippets("python")
# "" is a diagram, "py" the code of another package, and "text" what a program prints
LANGUAGES = {"", *"js json jsx promql py python sh text traceql".split()}
OPTIONS = (
    "-p",
    "no:cacheprovider",
    "-W",
    "error",
    "-o",
    "asyncio_default_fixture_loop_scope=function",
)
SKY = "Rayleigh scattering"  # in every answer that the emulator generates about the sky


class Script(NamedTuple):
    """What a script has to print, and what the emulator replies to it."""

    prints: tuple[str, ...]
    replies: tuple[dict[str, Any], ...] = ()
    changes_process: bool = False  # so it runs in one of its own


SCRIPTS = {
    "readme_aimlchat": Script(prints=("The sky is blue", "Cost(")),
    "readme_reasoning_answer_and_errors": Script(
        prints=("Think of light.It scatters.",),
        replies=({"text": "It scatters.", "reasoning": "Think of light."},),
    ),
    "batches_from_python": Script(prints=("2 of 2 for ", "True {}")),
    "batches_from_python_2": Script(prints=("0 of 2 for 0.0 dollars\n2 missing, by shard: {}\n",)),
    "batches_from_python_3": Script(
        prints=("0 The sky is blue", "3 0 0.00", " False\n['The sky is blue")
    ),
    "emulator_record_and_replay": Script(
        prints=("Light scatters.\nLight scatters.\n",), replies=({"text": "Light scatters."},)
    ),
    "errors_errors": Script(
        prints=("Take one", "[the connection was lost]"),
        replies=({"chunks": ["Take one", " pill,", " not", " ten."], "fault": Cut(1000, "close")},),
    ),
    "how_to_conversations_hold_a_conversation_of_several_turns": Script(
        prints=("Light scatters.\nRed.\n",),
        replies=({"text": "Light scatters.", "reasoning": "Think."}, {"text": "Red."}),
    ),
    "how_to_conversations_keep_it_in_a_database": Script(
        prints=("Light scatters.\nRed.\n",),
        replies=({"text": "Light scatters.", "reasoning": "Think."}, {"text": "Red."}),
    ),
    "how_to_costs_track_costs_and_set_budgets": Script(
        prints=("Usage(", "Cost(usd=0.0", "{'anthropic/claude-3.7-sonnet': 0.0", "account: 9")
    ),
    "how_to_from_anthropic_side_by_side": Script(prints=(SKY, "Usage(")),
    "how_to_from_litellm_side_by_side": Script(prints=(SKY, "Cost(")),
    "how_to_from_openai_side_by_side": Script(prints=(SKY, "Usage(")),
    "how_to_many_requests_requests_of_a_program": Script(
        prints=(
            "I love it. -> good\nIt broke on the first day. -> bad\nIt is a chair. -> neutral",
        ),
        replies=(
            {"text": "good", "when": lambda record: "love" in record.prompt},
            {"text": "bad", "when": lambda record: "broke" in record.prompt},
            {"text": "neutral"},
        ),
    ),
    "how_to_proxies_and_tls_a_proxy": Script(prints=(SKY,)),
    "how_to_proxies_and_tls_your_own_aiohttp_session": Script(prints=(SKY,)),
    "how_to_proxies_and_tls_certificates": Script(prints=(SKY,)),
    "how_to_timeouts_set_them": Script(prints=("Because.",), replies=({"text": "Because."},)),
    "how_to_tracing_trace_calls_with_opentelemetry": Script(
        prints=('"name": "chat anthropic/claude-3.7-sonnet"',), changes_process=True
    ),
    "how_to_tools_let_the_model_call_tools": Script(
        prints=("`get_weather` says: It rains in Ulm.",)
    ),
    "how_to_tools_tools_that_run_elsewhere": Script(prints=("confirmed",)),
    "how_to_typed_answers_get_typed_answers": Script(
        prints=("2030 ['lamp']",),
        replies=(
            {
                "output": {
                    "customer": "Ada",
                    "due": "2030-03-31",
                    "lines": [{"article": "lamp", "price": 20, "count": 2}],
                }
            },
        ),
    ),
    "how_to_typed_answers_if_the_answer_is_not_of_the_type": Script(
        prints=("bad 2",), replies=({"text": "It is bad."}, {"output": "bad"})
    ),
    "how_to_typed_answers_stream_it": Script(
        prints=("0 steps so far\n", "2 steps so far\nPancakes"),
        replies=({"output": {"title": "Pancakes", "steps": ["Mix", "Bake"]}},),
    ),
    "index_first_example": Script(prints=("The sky is blue", "Cost(")),
    "relay_several_pages_and_reconnecting_2": Script(
        prints=("reasoning-start reasoning-delta", "data: [DONE]")
    ),
    "reliability_several_models": Script(
        prints=("claude-3-7-sonnet-20250219 ", "1 anthropic/claude-3.7-sonnet None")
    ),
    "reliability_watching_a_service": Script(prints=("complete ", "Cost(")),
    "reliability_what_is_retried": Script(prints=(SKY, "Attempt(number=1, cause=None")),
    "requests_prompt_caching": Script(prints=("{'type': 'ephemeral', 'ttl': '5m'}",)),
    "requests_requests": Script(
        prints=("A cat.\nA tabby.",), replies=({"text": "A cat."}, {"text": "A tabby."})
    ),
    "requests_thinking": Script(prints=("'budget_tokens': 4096", "'adaptive'", "'high'")),
    "requests_tools": Script(prints=("It rains in Ulm.",)),
    "requests_what_is_checked": Script(prints=("'enable_thinking': True, 'top_k': 20",)),
    "tools_tools_from_functions": Script(prints=("It rains in Ulm.",)),
    "tools_tools_of_an_mcp_server": Script(prints=("It rains in Ulm.",)),
    "tutorial_4_the_first_program": Script(prints=("Answer: Hello!",)),
    "tutorial_5_stream": Script(prints=("Finished by: stop",)),
    "tutorial_6_hold_a_conversation": Script(prints=("> Why is the sea salty?",)),
    "streaming_streaming": Script(
        prints=("Think of light.", "[call 0, look_up: ", "It scatters.", "Usage("),
        replies=(
            {
                "reasoning": "Think of light.",
                "text": "It scatters.",
                "tool_calls": [("look_up", {"word": "sky"})],
            },
        ),
    ),
    "streaming_without_i_o": Script(prints=("Light scatters.\n stop",)),
}


class Server(NamedTuple):
    """The POST request that a server example accepts."""

    path: str
    request: dict[str, Any]


SERVERS = {
    "tutorial_7_serve": Server("/ask", {"data": "Why?"}),
    "relay_aiohttp": Server("/ask", {"json": {"prompt": "Why?"}}),
    "relay_fastapi_and_starlette": Server(
        "/chat",
        {"json": {"messages": [{"role": "user", "parts": [{"type": "text", "text": "Why?"}]}]}},
    ),
    "relay_resume_and_stop": Server(
        "/chat",
        {
            "json": {
                "id": "1",
                "messages": [{"role": "user", "parts": [{"type": "text", "text": "Why?"}]}],
            }
        },
    ),
    "relay_several_pages_and_reconnecting": Server("/ask", {"data": "Why?"}),
}


def names_of(kind: str) -> list[str]:
    return [name for name, snippet in SNIPPETS.items() if snippet.kind == kind]


@pytest.fixture(autouse=True)
def _environment_of_a_reader(aimlchat_emulator, monkeypatch, tmp_path):
    monkeypatch.setenv("AIMLAPI_API_KEY", "any-key")
    monkeypatch.setenv("AIMLAPI_BASE_URL", aimlchat_emulator.base_url)
    # A server that takes the form of requests to proxies, for an address in http:, is a proxy.
    monkeypatch.setenv("CORPORATE_PROXY", aimlchat_emulator.base_url)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cat.jpg").write_bytes(b"\xff\xd8\xff" + b"\0" * 16)
    requests = read_snippets("json")["batches_the_input"].code
    (tmp_path / "requests.jsonl").write_text(requests, encoding="utf-8")


@pytest.fixture
def saved(tmp_path):
    """Write an example to a file and return its path."""

    def save(name):
        path = tmp_path / f"{name}.py"
        path.write_text(SNIPPETS[name].code, encoding="utf-8")
        return str(path)

    return save


def test_every_example_has_a_test():
    assert sorted(SCRIPTS) == sorted(names_of("script"))
    assert sorted(SERVERS) == sorted(names_of("server"))


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_code_block_is_found(page):
    fences = re.findall(r"^ *(```.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    opening, closing = fences[::2], fences[1::2]

    assert {fence.removeprefix("```").partition(" title=")[0] for fence in opening} <= LANGUAGES
    assert set(closing) <= {"```"}
    found = [name for name in SNIPPETS if name.startswith(f"{page_id(page)}_")]
    assert len(found) == opening.count("```python")


@pytest.mark.parametrize("name", read_excerpts())
def test_a_part_of_a_file_is_in_the_file_that_its_title_names(name):
    excerpt = read_excerpts()[name]
    path = DOCS / excerpt.title

    assert excerpt.code in (path.read_text(encoding="utf-8"), f'--8<-- "{excerpt.title}"\n') or (
        f"\n{excerpt.code}" in path.read_text(encoding="utf-8")
    )


@pytest.mark.parametrize("name", names_of("script"))
def test_a_script_runs_as_printed(name, saved, aimlchat_emulator, capsys):
    for reply in SCRIPTS[name].replies:
        aimlchat_emulator.reply(**reply)

    if SCRIPTS[name].changes_process:
        command = [sys.executable, saved(name)]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    else:
        runpy.run_path(saved(name), run_name="__main__")
        out = capsys.readouterr().out

    printed = re.sub(r"\x1b\[\d*m", "", out)
    assert [text for text in SCRIPTS[name].prints if text not in printed] == []
    assert read_outputs("python").get(name, printed) == printed


def test_the_tests_pass_as_printed(saved, tmp_path):
    names = names_of("test")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", *OPTIONS, *map(saved, names)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    count = sum(SNIPPETS[name].code.count("def test_") for name in names)
    assert f" {count} passed" in done.stdout


@asynccontextmanager
async def serving(program):
    """Serve an example's application and give its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    if "make_app" in program:
        runner = web.AppRunner(program["make_app"](), shutdown_timeout=0.1)
        await runner.setup()
        await web.SockSite(runner, listener).start()
        try:
            yield address
        finally:
            await runner.cleanup()
    else:
        server = uvicorn.Server(uvicorn.Config(program["app"], log_level="error", lifespan="on"))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield address
        finally:
            server.should_exit = True
            await task


@pytest.mark.parametrize("name", names_of("server"))
async def test_a_server_answers_as_printed(name, saved, aimlchat_emulator):
    aimlchat_emulator.reply("Light scatters.")
    path, request = SERVERS[name]

    async with (
        serving(runpy.run_path(saved(name))) as address,
        aiohttp.ClientSession() as client,
    ):
        async with client.post(address + path, **request) as response:
            assert response.status == 200
            body = await response.text()
        if body.startswith("/answers/"):
            async with client.ws_connect(address + body) as websocket:
                frames = [message.json() async for message in websocket]
        else:
            frames = [
                json.loads(data) for data in re.findall(r"^data: (\{.*)$", body, re.MULTILINE)
            ]

    texts = [frame["delta"] for frame in frames if frame["type"] == "text-delta"]
    assert "".join(texts) or body == "Light scatters."
    assert not frames or frames[-1]["type"] == "finish"
    assert aimlchat_emulator.requests[0].body["messages"][-1]["content"] == "Why?"


@pytest.mark.parametrize("name", read_snippets("py"))
def test_the_code_of_another_package_compiles(name):
    assert compile(read_snippets("py")[name].code, name, "exec")


@pytest.mark.parametrize("name", read_snippets("json"))
def test_a_json_example_is_json(name):
    code = read_snippets("json")[name].code
    documents = code.splitlines() if name == "batches_the_input" else [code]

    assert all(isinstance(json.loads(document), dict) for document in documents)

"""``aimlchat serve`` as a shell meets it."""

import asyncio
import signal
import socket

import aiohttp
import pytest


async def test_it_prints_where_the_page_is(serve):
    url = serve("--emulator").url

    assert url.startswith("http://127.0.0.1:")
    async with aiohttp.ClientSession() as http, http.get(url) as response:
        assert response.status == 200
        assert "<title>aimlchat</title>" in await response.text()
        async with http.get(f"{url}models") as models:
            assert (await models.json())["emulator"] is True


@pytest.mark.parametrize(("how", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
async def test_it_ends_cleanly_with_a_page_open(serve, how, status):
    command = serve("--emulator")
    url = command.url

    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"{url}talk", origin=url.rstrip("/")) as page,
    ):
        order = {"type": "ask", "name": "a", "model": None, "question": "Why is the sky blue?"}
        await page.send_json(order)
        await page.receive()
        ended, _, err = await asyncio.to_thread(command.end, how)

    assert (ended, err) == (status, "")


def test_without_a_key_it_says_so_in_two_lines(serve):
    status, out, err = serve().end()

    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 2
    for needed in ("AIMLAPI_API_KEY", "https://aimlapi.com/app/keys", "--emulator"):
        assert needed in err


def test_a_port_in_use_is_one_clear_line(serve):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, out, err = serve("--emulator", port=port).end()

    assert (status, out) == (1, "")
    assert err == (
        f"aimlchat: cannot listen on 127.0.0.1:{port}: Address already in use;"
        " choose another with --port\n"
    )


async def test_it_tells_what_the_page_is_not_told_but_never_the_key(serve, emulator, key):
    emulator.fail(status=401, message=f"The key {key} is not known.")
    command = serve("--base-url", emulator.base_url, AIMLAPI_API_KEY=key)
    url = command.url

    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"{url}talk", origin=url.rstrip("/")) as page,
    ):
        await page.send_json({"type": "ask", "name": "a", "model": None, "question": "Why?"})
        while (await page.receive_json())["type"] != "error":
            pass
    _, _, err = await asyncio.to_thread(command.end, signal.SIGINT)

    assert "is not known" in err
    assert "Check the key in AIMLAPI_API_KEY" in err
    assert key not in err

"""Settings of another type than the constructor takes: told by their names and their types."""

import asyncio
import io
import ssl
import traceback
from pathlib import Path

import pytest
from yarl import URL

from aimlchat import ChatSession, ConfigurationError, Limits, RetryPolicy, Timeouts

HIDDEN = "hush-hush"


class SecretStr:
    """Hides its value as pydantic's class of this name does."""

    def __init__(self, value):
        self._value = value

    def __str__(self):
        return "**********"

    def get_secret_value(self):
        return self._value


class StarredStr(str):
    __slots__ = ()

    def __str__(self):
        return "*****"


async def fetch_key():
    return HIDDEN


class Lazy:
    def __await__(self):
        yield HIDDEN

    def __repr__(self):
        return HIDDEN


@pytest.mark.parametrize(
    ("key", "kind", "advice"),
    [
        (SecretStr(HIDDEN), "SecretStr", "get_secret_value()"),
        (HIDDEN.encode(), "bytes", ".decode()"),
        (bytearray(HIDDEN, "ascii"), "bytearray", "text"),
        (lambda: HIDDEN, "function", "calling"),
        (fetch_key, "function", "calling"),
        (Lazy(), "Lazy", "await"),
        (Path("/run/secrets/key"), "PosixPath", "read_text()"),
        (io.StringIO(HIDDEN), "StringIO", "text"),
        (12345, "int", "text"),
        (False, "bool", "text"),
        ([HIDDEN], "list", "text"),
        (str, "type", "calling"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_key_of_another_type_is_refused_by_its_type_with_the_way_out(key, kind, advice):
    with pytest.raises(ConfigurationError) as caught:
        ChatSession(key)

    assert f"type {kind}," in str(caught.value)
    assert advice in str(caught.value)
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    assert HIDDEN not in str(caught.value) + "".join(repr(f.f_locals) for f in frames[1:])


def test_a_key_of_another_type_is_refused_though_the_environment_has_one(monkeypatch):
    monkeypatch.setenv("AIMLAPI_API_KEY", HIDDEN)

    with pytest.raises(ConfigurationError, match="bytes"):
        ChatSession(b"")


async def test_a_subclass_of_str_is_sent_as_the_text_that_it_is(emulator):
    headers = {"X-Token": StarredStr("shown")}
    async with ChatSession(StarredStr("key"), base_url=emulator.base_url) as session:
        await session.complete("Hi", headers=headers, client_request_id=StarredStr("id-1"))

    sent = emulator.requests[0].headers
    assert sent["Authorization"] == "Bearer key"
    assert sent["X-Token"] == "shown"
    assert sent["X-Client-Request-Id"] == "id-1"


@pytest.mark.parametrize(
    ("settings", "name", "kind"),
    [
        ({"base_url": URL("https://x/v1")}, "base_url", "URL"),
        ({"base_url": b"https://x/v1"}, "base_url", "bytes"),
        ({"base_url": 0}, "base_url", "int"),
        ({"model": Path("gpt-4o")}, "model", "PosixPath"),
        ({"model": ["gpt-4o", "gpt-4o-mini"]}, "model", "list"),
        ({"proxy": {"https": "http://p"}}, "proxy", "dict"),
        ({"proxy": URL("http://p")}, "proxy", "URL"),
        ({"proxy": False}, "proxy", "bool"),
        ({"timeouts": 30}, "timeouts", "int"),
        ({"timeouts": 0}, "timeouts", "int"),
        ({"retry": 2}, "retry", "int"),
        ({"limits": {"concurrency": 5}}, "limits", "dict"),
        ({"headers": [("X-A", HIDDEN)]}, "headers", "list"),
        ({"headers": f"X-A: {HIDDEN}"}, "headers", "str"),
        ({"ssl": "ca.pem"}, "ssl", "str"),
        ({"http": object()}, "http", "object"),
        ({"on_finish": "print"}, "on_finish", "str"),
        ({"on_retry": []}, "on_retry", "list"),
    ],
    ids=str,
)
def test_a_setting_of_another_type_is_refused_by_its_name_and_type(settings, name, kind):
    with pytest.raises(ConfigurationError) as caught:
        ChatSession("k", **settings)

    assert f"{name}= is an object of type {kind}; give " in str(caught.value)
    assert HIDDEN not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (SecretStr(HIDDEN), "get_secret_value"),
        (HIDDEN.encode(), "decode"),
        (None, "leave the header out"),
        (1, "type int"),
    ],
    ids=["secret", "bytes", "None", "int"],
)
async def test_the_value_of_a_header_that_is_not_text_is_refused_by_its_type(session, value, words):
    with pytest.raises(ConfigurationError, match=words):
        ChatSession("k", headers={"X-A": value})
    with pytest.raises(ConfigurationError, match=words):
        await session.complete("Hi", headers={"X-A": value})


@pytest.mark.parametrize("policies", [{"timeouts": 30}, {"timeouts": 0}, {"retry": False}], ids=str)
async def test_a_policy_of_a_call_of_another_type_is_refused_before_anything_is_sent(
    session, emulator, policies
):
    (name,) = policies
    with pytest.raises(ConfigurationError, match=f"{name}= is"):
        await session.complete("Hi", **policies)
    with pytest.raises(ConfigurationError, match=f"{name}= is"):
        session.stream("Hi", **policies)
    with pytest.raises(ConfigurationError, match=f"{name}= is"):
        session.complete_many(["Hi"], **policies)

    assert emulator.requests == []


async def test_none_stands_for_the_default_of_every_setting(emulator):
    names = ("model", "timeouts", "retry", "limits", "headers", "proxy", "ssl", "http")
    async with ChatSession(
        "k", base_url=emulator.base_url, **dict.fromkeys(names), on_retry=None, on_finish=None
    ) as session:
        assert session.model == ChatSession("k").model
        assert await session.complete("Hi")


@pytest.mark.parametrize("key", [" k-secret", "k-secret ", "Bearer k-secret", '"k-secret"', "k k"])
def test_a_key_with_more_than_a_key_is_refused_and_not_shown(key):
    with pytest.raises(ConfigurationError, match="white space or quotation marks") as caught:
        ChatSession(key)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["on_retry", "on_finish"])
def test_a_coroutine_function_is_refused_as_a_hook(name):
    async def hook(_):
        raise NotImplementedError

    with pytest.raises(ConfigurationError, match=f"{name}= is a coroutine function"):
        ChatSession("key", **{name: hook})


def test_a_base_url_with_white_space_inside_is_refused():
    with pytest.raises(ConfigurationError, match="white space"):
        ChatSession("key", base_url="http://exa mple.com/v1")


def test_the_usual_settings_are_accepted():
    ChatSession(
        "k",
        base_url="https://x/v1",
        model="gpt-4o",
        timeouts=Timeouts(),
        retry=RetryPolicy(),
        limits=Limits(),
        ssl=ssl.create_default_context(),
        on_finish=asyncio.Event().set,
    )

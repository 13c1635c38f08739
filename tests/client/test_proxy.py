"""The proxy that a caller gives, or that the environment names."""

import base64

import pytest
from yarl import URL

from aimlchat import ConfigurationError
from aimlchat._client.proxy import parse_proxy, proxy_from_environment

TARGET = URL("https://api.example.com/v1")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("proxy", "url"),
    [
        ("http://p:3128", "http://p:3128"),
        ("https://p", "https://p"),
        ("HTTP://p/", "http://p"),
        ("proxy.example.com:3128", "http://proxy.example.com:3128"),  # as in curl
        ("http://[::1]:3128", "http://[::1]:3128"),
    ],
)
def test_an_http_or_https_url_is_used_and_http_is_the_default(proxy, url):
    parsed = parse_proxy(proxy)

    assert (parsed.url, parsed.headers, parsed.secrets) == (url, {}, ())


@pytest.mark.parametrize(
    ("proxy", "credentials", "secret"),
    [
        ("http://me:pw@p:1", b"me:pw", "pw"),
        ("me:pw@p:1", b"me:pw", "pw"),
        ("http://me:p%2Fw%20%C3%A9@p:1", b"me:p/w \xe9", "p/w é"),
        ("http://me:%E2%82%AC@p:1", "me:€".encode(), "€"),  # no latin-1
        ("http://token@p:1", b"token:", "token"),
        ("http://:pw@p:1", b":pw", "pw"),
    ],
)
def test_credentials_are_sent_in_a_header_and_are_not_in_the_url(proxy, credentials, secret):
    parsed = parse_proxy(proxy)

    assert parsed.url == "http://p:1"
    token = base64.b64encode(credentials).decode()
    assert parsed.headers == {"Proxy-Authorization": f"Basic {token}"}
    assert {secret, token} <= set(parsed.secrets)
    assert token not in repr(parsed)
    assert secret not in repr(parsed)


@pytest.mark.parametrize("proxy", ["socks5://p:1080", "socks5h://p", "ftp://p"])
def test_another_scheme_is_refused_by_its_name(proxy):
    with pytest.raises(ConfigurationError, match=repr(proxy.partition(":")[0])):
        parse_proxy(proxy)


@pytest.mark.parametrize("proxy", ["http://", "https:///", "", "http:/p:1", "http://p:port"])
def test_a_proxy_without_a_host_is_refused(proxy):
    with pytest.raises(ConfigurationError, match="proxy"):
        parse_proxy(proxy)


@pytest.mark.parametrize(
    "proxy",
    [
        "socks5://me:secret@p",
        "http://me:sec/secret@p",
        "http://me:secret@p:port",
        "http:/me:secret@p",
        "me:secret://@p",
        "http://me:secret",
        "http://me:secret\u2100@p",
    ],
)
def test_the_refusal_of_a_proxy_does_not_show_its_password(proxy):
    with pytest.raises(ConfigurationError, match="a proxy has to be") as caught:
        parse_proxy(proxy)

    assert "secret" not in str(caught.value)
    assert caught.value.__context__ is None


def test_the_variable_of_another_scheme_does_not_count(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://p")

    assert proxy_from_environment(TARGET) is None


def test_the_variable_of_the_scheme_counts(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://plain")
    monkeypatch.setenv("https_proxy", "http://secure")

    assert proxy_from_environment(TARGET) == "http://secure"
    assert proxy_from_environment(URL("http://api.example.com")) == "http://plain"


@pytest.mark.parametrize("hosts", ["*", "example.com", ".example.com", "other, api.example.com"])
def test_a_host_that_no_proxy_names_is_reached_directly(monkeypatch, hosts):
    monkeypatch.setenv("https_proxy", "http://p")
    monkeypatch.setenv("no_proxy", hosts)

    assert proxy_from_environment(TARGET) is None


@pytest.mark.parametrize("hosts", ["", "other.com", "api.example.com:8443"])
def test_any_other_host_is_reached_through_the_proxy(monkeypatch, hosts):
    monkeypatch.setenv("https_proxy", "http://p")
    monkeypatch.setenv("no_proxy", hosts)

    assert proxy_from_environment(TARGET) == "http://p"


def test_no_proxy_may_name_the_default_port_of_the_scheme(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://p")
    monkeypatch.setenv("no_proxy", "api.example.com:443")

    assert proxy_from_environment(TARGET) is None

"""The base URL of a session, and the URLs of endpoints below it."""

import pytest
from yarl import URL

from aimlchat import ConfigurationError
from aimlchat._client.base_url import join_url, parse_base_url


@pytest.mark.parametrize(
    "text", ["https://x/v1", "https://x/v1/", "https://x/v1///", " https://x/v1\n"]
)
def test_white_space_and_slashes_at_the_end_do_not_count(text):
    assert parse_base_url(text) == URL("https://x/v1")


@pytest.mark.parametrize(
    "text", ["http://x", "HTTPS://X/v1", "http://127.0.0.1:8080/a/b", "http://[::1]:80/v1"]
)
def test_an_http_or_https_url_with_a_host_is_accepted(text):
    assert parse_base_url(text).host


@pytest.mark.parametrize("text", ["", "x/v1", "//x/v1", "ftp://x/v1", "file:///v1", "http://"])
def test_a_url_of_another_scheme_or_without_a_host_is_refused(text):
    with pytest.raises(ConfigurationError, match="has to be an http: or https: URL"):
        parse_base_url(text)


@pytest.mark.parametrize("text", ["http://[::1", "http://x:port"])
def test_a_text_that_is_no_url_is_refused(text):
    with pytest.raises(ConfigurationError, match="is not a URL"):
        parse_base_url(text)


@pytest.mark.parametrize("text", ["http://x/v1?a=b", "http://x/v1#top", "http://me:secret@x/v1"])
def test_a_query_a_fragment_or_a_user_name_is_refused(text):
    with pytest.raises(ConfigurationError, match="takes no query"):
        parse_base_url(text)


def test_the_refusal_of_a_user_name_does_not_show_the_password():
    with pytest.raises(ConfigurationError) as caught:
        parse_base_url("http://me:secret@x/v1")

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "ftp://me:secret@x/v1",
        "htps://me:secret@x",
        "http://me:secret@[::1",
        "http://me:secret@x:port",
        "http://me:sec/secret@x",
        "me:secret@x",
        "https:me:secret@x",
        "http://me:secret\u2100@x",
        "http://me: secret@x",
    ],
)
def test_no_other_refusal_shows_a_password(text):
    with pytest.raises(ConfigurationError, match=r"\*\*\*@") as caught:
        parse_base_url(text)

    assert "secret" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("text", ["http://me:secret", "ftp://x?key=secret", "htps://x#secret"])
def test_what_may_be_a_secret_is_not_shown_either(text):
    with pytest.raises(ConfigurationError, match=r"\*\*\*") as caught:
        parse_base_url(text)

    assert "secret" not in str(caught.value)


def test_the_path_of_an_endpoint_is_appended():
    url = join_url(parse_base_url("https://x/api/v1/"), "chat/completions")

    assert str(url) == "https://x/api/v1/chat/completions"


def test_a_base_url_without_a_path_is_enough():
    assert str(join_url(parse_base_url("https://x"), "models")) == "https://x/models"


def test_the_path_of_an_endpoint_may_have_a_query():
    url = join_url(parse_base_url("https://x/v1"), "batches?batch_id=a-1&limit=2")

    assert url.path == "/v1/batches"
    assert dict(url.query) == {"batch_id": "a-1", "limit": "2"}

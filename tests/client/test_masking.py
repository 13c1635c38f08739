"""How secrets are masked: what a ``repr`` shows of them, and of URLs with credentials."""

import pickle
import reprlib
import traceback

import pytest

from aimlchat._client.masking import MaskedStr, MaskedURL, hide_credentials, mask, mask_url

KEY = "sk-very-secret"
LONG = f"{KEY}-{'0123456789' * 10}"


def test_a_masked_text_is_the_text_itself():
    assert MaskedStr(KEY) == KEY
    assert f"Bearer {MaskedStr(KEY)}" == f"Bearer {KEY}"


def test_the_repr_of_a_masked_text_is_a_mask_also_inside_a_container():
    assert repr({"key": [MaskedStr(KEY)]}) == "{'key': ['***']}"


def test_a_slice_of_a_masked_text_is_masked():
    secret = MaskedStr(KEY)

    assert secret[:7] == "sk-very"
    assert repr([secret[:7], secret[3], secret[::-1]]) == "['***', '***', '***']"


def test_what_a_masked_text_is_joined_to_is_masked():
    secret = MaskedStr(KEY)

    assert "Bearer " + secret == f"Bearer {KEY}"
    assert secret + "!" == f"{KEY}!"
    assert repr(["Bearer " + secret, secret + "!", secret + secret]) == "['***', '***', '***']"


def show_as_rich(text):
    """Show a text as rich shows the locals of a traceback."""
    pretty = pytest.importorskip("rich.pretty")  # of the extra `cli`
    return pretty.pretty_repr(text, max_string=80)


@pytest.mark.parametrize("show", [reprlib.repr, show_as_rich])
def test_what_shortens_long_texts_shows_nothing_of_a_masked_one(show):
    assert "sk-" not in show(MaskedStr(LONG))


def test_a_traceback_with_locals_shows_nothing_of_a_masked_text():
    def fail(secret):
        shown = [secret, f"{secret!r}", "%r" % secret, secret[:5]]  # noqa: UP031
        raise ValueError(len(shown))

    with pytest.raises(ValueError, match="4") as caught:
        fail(MaskedStr(LONG))
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    shown.stack[:] = shown.stack[-1:]

    assert "secret = '***'" in "".join(shown.format())
    assert "sk-" not in "".join(shown.format())


@pytest.mark.parametrize("kind", [MaskedStr, MaskedURL])
def test_a_masked_text_can_be_pickled(kind):
    again = pickle.loads(pickle.dumps(kind(KEY)))

    assert again == KEY
    assert type(again) is kind


@pytest.mark.parametrize("hide", [mask, mask_url])
def test_of_an_object_that_is_no_text_only_the_type_is_left(hide):
    assert hide(KEY.encode()) is bytes
    assert hide(None) is None


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://api.example.com/v1", "https://api.example.com/v1"),
        ("http://127.0.0.1:8080/a/b", "http://127.0.0.1:8080/a/b"),
        ("http://[::1]:80/v1", "http://[::1]:80/v1"),
        ("https://me:secret@x/v1", "https://***@x/v1"),
        ("htps://me:secret@x", "htps://***@x"),
        ("https:/me:secret@x", "https:/***@x"),
        ("https//me:secret@x", "***@x"),
        ("me:secret@x:1", "***@x:1"),
        ("http://me:sec@ret/#?@x:port", "http://***@x:port"),
        ("http://me:secret%40x", "http://***@x"),
        ("http://me:secret", "http://me:***"),
        ("https://x/v1?key=secret", "https://x/v1?***"),
        ("https://x/v1#secret", "https://x/v1?***"),
    ],
)
def test_the_repr_of_a_url_hides_its_credentials_also_if_it_is_mistyped(url, shown):
    assert hide_credentials(url) == shown
    assert repr(mask_url(url)) == repr(shown)
    assert mask_url(url) == url

"""The checks of images, documents and audio that both dialects share."""

import pytest

from aimlchat import Audio, Document, Image, InvalidRequestError
from aimlchat._payload.media import check_url, require_media_type

FIELD = "messages[0].content[0]"
URL = "https://example.com/a.png"


def test_a_part_with_a_url_has_that_url():
    assert check_url(Image.from_url(URL), FIELD) == URL


def test_a_part_with_data_has_no_url(png):
    assert check_url(Image.from_bytes(png), FIELD) is None


@pytest.mark.parametrize("url", [1, b"https://example.com", "https://example.com/\ud800"])
def test_a_url_that_is_no_text_is_refused_by_its_path(url):
    with pytest.raises(InvalidRequestError) as caught:
        check_url(Image(url=url), FIELD)

    assert caught.value.field == FIELD


def test_the_media_type_is_that_of_the_part(png, pdf, wav):
    parts = [Image.from_bytes(png), Document.from_bytes(pdf), Audio.from_bytes(wav)]

    assert [require_media_type(part, FIELD) for part in parts] == [
        "image/png",
        "application/pdf",
        "audio/wav",
    ]


@pytest.mark.parametrize("kind", [Image, Document, Audio])
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"data": b""},
        {"data": b"a"},
        {"data": "text", "media_type": "image/png"},
        {"data": b"a", "media_type": 1},
    ],
    ids=["nothing", "no bytes", "no media type", "text", "another type"],
)
def test_a_part_that_lacks_its_bytes_or_media_type_is_refused_with_advice(kind, fields):
    with pytest.raises(InvalidRequestError, match=rf"{kind.__name__}\.from_bytes") as caught:
        require_media_type(kind(**fields), FIELD)

    assert caught.value.field == FIELD

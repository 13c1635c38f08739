"""Images, documents and audio: their media type comes from their bytes."""

import base64
import copy
import pickle

import pytest

from aimlchat import Audio, Document, Image, InvalidRequestError, Text, Tool, ToolCall

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
JPEG = b"\xff\xd8\xff\xe0" + bytes(20)
GIF = b"GIF89a" + bytes(20)
WEBP = b"RIFF\x24\0\0\0WEBPVP8 " + bytes(20)
PDF = b"%PDF-1.7\n" + bytes(20)
WAV = b"RIFF\x24\0\0\0WAVEfmt " + bytes(20)
MP3_TAGGED = b"ID3\x04" + bytes(20)
MP3_BARE = b"\xff\xfb\x90\x44" + bytes(20)
NOTE = "Notes: ärger dich nicht.\n".encode()

KNOWN = [
    (Image, PNG, "image/png"),
    (Image, JPEG, "image/jpeg"),
    (Image, GIF, "image/gif"),
    (Image, GIF.replace(b"89", b"87"), "image/gif"),
    (Image, WEBP, "image/webp"),
    (Document, PDF, "application/pdf"),
    (Document, NOTE, "text/plain"),
    (Audio, WAV, "audio/wav"),
    (Audio, MP3_TAGGED, "audio/mpeg"),
    (Audio, MP3_BARE, "audio/mpeg"),
    (Audio, b"\xff\xf3" + bytes(9), "audio/mpeg"),
]


@pytest.mark.parametrize(("media_class", "data", "media_type"), KNOWN, ids=lambda v: str(v)[:16])
class TestKnownTypes:
    def test_the_media_type_comes_from_the_bytes(self, media_class, data, media_type):
        part = media_class.from_bytes(data)
        assert (part.data, part.media_type, part.url) == (data, media_type, None)

    @pytest.mark.parametrize("name", ["photo.bmp", "x", "notes.pdf", "a.mp3", "b.png"])
    def test_the_media_type_of_a_file_comes_from_its_bytes_whatever_its_name(
        self, tmp_path, media_class, data, media_type, name
    ):
        path = tmp_path / name
        path.write_bytes(data)
        for path_or_text in (path, str(path)):
            part = media_class.from_path(path_or_text)
            assert (part.data, part.media_type) == (data, media_type)
            assert part.filename == name

    @pytest.mark.parametrize("has_media_type", [True, False])
    def test_a_data_uri_is_decoded(self, media_class, data, media_type, has_media_type):
        encoded = base64.b64encode(data).decode()
        uri = f"data:{media_type if has_media_type else ''};base64,{encoded}"
        assert media_class.from_url(uri) == media_class.from_bytes(data)

    def test_a_data_uri_survives_a_round_trip(self, media_class, data, media_type):
        part = media_class.from_bytes(data)
        assert part.data_uri() == f"data:{media_type};base64,{base64.b64encode(data).decode()}"
        assert media_class.from_url(part.data_uri()) == part

    def test_the_right_media_type_is_accepted_in_any_spelling(self, media_class, data, media_type):
        for spelling in (media_type, media_type.upper(), f" {media_type} "):
            assert media_class.from_bytes(data, spelling).media_type == media_type

    def test_a_wrong_media_type_is_refused(self, media_class, data, media_type):
        for wrong in {"image/png", "audio/wav", "video/mp4"} - {media_type}:
            with pytest.raises(InvalidRequestError, match=wrong) as caught:
                media_class.from_bytes(data, wrong)
            assert caught.value.field == media_class.__name__.lower()

    def test_the_other_classes_refuse_the_bytes(self, media_class, data, media_type):
        for other in {Image, Document, Audio} - {media_class}:
            with pytest.raises(InvalidRequestError, match=media_type) as caught:
                other.from_bytes(data)
            assert caught.value.field == other.__name__.lower()

    def test_a_pickled_or_deep_copied_part_is_equal(self, media_class, data, media_type):
        part = media_class.from_bytes(data)
        again = pickle.loads(pickle.dumps(part))
        assert again == copy.deepcopy(part) == part
        assert again.media_type == media_type
        assert hash(part) == hash(media_class.from_bytes(data))

    def test_the_repr_does_not_show_the_bytes(self, media_class, data, media_type):
        text = repr(media_class.from_bytes(data * 1000))
        assert len(text) < 200
        assert f"<{len(data) * 1000} bytes>" in text
        assert media_type in text


@pytest.mark.parametrize("media_class", [Image, Document, Audio])
class TestEachClass:
    @pytest.mark.parametrize(
        "url", ["https://host.example/a.png", "HTTP://host.example", "http://[::1]/a"]
    )
    def test_a_url_is_not_downloaded(self, media_class, url):
        part = media_class.from_url(url)
        assert (part.url, part.data, part.media_type) == (url, None, None)

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "a.png",
            "/home/a.png",
            "file:///a.png",
            "ftp://host/a",
            "https://",
            "http:// host",
            "data:",
        ],
    )
    def test_any_other_url_is_refused_with_advice(self, media_class, url):
        with pytest.raises(InvalidRequestError, match=r"from_path|base64"):
            media_class.from_url(url)

    def test_empty_data_is_refused(self, media_class, tmp_path):
        empty = tmp_path / "empty"
        empty.touch()
        for make in (
            lambda: media_class.from_bytes(b""),
            lambda: media_class.from_path(empty),
            lambda: media_class.from_url("data:;base64,"),
        ):
            with pytest.raises(InvalidRequestError, match="no bytes"):
                make()

    @pytest.mark.parametrize("encoded", ["a", "AAA", "AA=A", "A-_A", "AAAA*", "é==="])
    def test_broken_base64_is_refused(self, media_class, encoded):
        with pytest.raises(InvalidRequestError, match="base64 data is broken") as caught:
            media_class.from_url(f"data:image/png;base64,{encoded}")
        assert caught.value.field == media_class.__name__.lower()

    def test_a_data_uri_without_base64_is_refused(self, media_class):
        with pytest.raises(InvalidRequestError, match="has to be base64"):
            media_class.from_url("data:text/plain,hello")

    @pytest.mark.parametrize("data", [b"\0\1\2\3", b"\x7fELF\x02\0", "text".encode("utf-16")])
    def test_an_unknown_format_is_refused(self, media_class, data):
        with pytest.raises(InvalidRequestError, match="unknown format"):
            media_class.from_bytes(data)

    def test_a_missing_file_raises_an_os_error(self, media_class, tmp_path):
        with pytest.raises(FileNotFoundError):
            media_class.from_path(tmp_path / "missing")


def test_a_data_uri_may_have_parameters():
    encoded = base64.b64encode(NOTE).decode()
    assert Document.from_url(f"DATA:text/plain;charset=utf-8;BASE64,{encoded}").data == NOTE


@pytest.mark.parametrize(
    ("media_class", "data", "alias", "media_type"),
    [
        (Image, JPEG, "image/jpg", "image/jpeg"),
        (Audio, MP3_TAGGED, "audio/mp3", "audio/mpeg"),
        (Audio, WAV, "audio/x-wav", "audio/wav"),
        (Audio, WAV, "audio/wave", "audio/wav"),
    ],
)
def test_an_alias_of_a_media_type_is_replaced(media_class, data, alias, media_type):
    assert media_class.from_bytes(data, alias).media_type == media_type


def test_the_media_type_may_name_a_format_that_the_bytes_do_not_indicate():
    assert Image.from_bytes(b"\0\0\0\x1cftypavif", "image/avif").media_type == "image/avif"


@pytest.mark.parametrize("data", [b"\xff\xfe\0", b"caf\xe9", b"a\0b"])
def test_a_text_document_that_is_not_utf_8_is_refused(data):
    for media_type in (None, "text/plain"):
        with pytest.raises(InvalidRequestError, match="UTF-8 text"):
            Document.from_bytes(data, media_type)


def test_a_text_document_may_begin_with_anything():
    for text in ("<html>", "{}", "# Title", "GIF", "\ufeffmark"):
        assert Document.from_bytes(text.encode()).media_type == "text/plain"


def test_bytes_like_objects_are_copied():
    data = bytearray(PNG)
    part = Image.from_bytes(data)
    data[:] = b"changed"
    assert part.data == PNG


@pytest.mark.parametrize(
    "value",
    [Text("a"), Tool("f", description="d"), ToolCall("t", "f"), Image.from_bytes(PNG)],
    ids=str,
)
def test_parts_cannot_be_changed(value):
    with pytest.raises(AttributeError):
        value.name = "other"
    assert pickle.loads(pickle.dumps(value)) == value


def test_texts_are_equal_by_value():
    assert Text("a") == Text("a") != Text("b")

"""Images, documents and audio: what they are is what their bytes say."""

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


@pytest.mark.parametrize(("kind", "data", "media_type"), KNOWN, ids=lambda v: str(v)[:16])
class TestKnownTypes:
    def test_bytes_say_what_they_are(self, kind, data, media_type):
        made = kind.from_bytes(data)
        assert (made.data, made.media_type, made.url) == (data, media_type, None)

    @pytest.mark.parametrize("name", ["photo.bmp", "x", "notes.pdf", "a.mp3", "b.png"])
    def test_a_file_is_what_its_bytes_say_whatever_its_name(
        self, tmp_path, kind, data, media_type, name
    ):
        path = tmp_path / name
        path.write_bytes(data)
        for given in (path, str(path)):
            made = kind.from_path(given)
            assert (made.data, made.media_type) == (data, media_type)
            assert made.filename == name

    @pytest.mark.parametrize("shown", [True, False])
    def test_a_data_uri_is_decoded(self, kind, data, media_type, shown):
        encoded = base64.b64encode(data).decode()
        uri = f"data:{media_type if shown else ''};base64,{encoded}"
        assert kind.from_url(uri) == kind.from_bytes(data)

    def test_the_data_uri_comes_back(self, kind, data, media_type):
        made = kind.from_bytes(data)
        assert made.data_uri() == f"data:{media_type};base64,{base64.b64encode(data).decode()}"
        assert kind.from_url(made.data_uri()) == made

    def test_the_right_media_type_may_be_given(self, kind, data, media_type):
        for given in (media_type, media_type.upper(), f" {media_type} "):
            assert kind.from_bytes(data, given).media_type == media_type

    def test_a_wrong_media_type_is_refused(self, kind, data, media_type):
        for wrong in {"image/png", "audio/wav", "video/mp4"} - {media_type}:
            with pytest.raises(InvalidRequestError, match=wrong) as caught:
                kind.from_bytes(data, wrong)
            assert caught.value.field == kind.__name__.lower()

    def test_the_other_kinds_refuse_it(self, kind, data, media_type):
        for other in {Image, Document, Audio} - {kind}:
            with pytest.raises(InvalidRequestError, match=media_type) as caught:
                other.from_bytes(data)
            assert caught.value.field == other.__name__.lower()

    def test_a_pickled_or_copied_one_is_equal(self, kind, data, media_type):
        made = kind.from_bytes(data)
        again = pickle.loads(pickle.dumps(made))
        assert again == copy.deepcopy(made) == made
        assert again.media_type == media_type
        assert hash(made) == hash(kind.from_bytes(data))

    def test_its_repr_does_not_show_the_bytes(self, kind, data, media_type):
        shown = repr(kind.from_bytes(data * 1000))
        assert len(shown) < 200
        assert f"<{len(data) * 1000} bytes>" in shown
        assert media_type in shown


@pytest.mark.parametrize("kind", [Image, Document, Audio])
class TestEachKind:
    @pytest.mark.parametrize(
        "url", ["https://host.example/a.png", "HTTP://host.example", "http://[::1]/a"]
    )
    def test_a_url_is_left_to_the_server(self, kind, url):
        made = kind.from_url(url)
        assert (made.url, made.data, made.media_type) == (url, None, None)

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
    def test_what_is_no_url_is_refused_with_the_way_out(self, kind, url):
        with pytest.raises(InvalidRequestError, match=r"from_path|base64"):
            kind.from_url(url)

    def test_no_bytes_at_all_are_refused(self, kind, tmp_path):
        empty = tmp_path / "empty"
        empty.touch()
        for make in (
            lambda: kind.from_bytes(b""),
            lambda: kind.from_path(empty),
            lambda: kind.from_url("data:;base64,"),
        ):
            with pytest.raises(InvalidRequestError, match="no bytes"):
                make()

    @pytest.mark.parametrize("encoded", ["a", "AAA", "AA=A", "A-_A", "AAAA*", "é==="])
    def test_broken_base64_is_refused(self, kind, encoded):
        with pytest.raises(InvalidRequestError, match="base64 data is broken") as caught:
            kind.from_url(f"data:image/png;base64,{encoded}")
        assert caught.value.field == kind.__name__.lower()

    def test_a_data_uri_without_base64_is_refused(self, kind):
        with pytest.raises(InvalidRequestError, match="has to be base64"):
            kind.from_url("data:text/plain,hello")

    @pytest.mark.parametrize("data", [b"\0\1\2\3", b"\x7fELF\x02\0", "text".encode("utf-16")])
    def test_an_unknown_format_is_refused(self, kind, data):
        with pytest.raises(InvalidRequestError, match="unknown format"):
            kind.from_bytes(data)

    def test_a_file_that_is_not_there_is_the_systems_own_error(self, kind, tmp_path):
        with pytest.raises(FileNotFoundError):
            kind.from_path(tmp_path / "missing")


def test_base64_may_be_broken_into_lines():
    encoded = base64.encodebytes(PNG * 10).decode()
    assert Image.from_url(f"data:image/png;base64,{encoded}").data == PNG * 10


def test_a_data_uri_may_have_parameters():
    encoded = base64.b64encode(NOTE).decode()
    assert Document.from_url(f"DATA:text/plain;charset=utf-8;BASE64,{encoded}").data == NOTE


@pytest.mark.parametrize(
    ("kind", "data", "alias", "media_type"),
    [
        (Image, JPEG, "image/jpg", "image/jpeg"),
        (Audio, MP3_TAGGED, "audio/mp3", "audio/mpeg"),
        (Audio, WAV, "audio/x-wav", "audio/wav"),
        (Audio, WAV, "audio/wave", "audio/wav"),
    ],
)
def test_media_types_of_other_names_are_known(kind, data, alias, media_type):
    assert kind.from_bytes(data, alias).media_type == media_type


def test_a_media_type_stands_for_an_image_that_the_bytes_do_not_show():
    assert Image.from_bytes(b"\0\0\0\x1cftypavif", "image/avif").media_type == "image/avif"


@pytest.mark.parametrize("data", [b"\xff\xfe\0", b"caf\xe9", b"a\0b"])
def test_a_text_document_has_to_be_utf8(data):
    for given in (None, "text/plain"):
        with pytest.raises(InvalidRequestError, match="UTF-8 text"):
            Document.from_bytes(data, given)


def test_a_text_document_may_begin_like_anything():
    for text in ("<html>", "{}", "# Title", "GIF", "\ufeffmark"):
        assert Document.from_bytes(text.encode()).media_type == "text/plain"


def test_bytes_like_objects_are_copied():
    data = bytearray(PNG)
    made = Image.from_bytes(data)
    data[:] = b"changed"
    assert made.data == PNG


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

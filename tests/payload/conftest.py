import base64

import pytest

from aimlchat.errors import InvalidRequestError

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 16
PDF = b"%PDF-1.7 " + b"x" * 16
WAV = b"RIFF\0\0\0\0WAVEfmt "
MP3 = b"ID3\x04" + b"\0" * 16


@pytest.fixture
def refusal():
    """Give a function that returns the error with which a request is refused."""

    def refusal(request):
        with pytest.raises(InvalidRequestError) as caught:
            request.payload()
        return caught.value

    return refusal


@pytest.fixture
def png():
    return PNG


@pytest.fixture
def pdf():
    return PDF


@pytest.fixture
def wav():
    return WAV


@pytest.fixture
def mp3():
    return MP3


@pytest.fixture
def encoded():
    return lambda data: base64.b64encode(data).decode()

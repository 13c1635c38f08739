"""Fixtures that build streams from chunks, and parse them in pieces."""

import json

import attrs
import pytest

from aimlchat import AIMLChatError, AnswerDelta, Completion, StreamParser


@attrs.define
class Reading:
    """The result of parsing a body: its deltas, and its completion or its error."""

    fed: list  # the deltas that `feed` returned
    closed: list  # those of the text that was buffered until the end
    completion: Completion | None = None
    error: AIMLChatError | None = None

    @property
    def deltas(self):
        return self.fed + self.closed

    @property
    def end(self):
        return self.completion or (type(self.error), self.error.partial)

    def joined(self, kind=AnswerDelta, choice=0):
        return "".join(d.text for d in self.deltas if type(d) is kind and d.choice == choice)


def read_pieces(pieces, model="openai/gpt-4o"):
    parser = StreamParser(model)
    reading = Reading([], [])
    try:
        for piece in pieces:
            reading.fed += parser.feed(piece)
        reading.closed += parser.close()
        parser.close()  # raises the fault that the first call found behind buffered text
    except AIMLChatError as error:
        reading.error = error
    else:
        reading.completion = parser.completion
    return reading


def event_of(chunk):
    data = chunk if isinstance(chunk, bytes) else json.dumps(chunk).encode()
    return b"data: %s\n\n" % data


@pytest.fixture(scope="session")
def sse():
    """Return a function that builds a body from chunks, which are dictionaries or bytes."""
    return lambda *chunks: b"".join(map(event_of, chunks))


@pytest.fixture(scope="session")
def read_bytes():
    """Return a function that parses the pieces of a body to its end."""
    return read_pieces


@pytest.fixture(scope="session")
def read():
    """Return a function that parses a stream of these chunks to its end."""
    return lambda *chunks, model="openai/gpt-4o": read_pieces(
        [b"".join(map(event_of, chunks))], model
    )


@pytest.fixture(scope="session")
def chunk():
    """Return a function that builds a chunk of one choice: a delta, and other top-level keys."""

    def build(delta=None, *, index=0, finish=None, **top):
        choice = {"index": index, "delta": delta or {}, "finish_reason": finish}
        return {"id": "c-1", "model": "m-1", "created": 1750000000, "choices": [choice]} | top

    return build
